"""The base of the data sets of series, and the scale that a data set's training part gives them."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.memory import FLOAT, check_memory
from overpaint.core.scale import SeriesScale
from overpaint.core.sizes import format_size
from overpaint.data.domain import DomainData

Series = Float[Tensor, "count channel length"]
"""Series in their own units."""

OUTER, REACH = 0.01, 2.0
"""The shares of the values, at either end, that do not widen the scale by more than the way between the others times
`REACH`: a single wrong value would leave the others next to none of it."""

MARGIN = 0.05
"""What the scale has below the least and above the greatest value, a share of the way between them."""


def scale_of(values: Series) -> SeriesScale:
    """Returns the scale of series: from a margin below the least to a margin above the greatest value of each channel.

    A channel whose values are all alike gets one unit around them.

    Args:
        values: The series of a training part.
    """
    flat = values.transpose(0, 1).flatten(1).double().numpy()
    inner_low, inner_high = np.quantile(flat, [OUTER, 1 - OUTER], axis=1)
    reach = np.where(inner_high > inner_low, REACH * (inner_high - inner_low), np.inf)
    low, high = np.maximum(flat.min(1), inner_low - reach), np.minimum(flat.max(1), inner_high + reach)
    margin = np.where(high > low, MARGIN * (high - low), 0.5)
    return SeriesScale((low - margin).tolist(), (high + margin).tolist())


class SeriesData(DomainData):
    """Base of the data sets of series; their values are scaled by the training part's `scale_of`, or as is said.

    Args:
        length: Steps of a series.
        channels: Channels of a series.
        batch_size: Series in a batch.
        seed: Seed of splits, order and whatever else is random.
        scale: The scale, such as that of the classifier that is shown them; None: the training part's.

    Raises:
        OverpaintError: If a batch does not fit into memory, or the scale has another number of channels.
    """

    dimensions = 1

    def __init__(self, length: int, channels: int, batch_size: int, seed: int, scale: SeriesScale | None) -> None:
        check_memory(f"series of {length} steps and {channels} channels", batch_size * FLOAT * channels * length)
        if scale is not None and len(scale.low) != channels:
            raise OverpaintError(f"the classifier takes {len(scale.low)} channels, but the series have {channels}")
        super().__init__((length,), channels, batch_size, seed)
        self._given_scale = scale

    @cached_property
    def scale(self) -> SeriesScale:
        """The values of each channel that become 0 and 1."""
        return scale_of(self.training_values()) if self._given_scale is None else self._given_scale

    @abstractmethod
    def training_values(self) -> Series:
        """Returns the training series in their own units."""

    @classmethod
    def size_argument(cls, size: Sequence[int]) -> dict[str, Any]:
        """See `DomainData.size_argument`."""
        if len(size) != cls.dimensions:
            raise OverpaintError(f"the data are series of a length, which {format_size(size)} is not")
        return {"length": size[0]}

    @classmethod
    def arguments_for(cls, size: Sequence[int], channels: int, scale: SeriesScale | None) -> dict[str, Any]:
        """See `DomainData.arguments_for`."""
        return cls.size_argument(size) | {"scale": scale}
