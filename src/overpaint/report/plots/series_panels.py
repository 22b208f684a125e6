"""The panels of an explained series: the curve under a map, and what may stand in its region."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from overpaint.pipeline.artifacts import SCALE, channels_array, error_array, map_artifact, region_array
from overpaint.report.plots.series import (
    CurveHeights,
    draw_coloured_curve,
    draw_curve,
    draw_envelope,
    draw_error_band,
    draw_strip,
    draw_variants,
    shade_region,
)
from overpaint.report.plots.style import COLOURS, despine_axes, short, wrapped

CURVE, STRIP, BAND = 1.5, 0.16, 0.6
"""Heights of a method's panels in inches: the coloured curve, the strip of its map, the map with its error."""

MORE, TALLEST = 0.35, 5.0
"""What each further channel adds to the curves' height, and the most that this can be."""

FAINT = "#9a9a9a"
"""The colour of a series behind another one."""

Arrays = Mapping[str, NDArray[Any]]


def heights_of(arrays: Arrays) -> CurveHeights:
    """Returns how the values of a row's series are drawn."""
    return CurveHeights(arrays["image"].shape[-2], arrays.get(SCALE))


def curve_height(arrays: Arrays, single: float = CURVE) -> float:
    """Returns the height of the curves, in inches: ``single`` of one channel, more of several."""
    return float(min(TALLEST, single + MORE * (arrays["image"].shape[-2] - 1)))


def panel_heights(arrays: Arrays, method: str) -> tuple[float, float, float]:
    """Returns the heights of a method's panels: curve, strips, band."""
    strips = len(arrays.get(channels_array(method), [0]))
    return curve_height(arrays), STRIP * strips, BAND


def draw_method(figure: Figure, place: SubplotSpec, arrays: Arrays, method: str, largest: float | None = None) -> None:
    """Draws the curve coloured by a map with its region shaded, the map as a strip, and as a line with its error.

    Where channels were explained apart, each has the colours and the strip of its own map, and the line is their sum.

    Args:
        figure: Where to.
        place: Where in the figure.
        arrays: As of `overpaint.report.plots.overview.overview_figure`.
        method: The method.
        largest: The value of full colour, and of the end of the line's axis, for maps on one scale; None: the greatest
            of this map.
    """
    heights, saliency_map = heights_of(arrays), arrays[map_artifact(method)]
    maps = arrays.get(channels_array(method), saliency_map[None])
    cells = place.subgridspec(3, 1, height_ratios=panel_heights(arrays, method), hspace=0.02)
    upper = figure.add_subplot(cells[0])
    strip, lower = (figure.add_subplot(cells[i], sharex=upper) for i in (1, 2))
    draw_coloured_curve(upper, heights.of(arrays["image"]), maps, largest)
    region = arrays.get(region_array(method), arrays["region"])
    shade_region(upper, region)
    heights.label(upper)
    upper.set_title(f"{short(method)} · salient region {region.mean():.0%}", fontsize=9)
    draw_strip(strip, maps, largest)
    draw_error_band(lower, saliency_map, arrays.get(error_array(method)))
    lower.set_ylabel("map" if len(maps) == 1 else "their sum", fontsize=8)
    lower.set_xlim(-0.5, len(saliency_map) - 0.5)
    if largest is not None:
        lower.set_ylim(-1.05 * largest, 1.05 * largest)
    for axes in (upper, lower):
        despine_axes(axes)
        axes.tick_params(labelsize=7)
    for axes in (upper, strip):
        axes.tick_params(labelbottom=False, bottom=False)


def draw_series(axes: Axes, arrays: Arrays, said: str, letters: int = 75) -> CurveHeights:
    """Prepares axes for a series: its units, its length, its region shaded, a title of so many letters a line."""
    heights = heights_of(arrays)
    shade_region(axes, arrays["region"])
    heights.label(axes)
    despine_axes(axes)
    axes.tick_params(labelsize=7)
    axes.set_xlim(-0.5, arrays["image"].shape[-1] - 0.5)
    axes.set_title(wrapped(said, letters), fontsize=9)
    return heights


def draw_accepted(axes: Axes, arrays: Arrays, variants: Arrays, said: str, letters: int = 75) -> None:
    """Draws the accepted variants over each other inside the region, with their envelope, and the series."""
    shown = variants["accepted"] & ~variants["duplicate"]
    heights = draw_series(axes, arrays, said, letters)
    painted = heights.of(variants["images"][shown])
    if len(painted):
        draw_envelope(axes, painted, arrays["region"], COLOURS[0])
        draw_variants(axes, painted, arrays["region"], [COLOURS[0]] * len(painted))
    draw_curve(axes, heights.of(arrays["image"]), color="black", linewidth=1.1)


def draw_flipped(
    axes: Axes, arrays: Arrays, variants: Arrays, class_names: Sequence[str], said: str, letters: int = 75
) -> None:
    """Draws the flipped variants inside the region, coloured by the class that they are taken for, and the series."""
    shown = ~variants["accepted"] & ~variants["duplicate"]
    heights = draw_series(axes, arrays, said, letters)
    answers = variants["predictions"][shown]
    classes = [int(answer) for answer in np.unique(answers)]
    colour_of = {answer: COLOURS[(1 + place) % len(COLOURS)] for place, answer in enumerate(classes)}
    colours = [colour_of[int(answer)] for answer in answers]
    draw_variants(axes, heights.of(variants["images"][shown]), arrays["region"], colours)
    draw_curve(axes, heights.of(arrays["image"]), color="black", linewidth=1.1)
    signs = [Line2D([], [], color=colour_of[answer], label=short(class_names[answer])) for answer in classes]
    if signs:
        axes.legend(handles=signs[: len(COLOURS)], fontsize=7, frameon=False, loc="best")


def draw_change(axes: Axes, change: NDArray[np.floating[Any]]) -> None:
    """Draws a change as curves around 0, a channel's after another's colour.

    Args:
        axes: Where to.
        change: Channel x length, or the mean over the channels.
    """
    axes.axhline(0, color="#999999", linewidth=0.6)
    for channel, values in enumerate(np.atleast_2d(change)):
        axes.plot(values, color=COLOURS[channel % len(COLOURS)], linewidth=0.9)
