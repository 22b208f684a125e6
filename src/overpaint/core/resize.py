"""Resizing of series and images."""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.sizes import format_size


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
