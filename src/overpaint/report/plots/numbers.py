"""Chart of the numbers of any probe: the mean of each over images, with its 95 % interval."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from overpaint.metrics.statistics.bootstrap import Interval
from overpaint.report.plots.intervals import RowsOfNumbers, as_table, interval_of, reach_of
from overpaint.report.plots.style import COLOURS, chart, despine_axes, encode, short, wrapped

LONGEST = 48
"""Longer names of numbers are cut."""


def numbers_chart(rows: RowsOfNumbers, title: str) -> bytes:
    """Draws the mean of each number as a bar, with its 95 % interval over the images.

    Numbers that lie in ``[0, 1]`` in all rows, as shares and scores do, have axes of their own, above the others.

    Args:
        rows: A probe's numbers of each row.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    table = as_table(rows)
    names = table.names
    shares = [name for name in names if not _any_outside(table.numbers(name))]
    others = [name for name in names if name not in shares]
    groups = [group for group in (shares, others) if group] or [[]]
    figure = chart(0.26 * len(names) + 0.55 * len(groups) + 0.6)
    panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=[len(group) + 1 for group in groups])[:, 0]
    for axes, group in zip(panels, groups, strict=True):
        _draw_bars(axes, group, interval_of(table, group))
        if group is shares:
            axes.set_xlim(0, 1.02)
    panels[0].set_title(wrapped(title, 90), fontsize=9.5)
    panels[-1].set_xlabel("mean and 95 % interval over images", fontsize=8)
    return encode(figure, 64)


def _any_outside(values: Float[np.ndarray, " row"]) -> bool:
    return bool(((values < 0) | (values > 1)).any())


def _draw_bars(axes: Axes, names: Sequence[str], interval: Interval) -> None:
    despine_axes(axes, "x")
    places = np.arange(len(names))
    axes.barh(places, interval.mean, 0.62, color=COLOURS[0])
    axes.errorbar(interval.mean, places, xerr=reach_of(interval), fmt="none", color="black", linewidth=1.2, capsize=3)
    for place in places[np.isnan(interval.mean)]:
        axes.text(0.01, place, "not measured", transform=axes.get_yaxis_transform(), fontsize=7.5, va="center")
    axes.set_yticks(places, [short(name.replace("_", " "), LONGEST) for name in names], fontsize=8)
    axes.set_ylim(max(len(names), 1) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
