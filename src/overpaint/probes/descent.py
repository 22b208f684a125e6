"""Searches the nearest point at which a classifier changes its prediction, along latents and along pixels."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from overpaint.core.protocols import Classifier
from overpaint.core.types import Images, Scores
from overpaint.core.value_range import within_range

PIXEL_BATCH_SIZE = 32
"""Rows of a pass with gradients by the pixels."""

LatentSets = Float[Tensor, "batch variant latent"]


def bisect(
    flips: Callable[[LatentSets], Bool[Tensor, "batch variant"]],
    near: LatentSets,
    far: LatentSets,
    bisection_steps: int,
) -> tuple[LatentSets, LatentSets]:
    """Halves the way from ``near``, which does not flip, to ``far``, which does, keeping the half where it changes.

    All pairs go together: each halving asks once about all of them. The way is straight: a generator's support is
    convex both for uniform latents (a cube) and for normal ones as the search keeps them (a ball).

    Args:
        flips: Says which latents flip.
        near: Latents that don't.
        far: Latents that do.
        bisection_steps: How often; the two ends are then ``2^-bisection_steps`` of the way apart.

    Returns:
        The last latents that did not flip, and the first ones that did.
    """
    for _ in range(bisection_steps):
        middle = (near + far) / 2
        flipped = flips(middle)[..., None]
        near, far = torch.where(flipped, near, middle), torch.where(flipped, middle, far)
    return near, far


@torch.enable_grad()
def descend_pixels(
    classifier: Classifier,
    images: Images,
    region: Bool[Tensor, "*space"],
    loss: Callable[[Scores], Float[Tensor, " row"]],
    steps: int,
    rate: float,
) -> Images:
    """Projected gradient descent inside a region (Madry et al., 2018): ``x ← clip(x - rate · sign ∇ loss, 0, 1)``.

    A series is not clipped: its steps alone bound it.

    Deviation: no ball bounds the change, as the region does; an image stays where its loss has no gradient any more.

    Args:
        classifier: The classifier, with gradients.
        images: Where it starts.
        region: Where pixels may change.
        loss: Of each row's logits.
        steps: How many.
        rate: By which a pixel changes in a step.
    """
    parts = []
    for part in images.split(PIXEL_BATCH_SIZE):
        for _ in range(steps):
            moving = part.detach().requires_grad_()
            (gradients,) = torch.autograd.grad(loss(classifier.logits(moving)).sum(), moving)
            part = torch.where(region, within_range(moving - rate * gradients.sign(), region.ndim), moving)
        parts.append(part.detach())
    return torch.cat(parts)


def distances_between(ones: Images, others: Images, region: Bool[Tensor, "*space"]) -> Float[Tensor, " row"]:
    """Returns the root-mean-square difference over the region's pixels and channels, row by row; NaN without any."""
    return (ones - others)[:, :, region].flatten(1).square().mean(1).sqrt()
