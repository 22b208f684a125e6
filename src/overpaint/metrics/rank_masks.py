"""Pixels in the order of their saliency, and the masks that keep the first or the last of them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.perturbation.masks import Masks

Ranks = Int[Tensor, "*space"]
"""Each pixel's place in the order of decreasing saliency, counted from 0."""


def saliency_ranks(saliency_map: Float[Tensor, "*space"]) -> Ranks:
    """Ranks the pixels from the most salient to the least; those of equal saliency, as in a flat map, as one reads."""
    order = saliency_map.flatten().argsort(descending=True, stable=True)
    ranks = torch.empty_like(order, dtype=torch.int32)
    ranks[order] = torch.arange(len(order), dtype=torch.int32, device=order.device)
    return ranks.reshape(saliency_map.shape)


@dataclass(frozen=True)
class RankMasks:
    """Masks that keep more and more of the pixels by their rank, or fewer and fewer.

    With ``step`` pixels ``s`` and ranks ``r``, mask ``k = 0 .. n`` keeps ``r < k s`` (``growing``) or ``r >= k s``;
    there are ``n = ⌈HW / s⌉`` steps.

    Attributes:
        ranks: The ranks.
        step: Pixels by which a mask differs from the one before.
        growing: Whether the first mask keeps nothing and the last one everything, or the other way round.
    """

    ranks: Ranks
    step: int
    growing: bool

    def __len__(self) -> int:
        return -(-self.ranks.numel() // self.step) + 1

    def masks(self, rows: slice) -> Masks:
        """See `MaskBatch.masks`."""
        changed = self.step * torch.arange(rows.start, rows.stop, dtype=self.ranks.dtype, device=self.ranks.device)
        reached = self.ranks < changed.reshape(-1, *[1] * self.ranks.ndim)
        return (reached if self.growing else ~reached).float()
