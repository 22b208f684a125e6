"""Fills of a region without a generator."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor

from overpaint.core.protocols import Classifier
from overpaint.core.types import StoredInputs
from overpaint.core.value_range import from_stored
from overpaint.perturbation.baselines import BLUR

Image = Float[Tensor, "channel *space"]


def smoothed_surroundings(image: Image, region: Bool[Tensor, "*space"]) -> Image:
    """Smooths what lies outside the region into it: ``g * (X ⊙ (1 - B)) / g * (1 - B)``, ``g`` a Gaussian.

    Its standard deviation is that of the baseline ``blur``; it reaches over the whole image, so that the middle of a
    large region still gets the colour of what is nearest to it. Nothing of the region itself is seen. 0 where the
    region is everything.
    """
    outside = ~region.cpu().numpy()
    values = image.double().cpu().numpy() * outside
    deviations = [BLUR * side for side in outside.shape]
    # Its weights are above 0 up to 38 standard deviations in float64; the farthest pixel is 20 away along an axis.
    reach = {"sigma": deviations, "truncate": 1 / BLUR, "mode": "constant"}
    weights = ndimage.gaussian_filter(outside.astype(np.float64), **reach)
    smooth = np.stack([ndimage.gaussian_filter(channel, **reach) for channel in values])
    return torch.from_numpy(smooth / np.maximum(weights, np.finfo(np.float64).tiny)).to(image)


def other_images(
    others: StoredInputs,
    image: Image,
    target: int,
    count: int,
    classifier: Classifier,
    rng: torch.Generator,
) -> Float[Tensor, "chosen channel *space"]:
    """Draws images that differ from ``image`` and in which the classifier does not find ``target``, without repetition.

    Args:
        others: The images among which it draws.
        image: The image, in ``[0, 1]``.
        target: The class that is passed over.
        count: How many are drawn at most; fewer where there are no more.
        classifier: The classifier; it gets ``count`` images a pass.
        rng: The random stream.
    """
    chosen = image.new_zeros(0, *image.shape)
    for indices in torch.randperm(len(others), generator=rng).split(count):
        candidates = from_stored(others[indices].to(image.device))
        kept = classifier.decision.keeps(classifier.scores(candidates), target)
        wanted = (candidates != image).flatten(1).any(1) & ~kept
        chosen = torch.cat([chosen, candidates[wanted]])[:count]
        if len(chosen) == count:
            break
    return chosen
