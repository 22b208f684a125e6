"""The overview of an explained series: the curve under each map, and what may stand in its region."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from overpaint.pipeline.artifacts import SCALE, channels_array, error_array, map_artifact, region_array
from overpaint.report.plots.letters import fit_letters
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

WIDTH = 11.0
"""Inches."""

CURVE, STRIP, BAND = 1.5, 0.16, 0.6
"""Heights of a method's panels in inches: the coloured curve, the strip of its map, the map with its error."""

MORE, TALLEST = 0.35, 5.0
"""What each further channel adds to the curves' height, and the most that this can be."""

Arrays = Mapping[str, NDArray[Any]]


def heights_of(arrays: Arrays) -> CurveHeights:
    """Returns how the values of a row's series are drawn."""
    return CurveHeights(arrays["image"].shape[-2], arrays.get(SCALE))


def series_overview(
    arrays: Arrays,
    methods: Sequence[str],
    title: str,
    variants: Arrays | None,
    class_names: Sequence[str],
    said: tuple[str, str],
) -> Figure:
    """Draws an explained series.

    For each method: the curve in its units coloured by the map, with the region of that map shaded; the map as a strip;
    the map as a line with its standard error. Where channels were explained apart, each has the colours and the strip
    of its own map, and the line is their sum. Below, the different variants drawn over each other inside the region
    that was repainted: the accepted ones with their envelope, and the flipped ones coloured by the class that they are
    taken for.

    Args:
        arrays: As of `overpaint.report.plots.overview.overview_figure`, with the series as the image; ``scale`` are the
            values of each channel that are 0 and 1, where the units are known.
        methods: The methods' names.
        title: What stands above.
        variants: As there.
        class_names: The classifier's.
        said: What is said of the accepted, and of the flipped variants.

    Returns:
        The figure.
    """
    columns = min(2, len(methods))
    lines = -(-len(methods) // columns)
    each = sum(max(_panels(arrays, method)[i] for method in methods) for i in range(3)) + 0.55
    rows = [each] * lines + ([0.9 + _curve_height(arrays)] if variants is not None else [])
    figure = Figure(figsize=(WIDTH, sum(rows) + 0.5), dpi=110, layout="constrained")
    figure.suptitle(wrapped(title, 120), fontsize=10)
    grid = GridSpec(len(rows), 2, figure=figure, height_ratios=rows)
    for number, method in enumerate(methods):
        line, column = divmod(number, columns)
        place = grid[line, :] if columns == 1 else grid[line, column]
        _draw_method(figure, place, arrays, method)
    if variants is not None:
        left, right = figure.add_subplot(grid[-1, 0]), figure.add_subplot(grid[-1, 1])
        _draw_accepted(left, arrays, variants, said[0])
        _draw_flipped(right, arrays, variants, class_names, said[1])
    fit_letters(figure)
    return figure


def _curve_height(arrays: Arrays) -> float:
    return float(min(TALLEST, CURVE + MORE * (arrays["image"].shape[-2] - 1)))


def _panels(arrays: Arrays, method: str) -> tuple[float, float, float]:
    """Returns the heights of a method's panels."""
    strips = len(arrays.get(channels_array(method), [0]))
    return _curve_height(arrays), STRIP * strips, BAND


def _draw_method(figure: Figure, place: SubplotSpec, arrays: Arrays, method: str) -> None:
    heights, saliency_map = heights_of(arrays), arrays[map_artifact(method)]
    maps = arrays.get(channels_array(method), saliency_map[None])
    cells = place.subgridspec(3, 1, height_ratios=_panels(arrays, method), hspace=0.02)
    upper = figure.add_subplot(cells[0])
    strip, lower = (figure.add_subplot(cells[i], sharex=upper) for i in (1, 2))
    region = arrays.get(region_array(method), arrays["region"])
    draw_coloured_curve(upper, heights.of(arrays["image"]), maps)
    shade_region(upper, region)
    heights.label(upper)
    upper.set_title(f"{short(method)} · salient region {region.mean():.0%}", fontsize=9)
    draw_strip(strip, maps)
    draw_error_band(lower, saliency_map, arrays.get(error_array(method)))
    lower.set_ylabel("map" if len(maps) == 1 else "their sum", fontsize=8)
    lower.set_xlim(-0.5, len(saliency_map) - 0.5)
    for axes in (upper, lower):
        despine_axes(axes)
        axes.tick_params(labelsize=7)
    for axes in (upper, strip):
        axes.tick_params(labelbottom=False, bottom=False)


def _draw_accepted(axes: Axes, arrays: Arrays, variants: Arrays, said: str) -> None:
    shown = variants["accepted"] & ~variants["duplicate"]
    heights = _draw_series(axes, arrays, said)
    painted = heights.of(variants["images"][shown])
    if len(painted):
        draw_envelope(axes, painted, arrays["region"], COLOURS[0])
        draw_variants(axes, painted, arrays["region"], [COLOURS[0]] * len(painted))
    draw_curve(axes, heights.of(arrays["image"]), color="black", linewidth=1.1)


def _draw_flipped(axes: Axes, arrays: Arrays, variants: Arrays, class_names: Sequence[str], said: str) -> None:
    shown = ~variants["accepted"] & ~variants["duplicate"]
    heights = _draw_series(axes, arrays, said)
    answers = variants["predictions"][shown]
    classes = [int(answer) for answer in np.unique(answers)]
    colour_of = {answer: COLOURS[(1 + place) % len(COLOURS)] for place, answer in enumerate(classes)}
    colours = [colour_of[int(answer)] for answer in answers]
    draw_variants(axes, heights.of(variants["images"][shown]), arrays["region"], colours)
    draw_curve(axes, heights.of(arrays["image"]), color="black", linewidth=1.1)
    signs = [Line2D([], [], color=colour_of[answer], label=short(class_names[answer])) for answer in classes]
    if signs:
        axes.legend(handles=signs[: len(COLOURS)], fontsize=7, frameon=False, loc="best")


def _draw_series(axes: Axes, arrays: Arrays, said: str) -> CurveHeights:
    """Prepares axes for variants of a series."""
    heights = heights_of(arrays)
    shade_region(axes, arrays["region"])
    heights.label(axes)
    despine_axes(axes)
    axes.tick_params(labelsize=7)
    axes.set_xlim(-0.5, arrays["image"].shape[-1] - 0.5)
    axes.set_title(wrapped(said, 75), fontsize=9)
    return heights
