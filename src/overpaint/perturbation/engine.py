"""Runs masked queries through a classifier, chunk by chunk."""

from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.perturbation.masks import Grids, MaskGeometry, Masks, Shifts
from overpaint.types import Classifier, Images, Scores

Baseline = Literal["mean", "black"]
"""What stands where an image is masked: the mean colour of the classifier's training images (the 0 of its normalised
input, as in RISE's code), or black."""

CHUNK = 64
"""Queries in one forward pass. Every pass has exactly this many rows (the last is filled up), so that the arithmetic
of a query does not depend on how many others there are."""


def baseline_images(baseline: Baseline, classifier: Classifier, images: Images) -> Images:
    """Returns what is seen where ``images`` are masked, in their shape."""
    if baseline == "black":
        return torch.zeros_like(images)
    return classifier.mean.to(images).expand_as(images)


def stream_scores(
    classifier: Classifier,
    images: Images,
    baseline: Baseline,
    geometry: MaskGeometry,
    owners: Int[Tensor, " query"],
    grids: Grids,
    shifts: Shifts,
) -> Iterator[tuple[slice, Masks, Scores]]:
    """Asks the classifier about masked images: ``f(b + M ⊙ (x - b))``.

    Args:
        classifier: The classifier.
        images: The images, on the device that the queries run on.
        baseline: What stands where the mask is 0.
        geometry: How grids become masks.
        owners: The image that each query masks.
        grids: The grid of each query; 1 keeps the pixel.
        shifts: The shift of each query's mask.

    Yields:
        The range of queries of a chunk, their masks, and their scores for all classes.
    """
    grids, shifts, owners = (values.to(images.device) for values in (grids, shifts, owners))
    fills = baseline_images(baseline, classifier, images)
    for start in range(0, len(owners), CHUNK):
        here = slice(start, min(start + CHUNK, len(owners)))
        count = here.stop - start
        rows = torch.arange(start, start + CHUNK, device=images.device).clamp(max=here.stop - 1)
        masks = geometry.masks(grids[rows], shifts[rows])
        chunk_owners = owners[rows]
        masked = torch.lerp(fills[chunk_owners], images[chunk_owners], masks[:, None])
        yield here, masks[:count], classifier.scores(masked)[:count]


def target_scores(scores: Scores, targets: Int[Tensor, " query"]) -> Float[Tensor, " query"]:
    """Returns each query's score for its own target class."""
    return scores.gather(1, targets[:, None])[:, 0]
