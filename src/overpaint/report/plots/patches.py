"""Map of the patches painted for a class, by principal components."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import resize_local_mean

from overpaint.report.plots.images import to_picture
from overpaint.report.plots.style import COLOURS, chart, encode, wrapped

PATCH = {1: (64,), 2: (16, 16)}
"""The size of a patch by the dimensions of the input: a series' steps, an image's pixels."""

Patches = Float[np.ndarray, "patch channel *side"]


def region_patches(images: Float[np.ndarray, "variant channel *space"], region: NDArray[np.bool_]) -> Patches:
    """Cuts the region's bounding box out of each variant and resizes it to `PATCH`, each value the mean of its place.

    The box is stretched. An empty region gives no patch.
    """
    size = PATCH[region.ndim]
    if not region.any():
        return np.empty((0, images.shape[1], *size))
    box = images[:, :, *ndimage.find_objects(region.astype(int))[0]].astype(np.float64)
    patches: Patches = resize_local_mean(box, (*images.shape[:2], *size))
    return patches


def principal_coordinates(values: Float[np.ndarray, "row value"]) -> Float[np.ndarray, "row 2"]:
    """Returns each row's coordinates along the first two principal axes (PCA); 0 along an axis that is not there.

    An axis' sign, which is arbitrary, is sklearn's: the axis' largest weight is positive.
    """
    from sklearn.decomposition import PCA  # half a second, for runs with variants

    found = np.zeros((len(values), 2))
    if components := min(2, *values.shape):
        with np.errstate(divide="ignore", invalid="ignore"):  # the explained variance, where there is none
            found[:, :components] = PCA(components, svd_solver="full").fit_transform(values)
    return found


def without_overlap(places: Float[np.ndarray, "row 2"], apart: tuple[float, float]) -> list[int]:
    """Chooses rows, one after the other, that are ``apart`` in either coordinate from all that were chosen."""
    chosen: list[int] = []
    for i, place in enumerate(places):
        if (np.abs(place - places[chosen]) >= apart).any(1).all():
            chosen.append(i)
    return chosen


class ImagePatches(NamedTuple):
    """What was painted into the region of an image.

    Attributes:
        pictures: A patch for each variant that is no near-duplicate.
        accepted: True where the classifier accepts the variant.
    """

    pictures: Patches
    accepted: Bool[np.ndarray, " patch"]


def image_patches(
    images: Float[np.ndarray, "variant channel *space"],
    region: Bool[np.ndarray, "*space"],
    accepted: Bool[np.ndarray, " variant"],
    duplicate: Bool[np.ndarray, " variant"],
) -> ImagePatches:
    """Returns the patches of an image's variants, see `region_patches`; none where the region is empty."""
    pictures = region_patches(images[~duplicate], region)
    return ImagePatches(pictures, accepted[~duplicate][: len(pictures)])


def patch_map(patches: Sequence[ImagePatches], title: str) -> bytes:
    """Draws a class's patches on a map: what was painted into the regions of many images, like next to like.

    The patches lie at their coordinates by `principal_coordinates`, in a blue frame if the classifier accepted the
    variant, else in vermilion. Of those that would overlap the first is shown; images take turns.

    Args:
        patches: Those of each image of the class.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    figure = chart(7.0, 7.6)
    axes = figure.add_subplot()
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel("first principal component", fontsize=8)
    axes.set_ylabel("second principal component", fontsize=8)
    turns = [np.arange(len(own.pictures)) for own in patches]
    if not sum(map(len, turns)):
        axes.set_title(wrapped(f"{title}: no variants", 95), fontsize=9.5)
        return encode(figure, None)
    order = np.concatenate(turns).argsort(kind="stable")
    accepted = np.concatenate([own.accepted for own in patches])[order]
    shown = _draw_patches(axes, np.concatenate([own.pictures for own in patches])[order], accepted)
    rate = f"{accepted.mean():.0%} of {len(accepted)} variants of {len(patches)} examples accepted"
    axes.set_title(wrapped(f"{title}: {rate}; {shown} shown; blue: accepted, vermilion: flipped", 95), fontsize=9.5)
    return encode(figure, None)


def _draw_patches(axes: Axes, patches: Patches, accepted: NDArray[np.bool_], side: float = 0.045) -> int:
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
