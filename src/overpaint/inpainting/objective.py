"""The objective of a latent search: contextual loss and prior loss."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Discriminator, Generator
from overpaint.core.types import Images, Latents, RingWeights
from overpaint.inpainting.search_recipes import SearchRecipe

BATCH_SIZE = {"cpu": 64}
"""Rows of a pass by device. On a processor 32 are 6 % slower, and 128, which one image rarely fills, 8 % faster."""

OTHER_BATCH_SIZE = 256
"""Rows of a pass on other devices."""

PerRow = Float[Tensor, " row"]
Owners = Int[Tensor, " row"]


@runtime_checkable
class Guide(Protocol):
    """A further loss of what was painted."""

    def __call__(self, painted: Images, owners: Owners) -> PerRow:
        """Returns the loss of each painted image, of the image that it belongs to, differentiable."""
        ...


def batch_size_for(device: torch.device, count: int) -> int:
    """Returns how many rows a pass should have, where each image has ``count`` latents: it depends on nothing else."""
    if device.type not in BATCH_SIZE:
        return OTHER_BATCH_SIZE
    return min(BATCH_SIZE[device.type], 8 * math.ceil(count / 8))


@dataclass(frozen=True)
class Evaluation:
    """What is found of latents.

    Attributes:
        losses: What the recipe makes small.
        contextual: The contextual loss, ``Σ R |G(z) - X| / Σ R``, averaged over the channels.
        descended: ``losses`` as the optimiser sees them, with the smooth bottom; equal to them without smoothing.
        gradients: Of ``descended`` by the latents; empty where not asked for.
    """

    losses: PerRow
    contextual: PerRow
    descended: PerRow
    gradients: Latents


class Objective:
    """The losses of latents that belong to several images.

    All passes through the networks have exactly ``batch_size`` rows; the last one is filled up with copies. Then a
    row's
    arithmetic, gradients included, is the same whatever its place and its neighbours; with another number of rows a
    processor's convolutions may take other kernels, and the last bit of a gradient changes (with 8 to 24 rows, and
    56 in channels-last order, where 32 and 64 agree). So latents of any images share a pass, and none sees the others.

    Args:
        generator: ``G``.
        discriminator: ``D``; None: there is no prior loss.
        images: ``X``.
        ring_weights: ``R``.
        recipe: Says how the loss is made up.
        prior_weight: ``λ``.
        batch_size: Rows of a pass.
        guide: A further loss, added to the other two.
    """

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator | None,
        images: Images,
        ring_weights: RingWeights,
        recipe: SearchRecipe,
        prior_weight: float,
        batch_size: int,
        guide: Guide | None = None,
    ) -> None:
        self.generator, self.discriminator = generator, discriminator
        self.images, self.ring_weights = images, ring_weights
        self.smoothing, self.prior_weight = recipe.smoothing, prior_weight
        self.guide = guide
        self.scale = 2.0 * images.shape[1] if recipe.summed else 1.0
        self._totals = ring_weights.flatten(1).sum(1).clamp(min=torch.finfo().tiny)
        self.batch_size = batch_size

    def contextual(self, painted: Images, owners: Owners, smoothing: float = 0.0) -> PerRow:
        """Returns ``Σ R |G(z) - X|``, the mean over the channels, of painted images; smoothed where asked for."""
        distances = painted - self.images[owners]
        if smoothing:
            distances = (distances.square() + smoothing**2).sqrt() - smoothing
        return (self.ring_weights[owners] * distances.abs().mean(1)).flatten(1).sum(1)

    def prior(self, painted: Images) -> PerRow:
        """Returns ``softplus(-D(G(z)))``: small where the discriminator finds the painted image real; 0 without one."""
        if self.discriminator is None:
            return painted.new_zeros(len(painted))
        return F.softplus(-self.discriminator(painted))

    def descended(self, latents: Latents, owners: Owners) -> tuple[PerRow, Images, PerRow]:
        """Returns what the optimiser descends, differentiable, the painted images, and what of it is not contextual."""
        painted = self.generator(latents)
        further = self.prior_weight * self.prior(painted)
        if self.guide is not None:
            further = further + self.guide(painted, owners)
        return self.scale * self.contextual(painted, owners, self.smoothing) + further, painted, further

    def evaluate(self, latents: Latents, owners: Owners) -> Evaluation:
        """Computes the losses of latents and their gradients."""
        return Evaluation(*self._in_batches(self._judge_pass, latents, owners))

    @torch.enable_grad()
    def _judge_pass(self, latents: Latents, owners: Owners) -> tuple[PerRow, PerRow, PerRow, Latents]:
        latents = latents.detach().requires_grad_()
        descended, painted, further = self.descended(latents, owners)
        (gradients,) = torch.autograd.grad(descended.sum(), latents)
        with torch.no_grad():
            contextual = self.contextual(painted, owners)
            losses = self.scale * contextual + further
        return losses, contextual / self._totals[owners], descended.detach(), gradients

    @torch.no_grad()
    def look(self, latents: Latents, owners: Owners) -> tuple[Images, PerRow]:
        """Returns ``G(z)`` and its contextual loss as in `Evaluation`, without gradients or the discriminator."""
        painted, contextual = self._in_batches(self._look_pass, latents, owners)
        return painted, contextual

    def _look_pass(self, latents: Latents, owners: Owners) -> tuple[Images, PerRow]:
        painted = self.generator(latents)
        return painted, self.contextual(painted, owners) / self._totals[owners]

    @torch.no_grad()
    def priors(self, painted: Images, owners: Owners) -> PerRow:
        """Returns the prior losses of painted images."""
        (priors,) = self._in_batches(lambda images, _: (self.prior(images),), painted, owners)
        return priors

    def _in_batches(
        self, work: Callable[[Tensor, Owners], tuple[Tensor, ...]], rows: Tensor, owners: Owners
    ) -> list[Tensor]:
        """Works on passes of exactly ``batch_size`` rows, the last one filled up with copies of its first row.

        Raises:
            OverpaintError: If a pass does not fit into the device's memory.
        """
        found = []
        for part, own in zip(rows.split(self.batch_size), owners.split(self.batch_size), strict=True):
            missing = self.batch_size - len(part)
            if missing:
                part = torch.cat([part, part[:1].expand(missing, *part.shape[1:])])
                own = torch.cat([own, own[:1].expand(missing)])
            try:
                found.append(work(part, own))
            except torch.OutOfMemoryError as error:
                raise OverpaintError(
                    f"the device has not enough memory to search {self.batch_size} latents at once; "
                    "lower search.batch_size"
                ) from error
        return [torch.cat(column)[: len(rows)] for column in zip(*found, strict=True)]
