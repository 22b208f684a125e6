"""Latent search: finds latents from which the generator continues an image's surroundings into its region.

The idea is Yeh et al.'s (CVPR 2017), as used by Thakur & Fischmeister. Names follow the GAN literature: the
*contextual loss* asks that the known pixels around the region agree, the *prior loss* that the discriminator finds the
result real. The poster swaps these two names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from overpaint.errors import OverpaintError
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.perturbation.randomness import image_rng
from overpaint.types import Images, Latents, LatentSearchResult, RingWeights


@runtime_checkable
class Guide(Protocol):
    """A further loss of what was painted for an image."""

    def __call__(self, painted: Float[Tensor, "variant channel *space"], row: int) -> Float[Tensor, " variant"]:
        """Returns the loss of images painted for row ``row`` of the batch, differentiable with respect to them."""
        ...


@dataclass(frozen=True)
class SearchRecipe:
    """The settings that a recipe gives to a latent search.

    Attributes:
        optimiser: ``adam`` with a cosine decay of its rate to a tenth, or ``nesterov`` momentum of 0.9.
        learning_rate: Its rate.
        steps: Gradient steps at most.
        prior_weight: Weight ``λ`` of the prior loss.
        starts: Random latents whose contextual loss is looked at to choose those to start from.
        patience: Steps without an improvement of the mean loss by 1 % after which the search ends; 0: never.
        summed: False: the ring weights sum to 1, and the contextual loss is the mean over the channels of images in
            ``[0, 1]``. True, as the authors have it: ring weights as they are, summed over the channels of images in
            ``[-1, 1]``.
        unit_cube: True: latents start uniform in ``[-1, 1]`` and are cut to it, whatever the generator was trained on.
    """

    optimiser: Literal["adam", "nesterov"]
    learning_rate: float
    steps: int
    prior_weight: float
    starts: int
    patience: int
    summed: bool
    unit_cube: bool


RECIPES = {
    "adam": SearchRecipe("adam", 0.1, 150, 0.003, 4096, 40, False, False),
    "authors": SearchRecipe("nesterov", 0.01, 1000, 0.005, 0, 0, True, True),
}


@dataclass(frozen=True)
class LatentSearch:
    """Searches ``count`` latents for each image: ``argmin_z Σ R |G(z) - X| + λ softplus(-D(G(z)))``.

    The best step of each latent is kept. Latents stay where the generator was trained, from the start and after each
    step: uniform ones are cut to ``[-1, 1]``; of normal ones, whose length is nearly ``sqrt(latent_dim)``, a longer
    one is scaled back to that.

    The generator and the discriminator must be in eval mode: in training mode batch normalisation would tie the
    variants of a batch to one another, as it does in the published notebooks.

    Attributes:
        recipe: ``adam``, or ``authors`` for theirs (Nesterov momentum 0.9 at rate 0.01, cut to ``[-1, 1]``, 1000
            steps).
        count: Latents ``K`` for each image.
        steps: Gradient steps at most; the recipe's where not given. So are the settings below.
        learning_rate: The optimiser's rate.
        prior_weight: ``λ``.
        starts: Random latents to choose the starts from; 0 takes the first ``count``.
        seed: Seed of the starts.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    recipe: Literal["adam", "authors"] = "adam"
    count: int = 64
    steps: int | None = None
    learning_rate: float | None = None
    prior_weight: float | None = None
    starts: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        steps, rate = self._resolved("steps"), self._resolved("learning_rate")
        weight, starts = self._resolved("prior_weight"), self._resolved("starts")
        if self.count < 1 or steps < 0 or rate <= 0 or weight < 0 or starts < 0:
            raise OverpaintError(
                f"search: count={self.count} must be at least 1, learning_rate={rate} above 0, and steps={steps:g}, "
                f"prior_weight={weight} and starts={starts:g} must not be negative"
            )

    def _resolved(self, name: str) -> float:
        own = getattr(self, name)
        return float(getattr(RECIPES[self.recipe], name) if own is None else own)

    @property
    def normalised_ring(self) -> bool:
        """Whether the recipe wants ring weights that sum to 1."""
        return not RECIPES[self.recipe].summed

    def __call__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        images: Images,
        ring_weights: RingWeights,
        guide: Guide | None = None,
    ) -> LatentSearchResult:
        """Searches one image after the other, its latents in one batch.

        Args:
            generator: ``G``, in eval mode.
            discriminator: ``D``, in eval mode.
            images: ``X``, at the generator's size.
            ring_weights: ``R``, scaled as `normalised_ring` says; where they are 0 only the prior loss counts.
            guide: A further loss, added to the other two; it has no say in the choice of the starts.

        Raises:
            OverpaintError: Under inference mode, where nothing has gradients, or if a network is in training mode.
        """
        if torch.is_inference_mode_enabled():
            raise OverpaintError("the latent search needs gradients: use Trainer(inference_mode=False)")
        if generator.training or discriminator.training:
            raise OverpaintError("the latent search needs the generator and the discriminator in eval mode")
        found = []
        for row, (image, ring) in enumerate(zip(images, ring_weights, strict=True)):
            further = None if guide is None else partial(guide, row=row)
            objective = _Objective(generator, discriminator, image, ring, further)
            rng = image_rng(image, self.seed, "search")
            found.append(self._search(objective, self._starts(objective, rng)))
        latents, painted, contextual, prior, steps = (
            torch.stack([torch.as_tensor(values) for values in column]) for column in zip(*found, strict=True)
        )
        return LatentSearchResult(latents, painted, contextual, prior, steps.to(images.device))

    def _starts(self, objective: "_Objective", rng: torch.Generator) -> Latents:
        candidates = int(max(self._resolved("starts"), self.count))
        if RECIPES[self.recipe].unit_cube:
            latents = 2 * torch.rand(candidates, objective.generator.latent_dim, generator=rng) - 1
        else:
            latents = objective.generator.sample_latents(candidates, rng)
        latents = latents.to(objective.image.device)
        _return_to_support(latents, self._unit_cube(objective))
        if candidates == self.count:
            return latents
        with torch.no_grad():
            losses = torch.cat([objective.losses(part)[0] for part in latents.split(max(self.count, 64))])
        return latents[losses.argsort(stable=True)[: self.count]]

    def _unit_cube(self, objective: "_Objective") -> bool:
        return RECIPES[self.recipe].unit_cube or objective.generator.latent_distribution == "uniform"

    @torch.enable_grad()
    def _search(self, objective: "_Objective", latents: Latents) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
        recipe, weight = RECIPES[self.recipe], self._resolved("prior_weight")
        steps, rate = int(self._resolved("steps")), self._resolved("learning_rate")
        latents = latents.clone().requires_grad_()
        optimiser = _optimiser(recipe, latents, rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1), eta_min=rate / 10)
        best = torch.full((len(latents),), torch.inf, device=latents.device)
        kept = latents.detach().clone()
        reference, since, step = torch.inf, 0, 0
        scale = 2.0 * len(objective.image) if recipe.summed else 1.0
        while True:
            painted = objective.generator(latents)
            contextual, prior = objective.losses_of(painted)
            loss = scale * contextual + weight * prior
            if objective.guide is not None:
                loss = loss + objective.guide(painted)
            better = loss.detach() < best
            best = torch.where(better, loss.detach(), best)
            kept[better] = latents.detach()[better]
            mean = float(best.mean())
            reference, since = (mean, 0) if mean < 0.99 * reference else (reference, since + 1)
            if step == steps or (recipe.patience and since >= recipe.patience):
                break
            (latents.grad,) = torch.autograd.grad(loss.sum(), latents)
            optimiser.step()
            if recipe.optimiser == "adam":
                schedule.step()
            _return_to_support(latents, self._unit_cube(objective))
            step += 1
        with torch.no_grad():
            painted = objective.generator(kept)
            contextual, prior = objective.losses_of(painted)
            total = objective.ring.sum().clamp(min=torch.finfo().tiny)
            return kept, painted, contextual / total, prior, step


