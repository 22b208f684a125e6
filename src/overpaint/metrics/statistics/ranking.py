"""Ranks of saliency methods, with intervals and paired differences over images."""

import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from overpaint.core.errors import OverpaintError
from overpaint.metrics.statistics.bootstrap import Bootstrap, Interval

Scores = Mapping[str, Mapping[str, Float[np.ndarray, " row"]]]
"""By metric and method, a number for each row (an image and a class); NaN where it was not measured."""


@dataclass(frozen=True)
class Standing:
    """What a metric says of a method.

    Attributes:
        metric: The metric.
        method: The method.
        mean: Mean over the rows that were measured; NaN where none was.
        low: Lower end of the mean's 95 % interval; NaN where fewer than two images were measured.
        high: Its upper end.
        rank: 1 for the best mean; equal means share the best of their ranks (1, 2, 2, 4). None where the metric has no
            better side or the method has no value.
        rows: How many rows were measured.
        beats_controls: Whether the paired difference to each control that was measured has its 95 % interval wholly on
            the better side. None for a control, where there is none, where the metric has no better side, and where
            there is no interval to tell from.
        higher_is_better: The metric's better side; None where it has none.
        control: Whether the method is a control.
    """

    metric: str
    method: str
    mean: float
    low: float
    high: float
    rank: int | None
    rows: int
    beats_controls: bool | None
    higher_is_better: bool | None
    control: bool


@dataclass(frozen=True)
class Comparison:
    """How two methods differ in a metric.

    Attributes:
        metric: The metric.
        first: A method.
        second: Another one.
        difference: Mean of ``first - second`` over the rows that were measured for both; NaN where there is none.
        low: Lower end of its 95 % interval; NaN where fewer than two images were measured for both.
        high: Its upper end.
        rows: How many rows were measured for both.
    """

    metric: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    rows: int


def standings(
    scores: Scores,
    better: Mapping[str, bool | None],
    controls: Sequence[str] = (),
    groups: Sequence[Hashable] | None = None,
    bootstrap: Bootstrap | None = None,
) -> list[Standing]:
    """Ranks the methods by each metric.

    Images in which a metric was measured for no method are left out before images are drawn. One image has no
    interval: its ends are NaN.

    Args:
        scores: What was measured; all methods of a metric over the same rows. What is not finite was not measured.
        better: Whether more of each metric is better; None for a metric that is best somewhere between.
        controls: Methods that know nothing of the classifier; those without scores are passed over.
        groups: The image of each row; None where each row is an image of its own.
        bootstrap: How the intervals are found; by default 2000 resamples.

    Returns:
        A standing for each metric and method, in their order.

    Raises:
        OverpaintError: If the methods of a metric, or ``groups``, have different numbers of rows.
    """
    bootstrap = bootstrap or Bootstrap()
    found = []
    for metric, methods, values, images in _tables(scores, groups):
        over_images = bootstrap.interval(values, images)
        ranks = _ranks(over_images.mean, better[metric])
        beats = _beats_controls(methods, values, images, better[metric], controls, bootstrap)
        for i, method in enumerate(methods):
            mean, low, high, rows = _entry(over_images, i)
            control = method in controls
            found.append(
                Standing(metric, method, mean, low, high, ranks[i], rows, beats[method], better[metric], control)
            )
    return found


def comparisons(
    scores: Scores, groups: Sequence[Hashable] | None = None, bootstrap: Bootstrap | None = None
) -> list[Comparison]:
    """Compares each pair of methods by each metric, over the rows that were measured for both.

    Args:
        scores: As for `standings`.
        groups: As for `standings`.
        bootstrap: As for `standings`; the resamples are the same.

    Returns:
        A comparison for each metric and pair, the method that comes first in the scores being the first.

    Raises:
        OverpaintError: As for `standings`.
    """
    bootstrap = bootstrap or Bootstrap()
    found = []
    for metric, methods, values, images in _tables(scores, groups):
        pairs = list(itertools.combinations(range(len(methods)), 2))
        differences = _differences(values, pairs)
        over_images = bootstrap.interval(differences, images)
        for i, (a, b) in enumerate(pairs):
            found.append(Comparison(metric, methods[a], methods[b], *_entry(over_images, i)))
    return found


def _tables(
    scores: Scores, groups: Sequence[Hashable] | None
) -> Iterator[tuple[str, list[str], Float[np.ndarray, "row method"], list[Hashable]]]:
    """Yields each metric with its methods, their values and the image of each row; rows without any value left out."""
    for metric, of_method in scores.items():
        lengths = {method: len(values) for method, values in of_method.items()}
        if groups is not None:
            lengths["groups"] = len(groups)
        if len(set(lengths.values())) > 1:
            raise OverpaintError(f"{metric}: all methods must be measured on the same rows, got {lengths} rows")
        if not of_method:
            continue
        values = np.stack([np.asarray(column, dtype=np.float64) for column in of_method.values()], axis=1)
        images = list(groups) if groups is not None else list(range(len(values)))
        measured = np.isfinite(values).any(1)
        yield metric, list(of_method), values[measured], [images[i] for i in np.flatnonzero(measured)]


def _differences(
    values: Float[np.ndarray, "row method"], pairs: Sequence[tuple[int, int]]
) -> Float[np.ndarray, "row pair"]:
    first, second = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    finite = np.where(np.isfinite(values), values, np.nan)  # ∞ - ∞ would be warned of
    return finite[:, first] - finite[:, second]


def _entry(over_images: Interval, i: int) -> tuple[float, float, float, int]:
    mean, low, high, rows = (column[i].item() for column in over_images)
    return mean, low, high, rows


def _ranks(means: Float[np.ndarray, " method"], higher_is_better: bool | None) -> list[int | None]:
    """Counts for each method those that are better: competition ranks."""
    if higher_is_better is None:
        return [None] * len(means)
    merits = means if higher_is_better else -means
    return [None if np.isnan(merit) else 1 + int((merits > merit).sum()) for merit in merits]


def _beats_controls(
    methods: Sequence[str],
    values: Float[np.ndarray, "row method"],
    images: Sequence[Hashable],
    higher_is_better: bool | None,
    controls: Sequence[str],
    bootstrap: Bootstrap,
) -> dict[str, bool | None]:
    """Tells for each method whether it beats each control that was measured."""
    present = [i for i, method in enumerate(methods) if method in controls and np.isfinite(values[:, i]).any()]
    if higher_is_better is None or not present:
        return dict.fromkeys(methods)
    pairs = [(i, control) for i in range(len(methods)) for control in present]
    differences = _differences(values, pairs) * (1 if higher_is_better else -1)
    lows = bootstrap.interval(differences, images).low.reshape(len(methods), len(present))
    beats: dict[str, bool | None] = {}
    for method, low in zip(methods, lows, strict=True):
        beats[method] = None if method in controls or np.isnan(low).any() else bool((low > 0).all())
    return beats
