"""Draws the overview of an explained image, and grids of pictures."""

import io
from collections import Counter
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
"""Height x width x 3, 0 to 255."""

PAIRS = 6
"""How many samples stand in a row beside their training images."""

SHOWN = 16
"""How many accepted, and how many flipped variants are shown."""

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
    columns = len(methods) + 2
    figure = Figure(figsize=(2.1 * columns, 8.4 if variants is not None else 4.4), dpi=110, layout="constrained")
    grid = GridSpec(4 if variants is not None else 2, columns, figure=figure)
    figure.suptitle(title, fontsize=10)
    picture = to_picture(arrays["image"])
    axes = figure.add_subplot(grid[0, 0])
    axes.imshow(picture)
    _show(axes, "image")
    for column, name in enumerate(methods, start=1):
        _show_map(figure, figure.add_subplot(grid[0, column]), arrays[f"map_{name}"], name, "RdBu_r")
        axes = figure.add_subplot(grid[1, column])
        if f"error_{name}" in arrays:
            _show_map(figure, axes, arrays[f"error_{name}"], "standard error", "Greys")
        else:
            axes.axis("off")
            axes.text(0.5, 0.5, "nothing random:\nno standard error", ha="center", va="center", fontsize=7)
    axes = figure.add_subplot(grid[0, columns - 1])
    axes.imshow(picture)
    if arrays["region"].any() and not arrays["region"].all():
        axes.contour(arrays["region"], levels=[0.5], colors=[REGION_COLOUR], linewidths=1.5)
    _show(axes, f"salient region ({arrays['region'].mean():.0%})")
    if variants is not None:
        counted = ~variants["duplicate"]
        for row, (word, chosen) in enumerate(
            (("accepted", variants["accepted"] & counted), ("flipped", ~variants["accepted"] & counted)), start=2
        ):
            best = np.flatnonzero(chosen)[np.argsort(-variants["confidences"][chosen], kind="stable")]
            axes = figure.add_subplot(grid[row, :])
            axes.imshow(picture_grid(variants["images"][best[:SHOWN]]))
            answers = Counter(class_names[i] for i in variants["predictions"][chosen])
            named = ", ".join(f"{count} as {name}" for name, count in answers.most_common(5))
            _show(axes, f"{word}: {chosen.sum()} of {counted.sum()} different variants{named and f' ({named})'}")
            if not chosen.any():
                axes.axis("off")
    return _as_png(figure)


def _as_png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
