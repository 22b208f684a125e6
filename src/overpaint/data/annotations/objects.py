"""The annotated objects of an image, in the pixels of the image that is explained."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import torch
from jaxtyping import Bool
from torch import Tensor

from overpaint.core.types import GroundTruthObjects, Targets
from overpaint.data.reading import Box, Size


@dataclass(frozen=True)
class BoxObjects:
    """Boxes, kept as numbers and drawn when they are asked for.

    Attributes:
        size: Height and width of the image.
        by_class: The boxes of each class in pixels of the image, beyond which they may reach.
    """

    size: Size
    by_class: Mapping[int, Sequence[Box]]

    def boxes(self, target: int) -> list[Box]:
        """Returns the boxes of a class as far as they lie in the image: left, top, right, bottom."""
        height, width = self.size
        ends = (width, height, width, height)
        cut = [
            tuple(min(max(edge, 0.0), float(end)) for edge, end in zip(box, ends, strict=True))
            for box in self.by_class.get(target, ())
        ]
        return [(x0, y0, x1, y1) for x0, y0, x1, y1 in cut if x0 < x1 and y0 < y1]

    def of_class(self, target: int) -> Bool[Tensor, "height width"]:
        """Returns True where a pixel's centre lies in a box of the class.

        A box that holds no centre of a row or column takes the one that its own middle lies in.
        """
        height, width = self.size
        inside = torch.zeros(height, width, dtype=torch.bool)
        for left, top, right, bottom in self.by_class.get(target, ()):
            inside[_span(top, bottom, height), _span(left, right, width)] = True
        return inside


@dataclass(frozen=True)
class MaskObjects:
    """An object whose pixels are known.

    Attributes:
        mask: True on the object.
        label: Its class; None where that is not known, so that it counts for whatever class is explained.
    """

    mask: Bool[Tensor, "*space"]
    label: int | None = None

    def boxes(self, target: int) -> list[Box]:
        """Returns no box: a mask has none."""
        return []

    def of_class(self, target: int) -> Bool[Tensor, "*space"]:
        """Returns the mask if the object counts for the class, else nowhere True."""
        return self.mask if self.label in (None, target) else torch.zeros_like(self.mask)


@dataclass(frozen=True)
class MaskPerInput(Sequence[GroundTruthObjects]):
    """One object for each image or series, of its class; all masks are in one tensor.

    Attributes:
        masks: True on the object.
        labels: The classes.
    """

    masks: Bool[Tensor, "count *space"]
    labels: Targets

    def __len__(self) -> int:
        return len(self.masks)

    @overload
    def __getitem__(self, index: int) -> MaskObjects: ...

    @overload
    def __getitem__(self, index: slice) -> "MaskPerInput": ...

    def __getitem__(self, index: int | slice) -> "MaskObjects | MaskPerInput":
        if isinstance(index, slice):
            return MaskPerInput(self.masks[index], self.labels[index])
        return MaskObjects(self.masks[index], int(self.labels[index]))


def _span(low: float, high: float, length: int) -> slice:
    """Returns the pixels of an axis whose centres lie in ``[low, high)``, or the one that holds its middle."""
    start, stop = math.ceil(low - 0.5), math.ceil(high - 0.5)
    if start == stop:
        start = math.floor((low + high) / 2)
        stop = start + 1
    return slice(max(start, 0), max(min(stop, length), 0))
