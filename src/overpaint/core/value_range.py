"""The values of inputs outside a network: images lie in ``[0, 1]``; series are scaled there, and may lie outside."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.types import Images, StoredInputs


def is_series(size: Sequence[int]) -> bool:
    """Returns whether inputs of this size along each spatial dimension are series: they have one dimension."""
    return len(size) == 1


@dataclass(frozen=True)
class Noun:
    """What inputs are called.

    Attributes:
        one: One of them.
        several: More than one, or none.
    """

    one: str
    several: str

    def counted(self, number: int) -> str:
        """Returns a number of them in words."""
        return f"{number} {self.one if number == 1 else self.several}"


IMAGES, SERIES = Noun("image", "images"), Noun("series", "series")


def noun_of(size: Sequence[int]) -> Noun:
    """Returns what inputs of a size are called."""
    return SERIES if is_series(size) else IMAGES


def within_range(values: Float[Tensor, "*axes"], dimensions: int) -> Float[Tensor, "*axes"]:
    """Returns images cut to ``[0, 1]``, and series as they are.

    Args:
        values: Images or series, or parts of them.
        dimensions: The spatial dimensions of what they belong to.
    """
    return values if dimensions == 1 else values.clamp(0, 1)


def to_stored(inputs: Images) -> StoredInputs:
    """Returns images as they are kept, 0 to 255, and series as they are, on the CPU."""
    return (inputs if is_series(inputs.shape[2:]) else (255 * inputs).round().to(torch.uint8)).cpu()


def from_stored(stored: StoredInputs, dtype: torch.dtype = torch.float32) -> Images:
    """Returns images that are kept as 0 to 255 in ``[0, 1]``, and series as they are; the inverse of `to_stored`.

    Args:
        stored: The inputs as they are kept.
        dtype: The precision of the result.
    """
    return stored.to(dtype) / 255 if stored.dtype == torch.uint8 else stored.to(dtype)
