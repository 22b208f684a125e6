"""The overview of an explained image: image, maps, standard errors, region, accepted and flipped variants."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from numpy.typing import NDArray

from overpaint.pipeline.artifacts import error_array, map_artifact
from overpaint.report.plots.images import (
    REGION_COLOUR,
    draw_colour_bar,
    figure_png,
    picture_grid,
    show_as_picture,
    to_picture,
)
from overpaint.report.plots.letters import fit_letters
from overpaint.report.plots.style import short, wrapped

SHOWN = 16
"""How many accepted, and how many flipped variants are shown."""

COLUMNS = 8
"""Pictures and maps side by side; more methods take further lines."""

STEEPEST = 3.0
"""Height over width up to which the rows grow with the image; taller images are drawn smaller."""

Arrays = Mapping[str, NDArray[Any]]


class _Cell(Enum):
    """A picture that is no method's map."""

    IMAGE = "image"
    REGION = "region"


def overview_figure(
    arrays: Arrays, methods: Sequence[str], title: str, variants: Arrays | None, class_names: Sequence[str]
) -> Figure:
    """Draws an explained image: image, maps, standard errors, region, accepted and flipped variants.

    Args:
        arrays: The image, its region, the map of each method and the standard errors of those that have them, as they
            are written.
        methods: The methods' names.
        title: What stands above.
        variants: ``images``, ``accepted``, ``duplicate``, ``confidences`` and ``predictions``; None leaves them out.
        class_names: The classifier's.

    Returns:
        The figure.
    """
    cells: list[_Cell | str] = [_Cell.IMAGE, *methods, _Cell.REGION]
    lines = [cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)]
    strips = list(_variant_strips(variants, class_names)) if variants is not None else []
    height, width = arrays["image"].shape[-2:]
    aspect = min(height / width, STEEPEST)
    heights = []
    for line in lines:
        heights += [0.45 + 1.75 * aspect] * (1 + _has_errors(line, arrays))  # 0.45 inches for the title
    heights += [0.3 + 1.7 * aspect if len(strip.pictures) else 0.3 for strip in strips]
    columns = min(COLUMNS, len(cells))
    figure = Figure(figsize=(2.1 * columns, sum(heights) + 0.4), dpi=110, layout="constrained")
    figure.suptitle(wrapped(title, 20 * columns), fontsize=10)
    grid = GridSpec(len(heights), columns, figure=figure, height_ratios=heights)
    row = 0
    for line in lines:
        _draw_line(figure, grid, row, line, arrays)
        row += 1 + _has_errors(line, arrays)
    for strip in strips:
        axes = figure.add_subplot(grid[row, :])
        show_as_picture(axes, strip.title)
        if len(strip.pictures):
            axes.imshow(picture_grid(strip.pictures))
        else:
            axes.axis("off")
        row += 1
    fit_letters(figure)
    return figure


def overview(
    arrays: Arrays, methods: Sequence[str], title: str, variants: Arrays | None, class_names: Sequence[str]
) -> bytes:
    """Returns `overview_figure` as the content of a PNG file."""
    return figure_png(overview_figure(arrays, methods, title, variants, class_names))


def _error_of(cell: _Cell | str, arrays: Arrays) -> NDArray[Any] | None:
    return None if isinstance(cell, _Cell) else arrays.get(error_array(cell))


def _has_errors(line: Sequence[_Cell | str], arrays: Arrays) -> bool:
    return any(_error_of(cell, arrays) is not None for cell in line)


def _draw_line(figure: Figure, grid: GridSpec, row: int, line: Sequence[_Cell | str], arrays: Arrays) -> None:
    """Draws pictures and maps side by side, and below the maps their standard errors."""
    for column, cell in enumerate(line):
        axes = figure.add_subplot(grid[row, column])
        if isinstance(cell, _Cell):
            _show_image(axes, cell, arrays)
            continue
        _show_map(axes, arrays[map_artifact(cell)], cell, signed=True)
        if (error := _error_of(cell, arrays)) is not None:
            below = figure.add_subplot(grid[row + 1, column])
            _show_map(below, error, "standard error", signed=False)


def _show_image(axes: Axes, cell: _Cell, arrays: Arrays) -> None:
    """Draws the image; as `_Cell.REGION` with the region's outline."""
    axes.imshow(to_picture(arrays["image"]))
    region = arrays["region"]
    show_as_picture(axes, "image" if cell is _Cell.IMAGE else f"salient region ({region.mean():.0%})")
    if cell is _Cell.REGION and region.any() and not region.all():
        axes.contour(region, levels=[0.5], colors=[REGION_COLOUR], linewidths=1.5)


def _show_map(axes: Axes, values: NDArray[np.floating[Any]], title: str, signed: bool) -> None:
    """Draws a map with its colour bar: around 0 where it is signed, else from 0."""
    finite = np.where(np.isfinite(values), values, 0)
    largest = float(np.abs(finite).max()) or 1.0
    colours, low = ("RdBu_r", -largest) if signed else ("Greys", 0)
    shown = axes.imshow(values, cmap=colours, vmin=low, vmax=largest)
    show_as_picture(axes, title)
    draw_colour_bar(axes, shown)


class _Strip(NamedTuple):
    """Variants in rows, and what is said of them."""

    title: str
    pictures: NDArray[np.floating[Any]]


def _variant_strips(variants: Arrays, class_names: Sequence[str]) -> Iterator[_Strip]:
    """Yields the accepted variants with the highest scores of the class, then the flipped ones."""
    counted = ~variants["duplicate"]
    for word, chosen in (("accepted", variants["accepted"] & counted), ("flipped", ~variants["accepted"] & counted)):
        best = np.flatnonzero(chosen)[np.argsort(-variants["confidences"][chosen], kind="stable")]
        answers = Counter(class_names[i] for i in variants["predictions"][chosen])
        named = ", ".join(f"{count} as {short(name, 60)}" for name, count in answers.most_common(5))
        title = f"{word}: {chosen.sum()} of {counted.sum()} different variants{named and f' ({named})'}"
        yield _Strip(title, variants["images"][best[:SHOWN]])
