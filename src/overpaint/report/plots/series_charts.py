"""Charts of a series: each of the panels that the overview has, as a picture of its own, and a variant closely."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.gridspec import GridSpec
from numpy.typing import NDArray

from overpaint.report.plots.series import draw_curve, shade_region
from overpaint.report.plots.series_panels import (
    FAINT,
    Arrays,
    curve_height,
    draw_accepted,
    draw_change,
    draw_flipped,
    draw_method,
    draw_series,
    panel_heights,
)
from overpaint.report.plots.style import COLOURS, chart, despine_axes, encode

WIDTH, HEIGHT = 4.8, 2.3
"""Inches of a chart: so many that its letters can be read in half of a page, and on a telephone."""

SMALL = (1.6, 3.3)
"""Height and width of the chart of a series alone, which stands in a narrow column."""

LETTERS = 58
"""Letters of a title's line."""

Series = NDArray[np.floating[Any]]
"""Channel x length, scaled."""


def map_chart(arrays: Arrays, method: str, largest: float | None = None) -> bytes:
    """Draws a series under a map, see `draw_method`.

    Args:
        arrays: The series, its scale, the map, its region and its standard error, as they are written.
        method: The method.
        largest: See `draw_method`.

    Returns:
        A PNG file's content, as of all charts here.
    """
    figure = chart(sum(panel_heights(arrays, method)) + 0.5, WIDTH)
    draw_method(figure, GridSpec(1, 1, figure=figure)[0], arrays, method, largest)
    return encode(figure)


def series_chart(arrays: Arrays) -> bytes:
    """Draws a series in its units, with its region shaded."""
    figure = chart(curve_height(arrays, SMALL[0]), SMALL[1])
    axes = figure.add_subplot()
    draw_curve(axes, draw_series(axes, arrays, "").of(arrays["image"]), color="black")
    return encode(figure)


def accepted_chart(arrays: Arrays, variants: Arrays, said: str) -> bytes:
    """Draws the accepted variants, see `draw_accepted`."""
    figure = chart(curve_height(arrays, HEIGHT), WIDTH)
    draw_accepted(figure.add_subplot(), arrays, variants, said, LETTERS)
    return encode(figure)


def flipped_chart(arrays: Arrays, variants: Arrays, class_names: Sequence[str], said: str) -> bytes:
    """Draws the flipped variants, see `draw_flipped`."""
    figure = chart(curve_height(arrays, HEIGHT), WIDTH)
    draw_flipped(figure.add_subplot(), arrays, variants, class_names, said, LETTERS)
    return encode(figure)


def change_chart(arrays: Arrays, changed: Series, said: str) -> bytes:
    """Draws a changed series over the series, and below it the difference in their units.

    Args:
        arrays: The series, its scale and its region.
        changed: The changed series.
        said: What stands above.
    """
    figure = chart(curve_height(arrays, HEIGHT) + 0.7, WIDTH)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    heights = draw_series(upper, arrays, said, LETTERS)
    draw_curve(upper, heights.of(arrays["image"]), color=FAINT, linewidth=1.1)
    draw_curve(upper, heights.of(changed), color=COLOURS[0], linewidth=1.1)
    shade_region(lower, arrays["region"])
    draw_change(lower, heights.in_units(changed) - heights.in_units(arrays["image"]))
    lower.set_ylabel("difference", fontsize=8)
    despine_axes(lower)
    lower.tick_params(labelsize=7)
    return encode(figure)
