"""Sizes along spatial dimensions: resizing of series and images, and sizes in settings and messages."""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from overpaint.core.errors import OverpaintError


def resize(values: Float[Tensor, "batch channel *space"], size: Sequence[int]) -> Float[Tensor, "batch channel *size"]:
    """Resizes series or images by linear interpolation with antialiasing, each axis on its own.

    Where an axis shrinks, the triangular kernel is as wide as that of a new pixel, as in Pillow; where it grows, this
    is plain linear interpolation with the corners' outer edges aligned.

    Args:
        values: Series ``(batch, channel, length)`` or images ``(batch, channel, height, width)``.
        size: The new size along each spatial dimension.

    Returns:
        ``values`` themselves where they have the size already, whatever their number of dimensions.

    Raises:
        OverpaintError: If they are neither series nor images, or ``size`` has another number of dimensions.
    """
    own, new = tuple(values.shape[2:]), tuple(size)
    if own == new:
        return values
    if len(own) != len(new) or len(new) not in (1, 2):
        raise OverpaintError(
            f"inputs of size {format_size(own)} can't be resized to {format_size(new)}: series (one spatial dimension) "
            "are resized to a length, images (two) to a height and a width, and nothing else is"
        )
    if len(new) == 1:  # torch has antialiasing for images alone
        flat = F.interpolate(values[:, :, None], (1, *new), mode="bilinear", antialias=True)
        return flat[:, :, 0]
    return F.interpolate(values, new, mode="bilinear", antialias=True)


def as_size(given: int | Sequence[int], dimensions: int | None = 2, name: str = "image_size") -> tuple[int, ...]:
    """Returns the size along each spatial dimension that a setting says.

    Args:
        given: One number for every dimension (the side of a square), or one for each.
        dimensions: How many there are; None: as many as are given, two for a single number.
        name: The setting's name, for errors.

    Raises:
        OverpaintError: If there are fewer or more numbers, or one is below 1.
    """
    size = tuple(given) if isinstance(given, Sequence) else (given,) * (dimensions or 2)
    if not size or len(size) != (dimensions or len(size)):
        raise OverpaintError(f"{name}={list(size)} must be one number, or {dimensions or 2} of them")
    if min(size) < 1:
        raise OverpaintError(f"{name}={plain_size(size)} must be at least 1")
    return size


def plain_size(size: Sequence[int]) -> int | list[int]:
    """Returns a size as settings and checkpoints have it: one number where all are alike, else the list."""
    return size[0] if len(size) > 1 and len(set(size)) == 1 else list(size)


def format_size(size: Sequence[int | None]) -> str:
    """Returns a size as it is written in a message, such as ``96x160``; a side that is free is ``any``."""
    return "x".join("any" if side is None else str(side) for side in size)
