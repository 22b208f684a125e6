"""The chart of diversity against fit of the variants."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

from overpaint.probes.base import number_name
from overpaint.report.plots.images import picture_grid
from overpaint.report.plots.intervals import Numbers, RowsOfNumbers, interval_of, reach_of
from overpaint.report.plots.style import COLOURS, chart, despine_axes, encode, wrapped

Arrays = Mapping[str, NDArray[Any]]


def diversity_chart(settings: Sequence[str], numbers: Numbers, arrays: Arrays, title: str) -> bytes:
    """Draws what `Diversity` found for an image: fit against difference, acceptance, and variants of each value.

    Args:
        settings: The probe's settings.
        numbers: Its numbers.
        arrays: Its arrays.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    values = [value for value in settings if number_name("variants", value) in arrays]
    figure = chart(3.4 + 1.05 * len(values))
    heights = [3.4, *[1.05] * len(values)]
    upper, *lines = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    _draw_trade(upper, settings, [numbers], title)
    for line, value in zip(lines, values, strict=True):
        axes = line.subplots()
        axes.imshow(picture_grid(arrays[number_name("variants", value)]))
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_ylabel(value, fontsize=8, rotation=0, ha="right", va="center")
        axes.spines[:].set_visible(False)
    return encode(figure, None)


def mean_diversity_chart(settings: Sequence[str], rows: RowsOfNumbers, title: str) -> bytes:
    """Draws what `Diversity` found over images: means; of the shares with 95 % intervals over the images.

    The trade has no intervals: images differ far more in how well they can be fitted than the values do.

    Args:
        settings: The probe's settings.
        rows: Its numbers of each row; those without a region are left out.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    figure = chart(3.4)
    _draw_trade(figure, settings, rows, title)
    return encode(figure, 64)


def _draw_trade(figure: Figure | SubFigure, values: Sequence[str], rows: RowsOfNumbers, title: str) -> None:
    """Draws the two panels: fit against difference, and the shares that differ and are accepted."""
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        despine_axes(axes)
        axes.tick_params(labelsize=8)
    loss, apart = (interval_of(rows, [number_name(name, value) for value in values]) for name in ("loss", "diversity"))
    left.plot(loss.mean, apart.mean, marker="o", color=COLOURS[0])
    for i, (value, *place) in enumerate(zip(values, loss.mean, apart.mean, strict=True)):
        if np.isfinite(place).all():
            aside = (-5, 5) if i % 2 else (5, -9)  # in turn above and below, so that near ones can be read
            left.annotate(value, (place[0], place[1]), aside, textcoords="offset points", fontsize=8, ha="center")
    left.margins(0.12)
    left.set_xlabel("mean contextual loss (smaller: fits better)", fontsize=8)
    left.set_ylabel("mean difference of the accepted", fontsize=8)
    left.set_title("at each point: search.diversity", fontsize=8.5)
    _draw_shares(right, rows, values)
    figure.suptitle(wrapped(title, 110), fontsize=9.5)


def _draw_shares(axes: Axes, rows: RowsOfNumbers, values: Sequence[str]) -> None:
    places = np.arange(len(values))
    labels = {"distinct_fraction": "no near-duplicates", "acceptance_rate": "accepted of these"}
    for i, (name, label) in enumerate(labels.items()):
        found, aside = interval_of(rows, [number_name(name, value) for value in values]), places + 0.36 * (i - 0.5)
        axes.bar(aside, found.mean, 0.34, color=("#cfe3f2", COLOURS[0])[i], label=label)
        if len(rows) > 1:
            axes.errorbar(aside, found.mean, reach_of(found), fmt="none", color="black", linewidth=1.2, capsize=2)
    axes.set_xticks(places, list(values), fontsize=8)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("search.diversity", fontsize=8)
    axes.set_ylabel("share of the variants", fontsize=8)
    axes.legend(fontsize=7.5, frameon=True, loc="lower left")
