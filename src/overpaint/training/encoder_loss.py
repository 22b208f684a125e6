"""The loss of the encoder, on the generator's own images with random regions removed."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from overpaint.core.types import Regions
from overpaint.networks.dcgan import Generator
from overpaint.networks.encoder import Encoder

SHARES = (0.02, 0.35)
"""Share of the image that a random region has, from and to."""

ENCODER_OPTIMIZER = {"target": "torch.optim.Adam", "lr": 1e-3, "foreach": True}
"""The encoder's optimiser; it plays against nobody, so Adam's usual settings do."""

CELLS = 5
"""Side of the grid of random numbers that a region is made from; more give more, smaller regions."""


def random_regions(count: int, size: Sequence[int], rng: torch.Generator) -> Regions:
    """Draws blobs like salient regions: where smooth random numbers are largest, on ``rng``'s device.

    Normal random numbers on a coarse grid are enlarged bicubically, and of their pixels a random share is taken.

    Args:
        count: How many.
        size: Height and width of the images, or the length of series: their grid has a single row.
        rng: The random numbers.
    """
    rows, columns = (1, *size)[-2:]
    coarse = torch.randn(count, 1, min(rows, CELLS), CELLS, generator=rng, device=rng.device)
    heights = F.interpolate(coarse, (rows, columns), mode="bicubic", align_corners=True)[:, 0].reshape(count, *size)
    low, high = SHARES
    shares = low + (high - low) * torch.rand(count, 1, generator=rng, device=rng.device)
    places = (shares * math.prod(size)).long().clamp(min=1) - 1
    thresholds = heights.flatten(1).sort(dim=1, descending=True).values.gather(1, places)
    return heights >= thresholds.reshape(count, *[1] * len(size))


def encoder_loss(encoder: Encoder, generator: Generator, count: int, rng: torch.Generator) -> Float[Tensor, ""]:
    """Returns ``-E log q(z | G(z), B)`` but for a constant: the mean over the latent's numbers, ``z`` and ``B`` random.

    So ``q`` learns the distribution of ``z`` given what surrounds a region (the sleep phase of Hinton, Dayan,
    Frey & Neal, 1995, "The wake-sleep algorithm").

    Args:
        encoder: ``q``.
        generator: ``G``, in eval mode; it learns nothing.
        count: Images that are painted.
        rng: The random numbers.
    """
    latents = generator.sample_latents(count, rng)
    with torch.no_grad():
        painted = generator(latents)
    mean, log_variance = encoder(painted, random_regions(count, generator.output_size, rng))
    return F.gaussian_nll_loss(mean.float(), latents, log_variance.float().exp())
