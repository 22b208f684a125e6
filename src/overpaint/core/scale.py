"""The scale of time series: which values of each channel are 0 and 1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.errors import OverpaintError


@dataclass(frozen=True)
class SeriesScale:
    """Maps the values of series in their own units to ``[0, 1]``, channel by channel, and back.

    ``scaled = (value - low) / (high - low)``. Values below ``low`` or above ``high`` come out below 0 or above 1; none
    is cut off.

    Attributes:
        low: The value of each channel that becomes 0.
        high: The value of each channel that becomes 1.

    Raises:
        OverpaintError: If a channel's ``high`` is not above its ``low``.
    """

    low: Sequence[float]
    high: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.low) != len(self.high) or any(h <= x for x, h in zip(self.low, self.high, strict=True)):
            raise OverpaintError(f"a scale from {list(self.low)} to {list(self.high)} has a channel without extent")

    def scaled(self, values: Float[Tensor, "*batch channel length"]) -> Float[Tensor, "*batch channel length"]:
        """Returns values in their own units as values of which ``low`` is 0 and ``high`` is 1."""
        low, extent = self._low_and_extent(values)
        return (values - low) / extent

    def in_units(self, scaled: Float[Tensor, "*batch channel length"]) -> Float[Tensor, "*batch channel length"]:
        """Returns scaled values in their own units; the inverse of `scaled`."""
        low, extent = self._low_and_extent(scaled)
        return scaled * extent + low

    def _low_and_extent(self, values: Tensor) -> tuple[Float[Tensor, "channel 1"], Float[Tensor, "channel 1"]]:
        low = torch.tensor(self.low, dtype=values.dtype, device=values.device)[:, None]
        return low, torch.tensor(self.high, dtype=values.dtype, device=values.device)[:, None] - low

    @property
    def settings(self) -> dict[str, list[float]]:
        """The plain values that it is made of, as checkpoints keep them."""
        return {"low": list(self.low), "high": list(self.high)}


def scale_from_settings(settings: Mapping[str, Sequence[float]] | None) -> SeriesScale | None:
    """Returns the scale of `SeriesScale.settings`; None of None, as checkpoints of images have it, or nothing at all.

    Raises:
        OverpaintError: If a channel has no extent.
    """
    return None if settings is None else SeriesScale(settings["low"], settings["high"])
