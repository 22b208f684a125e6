"""Charts of what lies beyond the acceptable variations: flips, the stability of latents, a class's patches."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from overpaint.metrics.bootstrap import Bootstrap
from overpaint.probes.filing import KINDS
from overpaint.probes.stability import TRANSFORMS
from overpaint.report.drawing import COLOURS, bare, chart, encode, plain, wrapped
from overpaint.report.figures import to_picture
from overpaint.report.probe_charts import Numbers

ROWS = (*KINDS, "pgd")
"""The rows of `flip_picture`, from top to bottom."""

COLUMNS = ("original", "accepted", "flipped", "difference")

PATCH = 16
"""Side of a patch in pixels."""

Arrays = Mapping[str, NDArray[Any]]


def flip_picture(arrays: Arrays, numbers: Numbers, title: str, class_names: Sequence[str] = ()) -> bytes:
    """Draws what `Flip` found for an image: accepted variants beside what flips next to them, and their difference.

    A row for the nearest boundary point of each kind, and one for PGD; kinds of which there is none are left out. All
    differences, means over the channels, share a scale: red is brighter than the accepted variant, blue darker.

    Args:
        arrays: The probe's arrays.
        numbers: Its numbers.
        title: What stands above.
        class_names: The classifier's; without them classes are numbered.

    Returns:
        A PNG file's content.
    """
    rows = [kind for kind in ROWS if f"flipped_{kind}" in arrays]
    figure = chart(0.9 + 1.75 * max(1, len(rows)), 7.6)
    figure.suptitle(wrapped(f"{title}; {_said(numbers)}", 90), fontsize=9.5)
    changes = {kind: (arrays[f"flipped_{kind}"][0] - arrays[f"accepted_{kind}"][0]).mean(0) for kind in rows}
    largest = max([float(np.abs(change).max()) for change in changes.values()], default=0.0) or 1.0
    panels = figure.subplots(max(1, len(rows)), len(COLUMNS), squeeze=False)
    for line, kind in zip(panels, rows, strict=False):
        pictures = [arrays["image"], arrays[f"accepted_{kind}"][0], arrays[f"flipped_{kind}"][0]]
        for axes, picture in zip(line, pictures, strict=False):
            axes.imshow(to_picture(picture))
        shown = line[3].imshow(changes[kind], cmap="RdBu_r", vmin=-largest, vmax=largest)
        figure.colorbar(shown, ax=line[3], fraction=0.046, pad=0.03).ax.tick_params(labelsize=6)
        answer = int(arrays[f"predictions_{kind}"][0])
        said = plain(class_names[answer]) if class_names else f"class {answer}"
        line[0].set_ylabel(_row_label(kind, numbers), fontsize=8)
        line[2].set_xlabel(f"now: {said}", fontsize=8)
        line[3].set_xlabel(f"root mean square {_rms(arrays, kind):.3f}", fontsize=8)
    for axes in panels.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    for axes, name in zip(panels[0], COLUMNS, strict=True):
        axes.set_title(name, fontsize=8.5)
    if not rows:
        panels[0, 0].set_ylabel("nothing flips", fontsize=8)
    return encode(figure, None)


def _rms(arrays: Arrays, kind: str) -> float:
    """Returns the root-mean-square change over the pixels that change."""
    change = arrays[f"flipped_{kind}"][0] - arrays[f"accepted_{kind}"][0]
    moved = change[:, (change != 0).any(0)]
    return float(np.sqrt(np.square(moved).mean())) if moved.size else 0.0


def _row_label(kind: str, numbers: Numbers) -> str:
    count = numbers.get("flips_pgd" if kind == "pgd" else f"{kind}_boundary")
    total = numbers.get("flips_boundary")
    if kind == "pgd":
        return "PGD on pixels" if count is None else f"PGD on pixels\n{count:.0f}"
    name = {"unknown": "realistic,\noracle unknown", "natural": "natural\nadversarial"}.get(kind, kind)
    return name if count is None or total is None else f"{name}\n{count:.0f} of {total:.0f}"


def _said(numbers: Numbers) -> str:
    words = {"success_rate": "of the searched latents", "boundary_rate": "of the accepted", "pgd_rate": "by PGD"}
    known = [f"{numbers[name]:.0%} {word}" for name, word in words.items() if _known(numbers.get(name))]
    return f"flipped: {', '.join(known)}" if known else "nothing to flip"


def _known(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))


def stability_chart(rows: Sequence[Numbers], title: str) -> bytes:
    """Draws what `Stability` found: ratios of each transform, means with 95 % intervals over the images.

    Args:
        rows: The probe's numbers of each row.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    figure = chart(3.6, 7.6)
    axes = figure.add_subplot()
    bare(axes, "y")
    signs = {"latent": "latents", "picture": "what they paint", "best": "best latent"}
    highest = 1.0
    for i, (key, label) in enumerate(signs.items()):
        names = [f"{key}_ratio_{transform}" for transform in TRANSFORMS]
        values = [[np.nan if row.get(name) is None else row[name] for name in names] for row in rows]
        interval = Bootstrap().interval(np.array(values, dtype=np.float64).reshape(len(rows), len(names)))
        places = np.arange(len(TRANSFORMS)) + 0.27 * (i - 1)
        reach = np.nan_to_num(np.stack([interval.mean - interval.low, interval.high - interval.mean]))
        axes.bar(places, interval.mean, 0.25, color=COLOURS[i], label=label)
        axes.errorbar(places, interval.mean, reach, fmt="none", color="black", linewidth=1.2, capsize=3)
        highest = max(highest, float(np.nan_to_num(interval.mean + reach[1]).max()))
        for place in places[np.isnan(interval.mean)]:
            axes.text(place, 0.02, "not measured", fontsize=7, rotation=90, ha="center")
    axes.axhline(1, color="black", linewidth=1, linestyle="--", label="as far as unrelated images")
    axes.set_ylim(0, 1.08 * highest)
    axes.set_xticks(range(len(TRANSFORMS)), ["inversion (mirrored)" if t == "inversion" else t for t in TRANSFORMS])
    axes.set_ylabel("distance / that of unrelated images", fontsize=8)
    axes.set_title(wrapped(title, 95), fontsize=9.5)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return encode(figure, 64)


