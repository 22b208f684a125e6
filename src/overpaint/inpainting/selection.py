"""Selects the latents that a search keeps."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.results import LatentSearchResult
from overpaint.core.types import Regions


def most_relevant(
    losses: Float[Tensor, " latent"], seen: Float[Tensor, "latent value"], count: int, diversity: float
) -> Int[Tensor, " chosen"]:
    """Chooses latents that fit and differ: greedy maximal marginal relevance (Carbonell & Goldstein, 1998).

    One after the other, the latent with the smallest ``loss - diversity · distance``, ``distance`` the root-mean-square
    difference to the nearest one that is chosen already; the first is the one with the smallest loss.

    Args:
        losses: The loss of each.
        seen: What each paints into the region; without a value nothing differs.
        count: How many are chosen, at most all.
        diversity: What a unit of distance is worth in units of the loss.
    """
    chosen = [int(losses.argmin())]
    distances = torch.full_like(losses, torch.inf if seen.shape[1] else 0.0)
    free = torch.ones_like(losses, dtype=torch.bool)
    while len(chosen) < count:
        free[chosen[-1]] = False
        if seen.shape[1]:
            distances = distances.minimum((seen - seen[chosen[-1]]).square().mean(1).sqrt())
        chosen.append(int(torch.where(free, losses - diversity * distances, torch.inf).argmin()))
    return torch.tensor(chosen, device=losses.device)


def keep_relevant(found: LatentSearchResult, regions: Regions, count: int, diversity: float) -> LatentSearchResult:
    """Keeps ``count`` latents of each image, those that fit and differ inside the region, see `most_relevant`.

    Args:
        found: More latents of each image.
        regions: ``B``, at the generator's size.
        count: How many are kept.
        diversity: What a unit of distance is worth in units of the contextual loss.
    """
    chosen = [
        most_relevant(losses, images[:, :, region].flatten(1), count, diversity)
        for losses, images, region in zip(found.contextual_losses, found.images, regions, strict=True)
    ]
    columns = (found.latents, found.images, found.contextual_losses, found.prior_losses, found.improved)
    latents, painted, contextual, prior, improved = (
        torch.stack([rows[own] for rows, own in zip(column, chosen, strict=True)]) for column in columns
    )
    return LatentSearchResult(latents, painted, contextual, prior, found.steps, improved)
