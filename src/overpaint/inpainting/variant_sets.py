"""Several variants of an image: how they differ, and which are the same."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from overpaint.core.resize import resize
from overpaint.core.types import ImageSets, PerVariant, Regions
from overpaint.core.value_range import within_range


def distances_inside(variants: ImageSets, regions: Regions) -> Float[Tensor, "batch variant variant"]:
    """Returns the root-mean-square difference of each pair of variants over the region's pixels and channels.

    For an empty region it is 0.
    """
    pairs = []
    for images, region in zip(variants, regions, strict=True):
        inside = images[:, :, region].flatten(1)
        norm = max(inside.shape[1], 1) ** 0.5
        distances = torch.cdist(inside, inside, compute_mode="donot_use_mm_for_euclid_dist")
        pairs.append(distances / norm)
    return torch.stack(pairs)


def mark_duplicates(distances: Float[Tensor, "variant variant"], tolerance: float) -> Bool[Tensor, " variant"]:
    """Returns True for each variant that lies within ``tolerance`` of an earlier one that is itself no duplicate."""
    duplicate = torch.zeros(len(distances), dtype=torch.bool, device=distances.device)
    for i in range(1, len(distances)):
        duplicate[i] = bool(((distances[i, :i] < tolerance) & ~duplicate[:i]).any())
    return duplicate


def masked_mean(values: PerVariant, chosen: Bool[Tensor, "batch variant"]) -> Float[Tensor, " batch"]:
    """Returns the mean over the chosen ones, NaN where there is none."""
    return torch.where(chosen, values, torch.zeros_like(values)).sum(1) / chosen.sum(1)


def resized(
    sets: Float[Tensor, "batch variant channel *own"], size: tuple[int, ...]
) -> Float[Tensor, "batch variant channel *space"]:
    """Returns the images at that size."""
    if tuple(sets.shape[3:]) == size:
        return sets
    flat = resize(sets.flatten(0, 1), size)
    return within_range(flat, len(size)).reshape(*sets.shape[:3], *size)