class _Objective:
    """The losses of latents for one image."""

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        image: Float[Tensor, "channel *space"],
        ring: Float[Tensor, "*space"],
        guide: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.generator, self.discriminator, self.image, self.ring = generator, discriminator, image, ring
        self.guide = guide

    def losses(self, latents: Latents) -> tuple[Float[Tensor, " variant"], Float[Tensor, " variant"]]:
        """Returns the contextual and the prior loss of each latent."""
        return self.losses_of(self.generator(latents))

    def losses_of(
        self, painted: Float[Tensor, "variant channel *space"]
    ) -> tuple[Float[Tensor, " variant"], Float[Tensor, " variant"]]:
        """Returns the contextual and the prior loss of what was painted."""
        contextual = (self.ring * (painted - self.image).abs().mean(1)).flatten(1).sum(1)
        return contextual, F.softplus(-self.discriminator(painted))


def _optimiser(recipe: SearchRecipe, latents: Latents, rate: float) -> torch.optim.Optimizer:
    if recipe.optimiser == "adam":
        return torch.optim.Adam([latents], rate, betas=(0.9, 0.99))
    return torch.optim.SGD([latents], rate, momentum=0.9, nesterov=True)


@torch.no_grad()
def _return_to_support(latents: Latents, unit_cube: bool) -> None:
    if unit_cube:
        latents.clamp_(-1, 1)
    else:
        latents.mul_((latents.shape[1] ** 0.5 / latents.norm(dim=1, keepdim=True)).clamp(max=1))
