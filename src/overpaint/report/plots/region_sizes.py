"""Charts of acceptance over the size of the region: of one image, and the mean over images."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from overpaint.metrics.statistics.bootstrap import Interval
from overpaint.probes.base import number_name
from overpaint.report.plots.intervals import Numbers, RowsOfNumbers, columns_of, interval_of, reach_of
from overpaint.report.plots.style import COLOURS, chart, despine_axes, encode, wrapped

PALE = "#cfe3f2"


def sizes_chart(
    sizes: Sequence[str], numbers: Numbers, arrays: Mapping[str, Float[np.ndarray, "*size"]], title: str
) -> bytes:
    """Draws what `RegionSizeSweep` found for an image: accepted variants, confidence and loss of each size.

    Args:
        sizes: The probe's settings.
        numbers: Its numbers.
        arrays: Its arrays; of these, the losses are drawn.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    upper, lower, places = *_panels(sizes, title), np.arange(len(sizes))
    different, accepted, confidence, mean, deviation = (
        columns_of([numbers], _named(name, sizes))[0]
        for name in ("different", "accepted", "confidence", "loss", "loss_deviation")
    )
    upper.bar(places, different, 0.62, color=PALE, label="different variants (near-duplicates count once)")
    upper.bar(
        places, accepted, 0.62, color=COLOURS[0], label="of these, accepted; above: their mean score of the class"
    )
    _write_scores(upper, places, np.fmax(different, accepted), confidence)
    upper.set_ylabel("variants", fontsize=8)
    for place, size in enumerate(sizes):
        own = np.asarray(arrays.get(number_name("losses", size), np.empty(0)))
        aside = np.linspace(-0.2, 0.2, len(own)) if len(own) > 1 else np.zeros(len(own))
        lower.scatter(place + aside, own, 5, color="#b9b9b9", linewidths=0)
    lower.errorbar(places, mean, deviation, fmt="D", color=COLOURS[1], markersize=5, linewidth=1.5, capsize=4)
    signs = [
        Line2D([], [], color=COLOURS[1], marker="D", markersize=5, label="mean ± standard deviation over variants"),
        Line2D([], [], color="#b9b9b9", marker="o", markersize=3, linestyle="", label="a variant"),
    ]
    return _encoded(upper, lower, signs)


def mean_sizes_chart(sizes: Sequence[str], rows: RowsOfNumbers, title: str) -> bytes:
    """Draws what `RegionSizeSweep` found over images: means, with 95 % intervals over the images.

    Args:
        sizes: The probe's settings.
        rows: Its numbers of each row; those without a region are left out.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    upper, lower, places = *_panels(sizes, title), np.arange(len(sizes))
    rates, confidences, losses, deviations = (
        interval_of(rows, _named(name, sizes)) for name in ("acceptance_rate", "confidence", "loss", "loss_deviation")
    )
    spread = deviations.mean
    upper.bar(places, rates.mean, 0.62, color=COLOURS[0], label="accepted share; above: mean score of the accepted")
    _draw_intervals(upper, places, rates, "black")
    _write_scores(upper, places, np.fmax(rates.mean, np.nan_to_num(rates.high)), confidences.mean)
    upper.set_ylim(0, 1.12)
    upper.set_yticks(np.linspace(0, 1, 6))
    upper.set_ylabel("accepted share of the variants", fontsize=8)
    lower.bar(places, 2 * spread, 0.3, losses.mean - spread, color="#f6d9c2")
    lower.scatter(places, losses.mean, 30, COLOURS[1], marker="D", zorder=3)
    _draw_intervals(lower, places, losses, COLOURS[1])
    signs = [
        Line2D([], [], color=COLOURS[1], marker="D", markersize=5, label="mean and 95 % interval over images"),
        Patch(color="#f6d9c2", label="± the mean standard deviation over an image's variants"),
    ]
    return _encoded(upper, lower, signs)


def _named(name: str, sizes: Sequence[str]) -> list[str]:
    return [number_name(name, size) for size in sizes]


def _panels(sizes: Sequence[str], title: str) -> tuple[Axes, Axes]:
    """Makes the two panels, one above the other."""
    upper, lower = chart(5.4).subplots(2, 1, sharex=True, height_ratios=[3, 2])
    for axes in (upper, lower):
        despine_axes(axes, "y")
    upper.set_title(wrapped(title, 110), fontsize=9.5)
    lower.set_xticks(range(len(sizes)), [f"{size} %" for size in sizes], fontsize=8)
    lower.set_xlabel("size of the region, as a share of the salient region's bounding box", fontsize=8)
    lower.set_ylabel("contextual loss", fontsize=8)
    return upper, lower


def _encoded(upper: Axes, lower: Axes, signs: Sequence[Artist]) -> bytes:
    bars, _ = upper.get_legend_handles_labels()
    lower.set_ylim(bottom=0)
    figure = upper.get_figure(root=True)
    assert figure is not None
    figure.legend(handles=[*bars, *signs], loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return encode(figure, 64)


def _write_scores(
    axes: Axes, places: Int[np.ndarray, " size"], tops: Float[np.ndarray, " size"], values: Float[np.ndarray, " size"]
) -> None:
    """Writes the mean scores above the bars."""
    for place, top, value in zip(places, np.nan_to_num(tops), values, strict=True):
        text = f"{value:.1%}" if np.isfinite(value) else "none accepted"
        axes.annotate(text, (place, top), (0, 3), textcoords="offset points", ha="center", fontsize=8)


def _draw_intervals(axes: Axes, places: Int[np.ndarray, " size"], interval: Interval, colour: str) -> None:
    axes.errorbar(places, interval.mean, reach_of(interval), fmt="none", color=colour, linewidth=1.3, capsize=4)
