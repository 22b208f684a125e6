"""The sizes of a DCGAN's layers: from the smallest feature map to the image or series, each twice the one before."""

import math
from collections.abc import Sequence
from itertools import product

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.sizes import plain_size
from overpaint.core.value_range import is_series
from overpaint.networks.dimensions import layers_for

LEAST_START, GREATEST_START, LEAST_DOUBLINGS = 4, 16, 2
"""Between which the sides of the smallest feature map lie, and how often it is doubled at least."""


SERIES_START = 8
"""Least length of the smallest feature map of a series that is long enough."""

SERIES_SHARE = 2
"""The layers of a series have the base's channels divided by this: a step of it says less than a pixel's neighbourhood,
and on the bundled series half the channels give better samples than all of them, in less time."""

SERIES_WIDEST = 8
"""How many times the narrowest layer's channels a layer for series has at most: long series have many layers."""


def start_and_doublings(size: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Returns the size of the smallest feature map, and how often it is doubled to give the image or series.

    That of an image is doubled as often as possible: 32, 64 and 128 pixels start from 4, 224 from 7, 96x160 from 6x10.
    That of a series starts from 8 to 15, of a short one from less: 128 steps from 8, 140 from 9, which gives 144, of
    which 2 at each end are cut off, see `fitted`.

    Args:
        size: Height and width of the image, or the series' length, which can be any.

    Raises:
        OverpaintError: If there is no network of that size: each side of an image must be 4 to 16 times the same power
            of two.
    """
    layers_for(size)
    return _of_series(size[0]) if is_series(size) else _of_image(size)


def _of_series(length: int) -> tuple[tuple[int], int]:
    doublings = max(LEAST_DOUBLINGS, (length // SERIES_START).bit_length() - 1)
    return (-(-length // 2**doublings),), doublings


def _of_image(size: Sequence[int]) -> tuple[tuple[int, int], int]:
    doublings = 0
    while all(side % 2 ** (doublings + 1) == 0 and side >= LEAST_START * 2 ** (doublings + 1) for side in size):
        doublings += 1
    height, width = (side // 2**doublings for side in size)
    if doublings < LEAST_DOUBLINGS or max(height, width) > GREATEST_START:
        raise OverpaintError(
            f"image_size={plain_size(size)} is not a size of this DCGAN, whose sides are {LEAST_START} to "
            f"{GREATEST_START} times the same power of two, at least {2**LEAST_DOUBLINGS}; near are "
            f"{' and '.join(str(plain_size(near)) for near in _sizes_near(size))}"
        )
    return (height, width), doublings


def _sizes_near(size: Sequence[int]) -> list[tuple[int, ...]]:
    """Returns the two possible sizes to which ``size`` is stretched least and most evenly, the smaller one first."""
    possible: set[tuple[int, ...]] = set()
    for step in (2**power for power in range(LEAST_DOUBLINGS, max(3, max(size).bit_length()))):
        low, high = LEAST_START * step, GREATEST_START * step
        sides = [{min(max(side // step * step + more, low), high) for more in (0, step)} for side in size]
        possible |= set(product(*sides))

    def stretch(near: tuple[int, ...]) -> float:
        ratios = [math.log(new / old) for new, old in zip(near, size, strict=True)]
        return sum(map(abs, ratios)) + max(ratios) - min(ratios)

    return sorted(sorted(possible, key=lambda near: (stretch(near), near))[:2])


def widths(size: Sequence[int], base_channels: int) -> list[int]:
    """Returns the channels of each layer between the image or series and the smallest feature map.

    Each has twice as many as the one before. Those of series have the base's divided by `SERIES_SHARE`, and at most
    `SERIES_WIDEST` times as many as their first.

    Args:
        size: The size along each spatial dimension.
        base_channels: Channels of the layer next to the image or series.
    """
    _, doublings = start_and_doublings(size)
    if is_series(size):
        return [max(1, base_channels // SERIES_SHARE) * min(2**depth, SERIES_WIDEST) for depth in range(doublings)]
    return [base_channels * 2**depth for depth in range(doublings)]


def drawn_size(size: Sequence[int]) -> tuple[int, ...]:
    """Returns the size that the doublings lead to: an image's own, a series' own or a little more."""
    start, doublings = start_and_doublings(size)
    return tuple(side * 2**doublings for side in start)


def fitted(values: Float[Tensor, "batch channel *space"], size: Sequence[int]) -> Float[Tensor, "batch channel *size"]:
    """Pads with zeros or cuts off as much at each end of each dimension, one more at the last, until a size is reached.

    Args:
        values: Images, series or feature maps.
        size: The size.

    Returns:
        ``values`` themselves where they have the size already.
    """
    if tuple(values.shape[2:]) == tuple(size):
        return values
    missing = [new - old for new, old in zip(size, values.shape[2:], strict=True)]
    ends = [end for more in reversed(missing) for end in (int(more / 2), more - int(more / 2))]
    return F.pad(values, ends)
