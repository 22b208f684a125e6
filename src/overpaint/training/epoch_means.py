"""Means of what is measured in each step of an epoch."""

from collections.abc import Mapping

import torch
from torch import Tensor


class EpochMeans:
    """Sums up numbers step by step, without waiting for a GPU.

    Lightning would take the means by itself, at twenty times the cost in each step.
    """

    def __init__(self) -> None:
        self._totals: dict[str, tuple[Tensor, int]] = {}

    def add(self, measured: Mapping[str, Tensor]) -> None:
        """Adds a step's numbers; one that is not measured in each step is averaged over those in which it is."""
        for name, value in measured.items():
            total, count = self._totals.get(name, (torch.zeros_like(value), 0))
            self._totals[name] = total + value, count + 1

    def means(self) -> dict[str, Tensor]:
        """Returns the means by name."""
        return {name: total / count for name, (total, count) in self._totals.items()}
