"""Windows that slide over an image, one hidden at a time, and the maps that their losses of score add up to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.perturbation.method import WindowMasks

Length = int | float
"""A number of pixels, or, below 1, a share of the image's side."""

WindowValues = Float[Tensor, "target *windows"]


def pixels(lengths: Length | Sequence[Length], size: tuple[int, ...], where: str) -> tuple[int, ...]:
    """Turns a length, or one for each axis, into pixels: at least 1, a share rounded.

    Args:
        lengths: The length.
        size: Pixels of the image along each axis.
        where: The setting's name, for errors.

    Raises:
        OverpaintError: If a length is neither a share below 1 nor a whole number of the image's pixels, or their
            number is not that of the axes.
    """
    each = tuple(lengths) if isinstance(lengths, Sequence) else (lengths,) * len(size)
    if len(each) != len(size) or any(
        length <= 0 or (length >= 1 and (length != int(length) or length > side))
        for length, side in zip(each, size, strict=False)
    ):
        raise OverpaintError(
            f"{where}={lengths} must be a share between 0 and 1 or a whole number of pixels that the image of {size} "
            "has, one for all axes or one for each"
        )
    return tuple(
        int(length) if length >= 1 else max(1, round(length * side)) for length, side in zip(each, size, strict=True)
    )


@dataclass(frozen=True)
class Windows:
    """Boxes at regular places; what of a box lies beyond the image's border is cut off.

    A box is a product of one interval an axis, so sums over boxes are products with one small matrix an axis, and no
    mask is ever kept.

    Attributes:
        size: Pixels of the image along each axis.
        window: Pixels of a box.
        stride: Pixels from a box to the next.
        overhang: Where the boxes begin: False: at the border, and end as soon as the last pixel is covered (captum's
            `Occlusion`), so that fewer boxes cover the pixels near the border; True: ``window - stride`` before the
            border, up to the last that still touches the image, so that as many cover each pixel.

    Raises:
        OverpaintError: If a stride exceeds its window: pixels would be left out.
    """

    size: tuple[int, ...]
    window: tuple[int, ...]
    stride: tuple[int, ...]
    overhang: bool = False

    def __post_init__(self) -> None:
        if any(stride > window for stride, window in zip(self.stride, self.window, strict=True)):
            raise OverpaintError(
                f"a stride of {self.stride} pixels exceeds the window of {self.window}, so pixels would be left out"
            )

    def _starts(self, axis: int) -> Tensor:
        size, window, stride = self.size[axis], self.window[axis], self.stride[axis]
        if self.overhang:
            return torch.arange(stride - window, size, stride)
        return torch.arange(math.ceil((size - window) / stride) + 1) * stride

    @property
    def counts(self) -> tuple[int, ...]:
        """Boxes along each axis."""
        return tuple(len(self._starts(axis)) for axis in range(len(self.size)))

    def masks(self, chosen: Bool[Tensor, "*windows"] | None = None) -> WindowMasks:
        """Returns the masks that hide the ``chosen`` boxes (None: all), in the order of ``chosen[chosen]``."""
        which = torch.ones(self.counts, dtype=torch.bool) if chosen is None else chosen
        index = which.nonzero()
        starts = torch.stack(
            [self._starts(axis).to(index.device)[index[:, axis]] for axis in range(len(self.size))], dim=1
        )
        return WindowMasks(self.size, starts, starts + torch.tensor(self.window, device=index.device))

    def spread(self, values: WindowValues) -> Float[Tensor, "target *space"]:
        """Returns for each pixel the sum of the values of the boxes that cover it.

        One target at a time: a product's last bit may depend on the number of its rows.
        """
        outside_in = [inside.T for inside in self._inside(values.device)]
        return torch.cat([_along_axes(own[None], outside_in) for own in values])

    def covering(self) -> Float[Tensor, "*space"]:
        """Returns how many boxes cover each pixel."""
        return self.spread(torch.ones(1, *self.counts, dtype=torch.float64))[0]

    def touching(self, regions: Bool[Tensor, "target *space"]) -> Bool[Tensor, "target *windows"]:
        """Returns True for the boxes that share a pixel with a region."""
        return _along_axes(regions.double(), self._inside(regions.device)) > 0

    def _inside(self, device: torch.device) -> list[Float[Tensor, "window pixel"]]:
        """Returns for each axis which pixels each interval holds, 1 or 0."""
        inside = []
        for axis, (length, window) in enumerate(zip(self.size, self.window, strict=True)):
            offset = torch.arange(length) - self._starts(axis)[:, None]
            inside.append(((offset >= 0) & (offset < window)).double().to(device))
        return inside


def _along_axes(values: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Multiplies each axis behind the first by its (out, in) matrix."""
    for axis, matrix in enumerate(matrices, start=1):
        values = torch.tensordot(values.double(), matrix, dims=([axis], [1])).movedim(-1, axis)
    return values


def with_whole_image(masks: WindowMasks) -> WindowMasks:
    """Returns the masks with one before them that hides nothing."""
    starts, stops = masks.starts, masks.stops
    return WindowMasks(
        masks.size, torch.cat([torch.zeros_like(starts[:1]), starts]), torch.cat([torch.zeros_like(stops[:1]), stops])
    )
