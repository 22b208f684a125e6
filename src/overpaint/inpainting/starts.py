"""The latents that a search starts from."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from overpaint.core.protocols import Encoder
from overpaint.core.rng import image_rng
from overpaint.core.types import Latents
from overpaint.inpainting.objective import Objective


@dataclass(frozen=True)
class StartPlan:
    """How the starts of an image are drawn.

    Attributes:
        count: How many there are.
        candidates: Latents that are drawn to choose them from, at least ``count``: those of the least contextual loss.
        unit_cube: Whether latents are cut to ``[-1, 1]``.
        uniform: Whether they are drawn from there, whatever the generator was trained on.
        seed: Seed of the draws, which depend on the image's content too.
    """

    count: int
    candidates: int
    unit_cube: bool
    uniform: bool
    seed: int

    def starts(
        self, objective: Objective, image: int, region: Bool[Tensor, "*space"], encoder: Encoder | None
    ) -> Latents:
        """Returns the starts of an image.

        Args:
            objective: Has the images, and judges the candidates.
            image: Which of its images.
            region: That image's region.
            encoder: Guesses the candidates; None: they are random latents.
        """
        drawn = max(self.candidates, self.count)
        rng = image_rng(objective.images[image], self.seed, "search")
        if encoder is not None:
            (latents,) = encoder.guesses(objective.images[image : image + 1], region[None], drawn, rng)
        elif self.uniform:
            latents = 2 * torch.rand(drawn, objective.generator.latent_dim, generator=rng) - 1
        else:
            latents = objective.generator.sample_latents(drawn, rng)
        latents = return_to_support(latents.to(objective.images.device), self.unit_cube)
        return latents if drawn == self.count else best_starts(objective, latents, image, self.count)


def return_to_support(latents: Latents, unit_cube: bool) -> Latents:
    """Returns latents cut to ``[-1, 1]``, or those beyond a length of ``sqrt(latent_dim)`` scaled back to it."""
    if unit_cube:
        return latents.clamp(-1, 1)
    lengths = latents.norm(dim=1, keepdim=True).clamp(min=torch.finfo(latents.dtype).tiny)
    returned: Tensor = latents * (latents.shape[1] ** 0.5 / lengths).clamp(max=1)
    return returned


def best_starts(
    objective: Objective, candidates: Float[Tensor, "candidate latent"], image: int, count: int
) -> Float[Tensor, "start latent"]:
    """Returns the ``count`` of an image's candidates that have the smallest contextual losses."""
    losses = []
    for part in candidates.split(objective.batch_size):
        owners = torch.full((len(part),), image, device=part.device)
        losses.append(objective.look(part, owners)[1])
    return candidates[torch.cat(losses).argsort(stable=True)[:count]]
