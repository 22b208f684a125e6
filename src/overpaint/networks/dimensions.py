"""The layers of networks for series and for images: one table says which are for how many spatial dimensions."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from overpaint.core.errors import OverpaintError
from overpaint.core.sizes import format_size
from overpaint.core.types import Images


class Layers(NamedTuple):
    """The classes of the layers for a number of spatial dimensions."""

    convolution: type[nn.Conv1d] | type[nn.Conv2d]
    transposed: type[nn.ConvTranspose1d] | type[nn.ConvTranspose2d]
    normalisation: type[nn.BatchNorm1d] | type[nn.BatchNorm2d]


LAYERS = {
    1: Layers(nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d),
    2: Layers(nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d),
}

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
"""All of them, for what is done to any."""


def layers_for(size: Sequence[int]) -> Layers:
    """Returns the layers of a network for inputs of a size.

    Args:
        size: The size along each spatial dimension.

    Raises:
        OverpaintError: If there are more than two dimensions, or none.
    """
    if len(size) not in LAYERS:
        raise OverpaintError(
            f"image_size={format_size(size)} has {len(size)} dimensions; there are networks for series, which have a "
            "length, and for images, which have a height and a width"
        )
    return LAYERS[len(size)]


def channels_last(images: Images) -> Images:
    """Returns images with their channels last in memory, in which convolutions are faster; series as they are."""
    return images.contiguous(memory_format=torch.channels_last if images.ndim == 4 else torch.contiguous_format)