def region_patches(
    images: Float[np.ndarray, "variant channel height width"], region: NDArray[np.bool_]
) -> Float[np.ndarray, "patch channel 16 16"]:
    """Cuts the region's bounding box out of each variant and resizes it to `PATCH` pixels, each the mean of its place.

    The box is stretched to a square. An empty region gives no patch.
    """
    if not region.any():
        return np.empty((0, images.shape[1], PATCH, PATCH))
    for axis in (0, 1):
        where = np.flatnonzero(region.any(1 - axis))
        images = np.take(images, range(where[0], where[-1] + 1), axis=2 + axis)
        images = np.moveaxis(np.moveaxis(images, 2 + axis, -1) @ _means(images.shape[2 + axis]), -1, 2 + axis)
    return images


def _means(length: int) -> Float[np.ndarray, "length 16"]:
    """Returns the weights that turn ``length`` pixels into `PATCH` means over equal stretches."""
    edges = np.linspace(0, length, PATCH + 1)
    starts = np.arange(length)[:, None]
    overlap = np.clip(np.minimum(starts + 1, edges[1:]) - np.maximum(starts, edges[:-1]), 0, None)
    weights: Float[np.ndarray, "length 16"] = overlap / overlap.sum(0)
    return weights


def principal_coordinates(values: Float[np.ndarray, "row value"]) -> Float[np.ndarray, "row 2"]:
    """Returns each row's coordinates along the first two principal axes (PCA); 0 along an axis that is not there.

    An axis' sign, which is arbitrary, is chosen so that its largest weight is positive.
    """
    centred = values - values.mean(0) if len(values) else values
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    axes = axes[:2]
    if axes.size:
        signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
        axes = axes * np.where(signs == 0, 1, signs)[:, None]
    found = np.zeros((len(values), 2))
    found[:, : len(axes)] = centred @ axes.T
    return found


def without_overlap(places: Float[np.ndarray, "row 2"], apart: tuple[float, float]) -> list[int]:
    """Chooses rows, one after the other, that are ``apart`` in either coordinate from all that were chosen."""
    chosen: list[int] = []
    for i, place in enumerate(places):
        if all((np.abs(place - places[j]) >= apart).any() for j in chosen):
            chosen.append(i)
    return chosen


def patch_map(
    images: Sequence[Float[np.ndarray, "variant channel height width"]],
    regions: Sequence[NDArray[np.bool_]],
    accepted: Sequence[NDArray[np.bool_]],
    duplicate: Sequence[NDArray[np.bool_]],
    title: str,
) -> bytes:
    """Draws a class's patches on a map: what was painted into the regions of many images, like next to like.

    The variants' patches, see `region_patches`, lie at their coordinates by `principal_coordinates`, in a blue frame
    if the classifier accepted the variant, else in vermilion. Of those that would overlap the first is shown; images
    take turns.

    Args:
        images: The variants of each image of the class.
        regions: The region of each image.
        accepted: Which variants are accepted.
        duplicate: Which are near-duplicates; they are left out.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    pieces, kept, turns = [], [], []
    for variants, region, own, double in zip(images, regions, accepted, duplicate, strict=True):
        patches = region_patches(variants[~double], region)
        pieces.append(patches)
        kept.append(own[~double][: len(patches)])
        turns.append(np.arange(len(patches)))
    figure = chart(7.0, 7.6)
    axes = figure.add_subplot()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("first principal component", fontsize=8)
    axes.set_ylabel("second principal component", fontsize=8)
    patches = np.concatenate(pieces) if pieces else np.empty((0, 1, PATCH, PATCH))
    if not len(patches):
        axes.set_title(wrapped(f"{title}: no variants", 95), fontsize=9.5)
        return encode(figure, None)
    order = np.concatenate(turns).argsort(kind="stable")
    patches, states = patches[order], np.concatenate(kept)[order]
    shown = _draw_patches(axes, patches, states)
    rate = f"{states.mean():.0%} of {len(states)} variants of {len(images)} images accepted"
    axes.set_title(wrapped(f"{title}: {rate}; {shown} shown; blue: accepted, vermilion: flipped", 95), fontsize=9.5)
    return encode(figure, None)


def _draw_patches(
    axes: Axes, patches: Float[np.ndarray, "patch channel 16 16"], accepted: NDArray[np.bool_], side: float = 0.045
) -> int:
    """Draws patches, ``side`` of the map's side each, and returns how many found a place."""
    places = principal_coordinates(patches.reshape(len(patches), -1))
    spans = np.ptp(places, axis=0)
    places = (places - places.min(0)) / np.where(spans > 1e-12, spans, 1)
    chosen = without_overlap(places, (1.25 * side, 1.25 * side))
    for i in chosen:
        (x, y), half = places[i], side / 2
        axes.imshow(to_picture(patches[i]), extent=(x - half, x + half, y - half, y + half), zorder=2)
        colour = COLOURS[0] if accepted[i] else COLOURS[1]
        axes.add_patch(Rectangle((x - half, y - half), side, side, fill=False, edgecolor=colour, zorder=3))
    axes.set_xlim(-side, 1 + side)
    axes.set_ylim(-side, 1 + side)
    axes.set_aspect("equal")
    return len(chosen)
