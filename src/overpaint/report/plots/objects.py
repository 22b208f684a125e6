"""Draws the annotated objects of an image, and the point at which a saliency map points."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from overpaint.report.plots.images import REGION_COLOUR, to_picture
from overpaint.report.plots.series import CurveHeights, draw_curve, draw_error_band, shade_region
from overpaint.report.plots.style import COLOURS, chart, despine_axes, encode, wrapped

OBJECT_COLOUR = COLOURS[5]
POINT_COLOUR = COLOURS[3]

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a box in pixels; a pixel's left side has its index as coordinate."""


def intersection_over_union(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Returns the share of two regions' union that is in both; NaN where both are empty."""
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else float("nan")


def boxes_picture(
    image: NDArray[np.floating[Any]],
    saliency_map: NDArray[np.floating[Any]],
    objects: NDArray[np.bool_],
    region: NDArray[np.bool_],
    title: str,
    boxes: Sequence[Box] = (),
    scale: NDArray[np.floating[Any]] | None = None,
) -> bytes:
    """Draws the image and the map, with the objects' outline, the salient region's and the most salient point.

    Args:
        image: Channel x height x width, in ``[0, 1]``; or a scaled series, channel x length.
        saliency_map: Height x width, or length.
        objects: True where an object of the explained class is.
        region: True where the map is salient.
        title: What stands above; the intersection over union of ``region`` and ``objects`` is added.
        boxes: The objects' boxes; they are drawn in place of the outline of ``objects``.
        scale: Of a series, see `CurveHeights`.

    Returns:
        A PNG file's content.
    """
    overlap = intersection_over_union(region, objects)
    said = f"IoU {overlap:.2f}" if np.isfinite(overlap) else "no object and no region"
    if saliency_map.ndim == 1:
        return annotated_curve(image, saliency_map, objects, region, f"{title} · {said}", scale)
    height, width = saliency_map.shape
    figure = chart(min(12.0, 3.0 * height / width + 0.8), width=6.0)
    figure.suptitle(wrapped(f"{title} · {said}", 75), fontsize=9)
    left, right = figure.subplots(1, 2)
    left.imshow(to_picture(image), extent=(0, width, height, 0))
    finite = np.isfinite(saliency_map)
    largest = float(np.abs(saliency_map[finite]).max(initial=0)) or 1.0
    right.imshow(saliency_map, cmap="RdBu_r", vmin=-largest, vmax=largest, extent=(0, width, height, 0))
    for axes in (left, right):
        if boxes:
            for x0, y0, x1, y1 in boxes:
                frame = Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=OBJECT_COLOUR, linewidth=2)
                axes.add_patch(frame)
        else:
            _outline(axes, objects, OBJECT_COLOUR)
        _outline(axes, region, REGION_COLOUR)
        if finite.all() and np.ptp(saliency_map) > 0:
            y, x = np.unravel_index(int(saliency_map.argmax()), saliency_map.shape)
            axes.plot(x + 0.5, y + 0.5, "P", color=POINT_COLOUR, markeredgecolor="black", markersize=10, clip_on=False)
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.set_xticks([])
        axes.set_yticks([])
    signs = [
        Line2D([], [], color=OBJECT_COLOUR, linewidth=2, label="annotated object"),
        Line2D([], [], color=REGION_COLOUR, linewidth=2, label="salient region"),
        Line2D([], [], color=POINT_COLOUR, marker="P", markeredgecolor="black", linewidth=0, label="most salient"),
    ]
    figure.legend(handles=signs, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return encode(figure, colours=None)


def annotated_curve(
    image: NDArray[np.floating[Any]],
    saliency_map: NDArray[np.floating[Any]],
    objects: NDArray[np.bool_],
    region: NDArray[np.bool_],
    title: str,
    scale: NDArray[np.floating[Any]] | None = None,
) -> bytes:
    """Draws a series and its map, with the annotated stretches, the salient region and the most salient step."""
    figure = chart(3.6)
    figure.suptitle(wrapped(title, 110), fontsize=9)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    heights = CurveHeights(len(image), scale)
    draw_curve(upper, heights.of(image))
    heights.label(upper)
    draw_error_band(lower, saliency_map, None)
    lower.set_ylabel("map", fontsize=8)
    for axes in (upper, lower):
        shade_region(axes, objects, OBJECT_COLOUR, "annotated stretch")
        shade_region(axes, region, label="salient region")
        if np.isfinite(saliency_map).all() and np.ptp(saliency_map) > 0:
            axes.axvline(int(saliency_map.argmax()), color=POINT_COLOUR, linewidth=1.2, label="most salient")
        despine_axes(axes)
    lower.set_xlim(-0.5, len(saliency_map) - 0.5)
    figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return encode(figure)


def _outline(axes: Axes, region: NDArray[np.bool_], colour: str) -> None:
    """Draws a region's outline along the sides of its pixels, over a dark one that shows on any image."""
    sides = np.pad(region, 1).astype(np.int8)
    rows, columns = np.nonzero(np.diff(sides, axis=0)[:, 1:-1])
    segments = [((column, row), (column + 1, row)) for row, column in zip(rows, columns, strict=True)]
    rows, columns = np.nonzero(np.diff(sides, axis=1)[1:-1])
    segments += [((column, row), (column, row + 1)) for row, column in zip(rows, columns, strict=True)]
    for line_colour, line_width in (("black", 3.0), (colour, 1.6)):
        axes.add_collection(LineCollection(segments, colors=line_colour, linewidths=line_width, capstyle="projecting"))
