"""Segmentations of an image, by SLIC or a grid, and of a series, by a grid or change points."""

import math
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from skimage.segmentation import slic
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.perturbation.change_points import change_points

SMALLEST = 4
"""Pixels of a segment along each axis at least, on average: on small images there are fewer segments."""

Segments = Int[Tensor, "*space"]


SegmentKind = Literal["auto", "slic", "grid", "change_points"]
"""How an input is cut; ``auto``: images by ``slic``, all else by ``grid``."""


def segments_of(image: Float[Tensor, "channel *space"], kind: SegmentKind, count: int) -> Segments:
    """Cuts an image into about ``count`` segments, fewer where they would be under 4 pixels wide.

    Args:
        image: The image.
        kind: ``slic``: pixels that are near in place and colour (Achanta et al., 2012; compactness 10 in Lab, grey
            as RGB; images of other channels by their values from 0 to 100, the range of Lab's lightness); ``grid``:
            equal boxes; ``change_points``, for series: stretches of nearly constant value, see `change_points`.
        count: Segments.

    Returns:
        The segment of each pixel, counted from 0, on the image's device.

    Raises:
        OverpaintError: If what is no image is to be cut by SLIC, or what is no series at change points.
    """
    size = image.shape[1:]
    fitting = max(1, min(count, math.prod(size) // SMALLEST ** len(size)))
    if kind == "auto":
        kind = "slic" if len(size) == 2 else "grid"
    if kind == "grid":
        return _grid(size, fitting).to(image.device)
    if kind == "change_points":
        return _between_change_points(image, fitting).to(image.device)
    if len(size) != 2:
        raise OverpaintError(
            f"segments=slic is for images of two dimensions, not {tuple(image.shape)}; take segments=grid"
        )
    is_colour = len(image) in (1, 3)
    bands = image.expand(3, *size) if is_colour else 100 * image
    values = bands.movedim(0, -1).double().cpu().numpy()
    labels = slic(values, n_segments=fitting, compactness=10, start_label=0, channel_axis=-1, convert2lab=is_colour)
    _, dense = np.unique(labels, return_inverse=True)
    return torch.from_numpy(dense.reshape(size)).to(image.device)


def _between_change_points(series: Float[Tensor, "channel *space"], count: int) -> Segments:
    if series.ndim != 2:
        raise OverpaintError(f"segments=change_points is for series, not {tuple(series.shape)}; take slic or grid")
    starts = torch.zeros(series.shape[1], dtype=torch.long)
    starts[change_points(series.double().cpu().numpy(), count, SMALLEST)] = 1
    return starts.cumsum(0)


def _grid(size: tuple[int, ...], count: int) -> Segments:
    """Cuts each axis into as many parts of nearly equal length."""
    segments = torch.zeros(1, dtype=torch.long)
    for length in size:
        parts = max(1, min(round(count ** (1 / len(size))), length))
        place = torch.arange(length) * parts // length
        segments = segments[..., None] * parts + place
    return segments[0]
