"""Draws the overview of an explained image, and grids of pictures."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from numpy.typing import NDArray
from PIL import Image

from overpaint.report.plots.style import plain

Picture = NDArray[np.uint8]
"""Height x width x 3, 0 to 255."""

PAIRS = 6
"""How many samples stand in a row beside their training images."""

SHOWN = 16
"""How many accepted, and how many flipped variants are shown."""

IMAGE, REGION = "image", "salient region"

COLUMNS = 8
"""ImageBatch and maps side by side; more methods take further lines."""

REGION_COLOUR = "#ffb000"
"""Amber from IBM's colour-blind safe palette."""


def to_picture(image: NDArray[np.floating[Any]]) -> Picture:
    """Turns channel x height x width in ``[0, 1]`` into a picture; grey becomes three equal channels."""
    bytes_ = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return np.repeat(bytes_, 3, axis=0).transpose(1, 2, 0) if len(bytes_) == 1 else bytes_.transpose(1, 2, 0)


def enlarge(picture: Picture, least: int = 128) -> Picture:
    """Enlarges a small picture by a whole factor, pixels kept as squares."""
    factor = max(1, -(-least // max(picture.shape[:2])))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def picture_grid(images: NDArray[np.floating[Any]], columns: int = 8, gap: int = 2) -> Picture:
    """Lays pictures out in rows on white; no picture gives one white cell."""
    pictures = [to_picture(image) for image in images] or [np.full((8, 8, 3), 255, dtype=np.uint8)]
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    across = min(columns, len(pictures))
    grid = np.full((rows * (height + gap) - gap, across * (width + gap) - gap, 3), 255, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        grid[top : top + height, left : left + width] = picture
    return grid


def map_picture(saliency_map: NDArray[np.floating[Any]]) -> Picture:
    """Colours a signed map: red is for the class, blue against it, white 0; black is not finite."""
    largest = float(np.abs(saliency_map[np.isfinite(saliency_map)]).max(initial=0)) or 1.0
    colours = mpl.colormaps["RdBu_r"](0.5 + saliency_map / (2 * largest), bytes=True)[..., :3]
    return np.where(np.isfinite(saliency_map)[..., None], colours, 0).astype(np.uint8)


def outlined(picture: Picture, region: NDArray[np.bool_]) -> Picture:
    """Darkens a picture outside the region."""
    return np.where(region[..., None], picture, picture // 4).astype(np.uint8)


def png(picture: Picture) -> bytes:
    """Encodes a picture."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _show(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=8)
    axes.set_xticks([])
    axes.set_yticks([])


def _show_map(figure: Figure, axes: Axes, values: NDArray[np.floating[Any]], title: str, colours: str) -> None:
    finite = np.where(np.isfinite(values), values, 0)
    largest = float(np.abs(finite).max()) or 1.0
    low = -largest if colours == "RdBu_r" else 0
    shown = axes.imshow(values, cmap=colours, vmin=low, vmax=largest)
    _show(axes, title)
    bar = figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.03)
    bar.ax.tick_params(labelsize=6)


def neighbour_pairs(
    samples: NDArray[np.floating[Any]],
    neighbours: NDArray[np.floating[Any]],
    distances: NDArray[np.floating[Any]],
    title: str,
) -> bytes:
    """Draws samples, each beside its nearest training image, with their distance.

    Args:
        samples: Samples of a generator: in the upper half of the figure those with the smallest distances, in the
            lower half others, spread evenly over the distances.
        neighbours: The nearest training image of each.
        distances: Their distances.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    figure = Figure(figsize=(2 * PAIRS, 2 * -(-len(samples) // PAIRS) * 0.68 + 0.6), dpi=110, layout="constrained")
    figure.suptitle(title, fontsize=10)
    grid = GridSpec(-(-len(samples) // PAIRS), PAIRS, figure=figure)
    for index, pair in enumerate(zip(samples, neighbours, strict=True)):
        axes = figure.add_subplot(grid[index // PAIRS, index % PAIRS])
        axes.imshow(picture_grid(np.stack(pair), columns=2))
        _show(axes, f"{distances[index]:.3g}")
    return _as_png(figure)


def overview(
    arrays: Mapping[str, NDArray[Any]],
    methods: list[str],
    title: str,
    variants: Mapping[str, NDArray[Any]] | None,
    class_names: list[str],
) -> bytes:
    """Draws an explained image: image, maps, standard errors, region, accepted and flipped variants.

    Args:
        arrays: ``image``, ``region``, ``map_NAME`` of each method and ``error_NAME`` of those that have one.
        methods: The methods' names.
        title: What stands above.
        variants: ``images``, ``accepted``, ``duplicate``, ``confidences`` and ``predictions``; None leaves them out.
        class_names: The classifier's.

    Returns:
        A PNG file's content.
    """
    lines = [[IMAGE, *methods, REGION][i : i + COLUMNS] for i in range(0, len(methods) + 2, COLUMNS)]
    parts = list(_variant_parts(variants, class_names)) if variants is not None else []
    heights = []
    for line in lines:
        heights += [2.2] + ([2.2] if any(f"error_{name}" in arrays for name in line) else [])
    heights += [2.0 if len(part.pictures) else 0.3 for part in parts]
    columns = min(COLUMNS, len(methods) + 2)
    figure = Figure(figsize=(2.1 * columns, sum(heights) + 0.4), dpi=110, layout="constrained")
    figure.suptitle(plain(title), fontsize=10)
    grid = GridSpec(len(heights), columns, figure=figure, height_ratios=heights)
    row = 0
    for line in lines:
        row += _draw_line(figure, grid, row, line, arrays)
    for part in parts:
        axes = figure.add_subplot(grid[row, :])
        _show(axes, part.title)
        if len(part.pictures):
            axes.imshow(picture_grid(part.pictures))
        else:
            axes.axis("off")
        row += 1
    return _as_png(figure)


def _as_png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_line(figure: Figure, grid: GridSpec, row: int, line: list[str], arrays: Mapping[str, NDArray[Any]]) -> int:
    """Draws pictures and maps side by side, and below them the standard errors; returns how many rows it took."""
    with_errors = any(f"error_{name}" in arrays for name in line)
    for column, name in enumerate(line):
        axes = figure.add_subplot(grid[row, column])
        if name in (IMAGE, REGION):
            axes.imshow(to_picture(arrays["image"]))
            _show(axes, name)
            if name == REGION:
                _show(axes, f"salient region ({arrays['region'].mean():.0%})")
                if arrays["region"].any() and not arrays["region"].all():
                    axes.contour(arrays["region"], levels=[0.5], colors=[REGION_COLOUR], linewidths=1.5)
            continue
        _show_map(figure, axes, arrays[f"map_{name}"], name, "RdBu_r")
        if f"error_{name}" in arrays:
            below = figure.add_subplot(grid[row + 1, column])
            _show_map(figure, below, arrays[f"error_{name}"], "standard error", "Greys")
    return 2 if with_errors else 1


class _Part(NamedTuple):
    """A row of variants, and what is said of it."""

    title: str
    pictures: NDArray[np.floating[Any]]


def _variant_parts(variants: Mapping[str, NDArray[Any]], class_names: list[str]) -> Iterator[_Part]:
    counted = ~variants["duplicate"]
    for word, chosen in (("accepted", variants["accepted"] & counted), ("flipped", ~variants["accepted"] & counted)):
        best = np.flatnonzero(chosen)[np.argsort(-variants["confidences"][chosen], kind="stable")]
        answers = Counter(class_names[i] for i in variants["predictions"][chosen])
        named = ", ".join(f"{count} as {plain(name)}" for name, count in answers.most_common(5))
        title = f"{word}: {chosen.sum()} of {counted.sum()} different variants{named and f' ({named})'}"
        yield _Part(title, variants["images"][best[:SHOWN]])
