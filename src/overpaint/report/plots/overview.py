"""The overview of an explained image: image, maps, standard errors, region, accepted and flipped variants."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, SubplotSpec
from numpy.typing import NDArray

from overpaint.core.value_range import is_series
from overpaint.pipeline.artifacts import error_array, map_artifact
from overpaint.report.plots.images import (
    REGION_COLOUR,
    draw_colour_bar,
    show_as_picture,
    to_picture,
)
from overpaint.report.plots.letters import fit_letters
from overpaint.report.plots.series_overview import series_overview
from overpaint.report.plots.style import short, wrapped
from overpaint.report.plots.variant_kinds import KINDS, ShownVariant, accepted_kinds, flipped_by_class

COLUMNS = 8
"""Pictures and maps side by side; more methods take further lines."""

INCHES = 2.1
"""Width of a picture or map; a variant is narrower, and has two short lines above it."""

STEEPEST = 3.0
"""Height over width up to which the rows grow with the image; taller images are drawn smaller."""

Arrays = Mapping[str, NDArray[Any]]


class _Cell(Enum):
    """A picture that is no method's map."""

    IMAGE = "image"
    REGION = "region"


def overview_figure(
    arrays: Arrays,
    methods: Sequence[str],
    title: str,
    variants: Arrays | None,
    class_names: Sequence[str],
    target: str,
) -> Figure:
    """Draws an explained image: image, maps, standard errors, region, accepted and flipped variants.

    A series is drawn by `series_overview`.

    Args:
        arrays: The image, its region, the map of each method and the standard errors of those that have them, as they
            are written.
        methods: The methods' names.
        title: What stands above.
        variants: ``images``, ``accepted``, ``duplicate``, ``confidences`` and ``predictions``; None leaves them out.
        class_names: The classifier's.
        target: The explained class.

    Returns:
        The figure.
    """
    if is_series(arrays["image"].shape[1:]):
        counts = ("", "") if variants is None else variant_counts(variants, class_names, target)
        return series_overview(arrays, methods, title, variants, class_names, counts)
    cells: list[_Cell | str] = [_Cell.IMAGE, *methods, _Cell.REGION]
    lines = [cells[i : i + COLUMNS] for i in range(0, len(cells), COLUMNS)]
    strips = list(_variant_strips(arrays, variants, class_names, target)) if variants is not None else []
    columns = min(COLUMNS, len(cells))
    height, width = arrays["image"].shape[-2:]
    aspect = min(height / width, STEEPEST)
    heights = []
    for line in lines:
        heights += [0.45 + 1.75 * aspect] * (1 + _has_errors(line, arrays))  # 0.45 inches for the title
    for strip in strips:
        heights += [0.3, 0.45 + INCHES * columns / KINDS * aspect] if strip.shown else [0.3]
    figure = Figure(figsize=(INCHES * columns, sum(heights) + 0.4), dpi=110, layout="constrained")
    figure.suptitle(wrapped(title, 20 * columns), fontsize=10)
    grid = GridSpec(len(heights), columns, figure=figure, height_ratios=heights)
    row = 0
    for line in lines:
        _draw_line(figure, grid, row, line, arrays)
        row += 1 + _has_errors(line, arrays)
    for strip in strips:
        said = figure.add_subplot(grid[row, :])
        said.axis("off")
        said.text(0.5, 0, strip.title, ha="center", va="bottom", fontsize=9)
        row += 1
        if strip.shown:
            _draw_variants(figure, grid[row, :], strip, arrays)
            row += 1
    fit_letters(figure)
    return figure


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
    """Variants side by side, and what is said of them."""

    title: str
    shown: list[ShownVariant]
    images: NDArray[np.floating[Any]]


def _variant_strips(arrays: Arrays, variants: Arrays, class_names: Sequence[str], target: str) -> Iterator[_Strip]:
    """Yields one accepted variant of each kind, the most different first, then flipped ones of each class."""
    accepted, flipped = variant_counts(variants, class_names, target)
    kinds = accepted_kinds(arrays["image"], arrays["region"], variants, class_names)
    more = f": {_counted(len(kinds), 'kind')}, the most different from the image first" if kinds else ""
    yield _Strip(f"{accepted}{more}", kinds, variants["images"])
    yield _Strip(flipped, flipped_by_class(variants, _answers(class_names, target)), variants["images"])


def variant_counts(variants: Arrays, class_names: Sequence[str], target: str) -> tuple[str, str]:
    """Says how many of the different variants are accepted, and how many flipped, as which classes."""
    counted = ~variants["duplicate"]
    accepted, flipped = variants["accepted"] & counted, ~variants["accepted"] & counted
    of, names = f"of {counted.sum()} different variants", _answers(class_names, target)
    answers = Counter(names[i] for i in variants["predictions"][flipped])
    named = ", ".join(f"{count} as {short(name, 60)}" for name, count in answers.most_common(5))
    return f"accepted: {accepted.sum()} {of}", f"flipped: {flipped.sum()} {of}{named and f' ({named})'}"


def _answers(class_names: Sequence[str], target: str) -> list[str]:
    """Returns what flipped variants are called.

    A class that is a question of its own can be lost while its score is still the highest.
    """
    return [f"not {name}" if name == target else name for name in class_names]


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _draw_variants(figure: Figure, place: SubplotSpec, strip: _Strip, arrays: Arrays) -> None:
    """Draws variants side by side: the answer, its share of the different variants, the explained class's score."""
    cells = place.subgridspec(1, KINDS)
    for column, shown in enumerate(strip.shown):
        axes = figure.add_subplot(cells[column])
        axes.imshow(to_picture(strip.images[shown.index]))
        show_as_picture(axes, f"{short(shown.answer, 14)}\n{shown.share:.0%} · {shown.score:.2f}")
        region = arrays["region"]
        if region.any() and not region.all():
            axes.contour(region, levels=[0.5], colors=[REGION_COLOUR], linewidths=0.6)
