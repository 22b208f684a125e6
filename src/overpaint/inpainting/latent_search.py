"""The latent search.

The idea is Yeh et al.'s (CVPR 2017), as used by Thakur & Fischmeister. Names follow the GAN literature: the
*contextual loss* asks that the known pixels around the region agree, the *prior loss* that the discriminator finds the
result real. The poster swaps these two names.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.bounds import Count, CountOrNone, NotNegative, Positive, Seed
from overpaint.core.checks import check_images
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Discriminator, Encoder, Generator
from overpaint.core.results import LatentSearchResult
from overpaint.core.types import Images, Regions, RingWeights
from overpaint.inpainting.objective import Guide, Objective, batch_size_for
from overpaint.inpainting.optimisers import make_optimiser
from overpaint.inpainting.painted import check_painted
from overpaint.inpainting.search_recipes import RECIPES, RecipeName, SearchRecipe
from overpaint.inpainting.search_state import Run
from overpaint.inpainting.selection import keep_relevant
from overpaint.inpainting.starts import StartPlan, return_to_support

GUESSES = 256
"""An encoder's guesses to choose the starts from; 64 start farther away, and 1024 cost more than they save."""

TRIAL = 5
"""Steps after which the half of an image's latents that fits best goes on, and at least as many as are searched to the
end; after twice as many steps half of these, and so on (successive halving: Jamieson & Talwalkar, 2016)."""

FINALISTS = 2
"""For each latent that is kept where diversity is asked for, so many are searched to the end."""

OnStep = Callable[[int, int, float], None]
OnLatents = Callable[[Float[Tensor, "batch variant latent"]], None]


@checked_settings
@dataclass(frozen=True)
class LatentSearch:
    """Searches ``num_variants`` latents for each image: ``argmin_z Σ R |G(z) - X| + λ softplus(-D(G(z)))``.

    The latents of all images move together, in passes of ``batch_size``; each has its own optimiser, whose best step is
    kept, and leaves when its loss has stopped to fall. An image's result does not depend on those beside it, see
    `Objective`. Latents stay where the generator was trained, from the start and after each step: uniform ones are cut
    to ``[-1, 1]``; of normal ones, whose length is nearly ``sqrt(latent_dim)``, a longer one is scaled back to that.

    The generator and the discriminator must be in eval mode: in training mode batch normalisation would tie the
    variants of a batch to one another, as it does in the published notebooks.

    Attributes:
        recipe: ``lbfgs``; ``adam``; or ``authors`` for theirs (Nesterov momentum 0.9 at rate 0.01, cut to
            ``[-1, 1]``, 1000 steps).
        num_variants: Latents ``K`` for each image.
        steps: Gradient steps at most; the recipe's where not given. So are those below that may be None.
        learning_rate: The optimiser's rate.
        prior_weight: ``λ``.
        num_candidates: Random latents to choose the starts from; 0 takes the first ones. None: the recipe's number for
            each variant.
        encoder: Whether, where there is an encoder, these are its guesses and not any of the generator's latents;
            where ``num_candidates`` is not given there are `GUESSES` of them. The recipe of the authors has none.
        spare: Latents that are searched beyond ``num_variants``, as a share of them. Step by step the half that fits
            worse is left behind, see `TRIAL`: a latent that can't continue the surroundings shows early,
            and is no plausible variant.
        patience: Steps without an improvement of 1 % after which a latent is left as it is; 0: none is.
        diversity: What a difference inside the region (root mean square) is worth in units of the loss. Above 0,
            twice as many latents are searched to the end, and those kept that fit and differ, see `most_relevant`.
        batch_size: Latents in one pass; more need more memory. None: on a processor as many as an image has, but
            at most 64; elsewhere 256.
        seed: Seed of the starts.
        on_step: Called after each step with its number, the number of steps at most, and the mean contextual loss so
            far.
        on_latents: Called after each step with the best latents of each image so far.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    recipe: RecipeName = "lbfgs"
    num_variants: Count = 64
    steps: CountOrNone | None = None
    learning_rate: Positive | None = None
    prior_weight: NotNegative | None = None
    num_candidates: CountOrNone | None = None
    spare: NotNegative | None = None
    encoder: bool = True
    patience: CountOrNone | None = None
    diversity: NotNegative = 0.0
    batch_size: Count | None = None
    seed: Seed = 0
    on_step: OnStep | None = field(default=None, repr=False, compare=False)
    on_latents: OnLatents | None = field(default=None, repr=False, compare=False)

    @property
    def _recipe(self) -> SearchRecipe:
        """The recipe, with the settings that take the place of its own."""
        own: dict[str, Any] = {
            "steps": self.steps,
            "learning_rate": self.learning_rate,
            "prior_weight": self.prior_weight,
            "spare": self.spare,
            "patience": self.patience,
        }
        return replace(RECIPES[self.recipe], **{name: value for name, value in own.items() if value is not None})

    @property
    def num_finalists(self) -> int:
        """How many latents are searched to the end."""
        return self.num_variants if self.diversity == 0 else FINALISTS * self.num_variants

    @property
    def num_starts(self) -> int:
        """How many latents a search starts with."""
        spare = self._recipe.spare if self._recipe.steps else 0.0  # without a step none is left behind
        return max(math.ceil((1 + spare) * self.num_variants), self.num_finalists)

    @property
    def normalised_ring(self) -> bool:
        """Whether the recipe wants ring weights that sum to 1."""
        return not self._recipe.summed

    def __call__(
        self,
        generator: Generator,
        discriminator: Discriminator | None,
        images: Images,
        ring_weights: RingWeights,
        regions: Regions | None = None,
        guide: Guide | None = None,
        encoder: Encoder | None = None,
    ) -> LatentSearchResult:
        """Searches the latents of all images.

        Args:
            generator: ``G``, in eval mode.
            discriminator: ``D``, in eval mode; None: there is no prior loss.
            images: ``X`` in ``[0, 1]``, at the generator's size.
            ring_weights: ``R``, scaled as `normalised_ring` says; where they are 0 only the prior loss counts.
            regions: ``B``, inside which latents are compared for diversity, and which an encoder does not see; None:
                everywhere.
            guide: A further loss, added to the other two; it has no say in the choice of the starts.
            encoder: Guesses where to start, in eval mode.

        Raises:
            OverpaintError: As `finalists`.
        """
        if regions is None:
            regions = torch.ones_like(ring_weights, dtype=torch.bool)
        found = self.finalists(generator, discriminator, images, ring_weights, regions, guide, encoder)
        return found if self.diversity == 0 else keep_relevant(found, regions, self.num_variants, self.diversity)

    def finalists(
        self,
        generator: Generator,
        discriminator: Discriminator | None,
        images: Images,
        ring_weights: RingWeights,
        regions: Regions,
        guide: Guide | None = None,
        encoder: Encoder | None = None,
    ) -> LatentSearchResult:
        """Searches as the call, and returns all `num_finalists` latents that were searched to the end.

        Raises:
            NumericalError: If the generator paints what is not finite.
            OverpaintError: Under inference mode, where nothing has gradients, if a network is in training mode, if the
                images are not in ``[0, 1]``, or if a pass needs more memory than there is.
        """
        if torch.is_inference_mode_enabled():
            raise OverpaintError("the latent search needs gradients: use Trainer(inference_mode=False)")
        if any(network is not None and network.training for network in (generator, discriminator, encoder)):
            raise OverpaintError("the latent search needs generator, discriminator and encoder in eval mode")
        check_images(images)
        recipe = self._recipe
        unit_cube = recipe.unit_cube or generator.latent_distribution == "uniform"
        batch_size = self.batch_size or batch_size_for(images.device, self.num_finalists)
        weight = recipe.prior_weight
        objective = Objective(generator, discriminator, images, ring_weights, recipe, weight, batch_size, guide)
        encoder = encoder if self.encoder and not recipe.unit_cube else None
        plan = StartPlan(self.num_starts, self._num_candidates(encoder), unit_cube, recipe.unit_cube, self.seed)
        starts = [plan.starts(objective, i, region, encoder) for i, region in enumerate(regions)]
        run = Run(objective, torch.cat(starts), self.num_starts)
        self._descend(run, unit_cube)
        return self._result(run)

    def paint(
        self,
        generator: Generator,
        discriminator: Discriminator | None,
        images: Images,
        ring_weights: RingWeights,
        latents: Float[Tensor, "batch variant latent"],
    ) -> LatentSearchResult:
        """Paints given latents and finds their losses, without a search.

        Args:
            generator: ``G``, in eval mode.
            discriminator: ``D``, in eval mode; None: there is no prior loss.
            images: ``X`` in ``[0, 1]``, at the generator's size.
            ring_weights: ``R``.
            latents: Some for each image.
        """
        recipe = self._recipe
        each, num_variants = latents.shape[:2]
        batch_size = self.batch_size or batch_size_for(images.device, num_variants)
        objective = Objective(generator, discriminator, images, ring_weights, recipe, recipe.prior_weight, batch_size)
        owners = torch.arange(each, device=latents.device).repeat_interleave(num_variants)
        painted, contextual = objective.look(latents.flatten(0, 1), owners)
        check_painted(painted)
        prior = objective.priors(painted, owners)
        painted, contextual, prior = (
            column.unflatten(0, (each, num_variants)) for column in (painted, contextual, prior)
        )
        unmoved = torch.zeros_like(contextual, dtype=torch.bool)
        return LatentSearchResult(latents, painted, contextual, prior, owners.new_zeros(each), unmoved)

    def _num_candidates(self, encoder: Encoder | None) -> int:
        """Returns among how many latents the starts of an image are chosen."""
        if self.num_candidates is not None:
            return self.num_candidates
        return self._recipe.candidates * self.num_variants if encoder is None else GUESSES

    def _descend(self, run: Run, unit_cube: bool) -> None:
        """Moves the latents until the last step, or until none of them improves any more."""
        recipe = self._recipe
        limit, patience, optimiser = recipe.steps, recipe.patience, make_optimiser(recipe)
        latents = run.kept.clone()
        going, halve_at = run.searched, TRIAL
        for step in range(limit + 1):
            found = run.objective.evaluate(latents, run.owners[run.moving])
            stalled = run.note(latents, found.losses, found.contextual)
            if self.on_step is not None:
                self.on_step(step, limit, float(run.contextual[run.leading(self.num_variants)].mean()))
            if self.on_latents is not None:
                self.on_latents(run.kept[run.leading(self.num_variants)].unflatten(0, (-1, self.num_variants)))
            stay = stalled < patience if patience else torch.ones_like(stalled, dtype=torch.bool)
            if step == halve_at:
                going, halve_at = max(math.ceil(going / 2), self.num_finalists), 2 * halve_at
                stay &= run.leading(going)[run.moving]
            if step == limit or not stay.any():
                break
            descended, gradients = found.descended, found.gradients
            if not stay.all():
                optimiser.keep(stay)
                run.moving = run.moving[stay]
                latents, descended, gradients = latents[stay], descended[stay], gradients[stay]
            latents = return_to_support(optimiser.step(latents, descended, gradients), unit_cube)
            run.steps[run.moving] += 1

    def _result(self, run: Run) -> LatentSearchResult:
        """Paints the finalists of each image."""
        objective, each = run.objective, len(run.objective.images)
        chosen = run.leading(self.num_finalists)
        painted, contextual = objective.look(run.kept[chosen], run.owners[chosen])
        check_painted(painted)
        prior = objective.priors(painted, run.owners[chosen])
        latents, painted, contextual, prior, improved = (
            column.unflatten(0, (each, self.num_finalists))
            for column in (run.kept[chosen], painted, contextual, prior, run.improved[chosen])
        )
        steps = run.steps.reshape(each, -1).amax(1)
        return LatentSearchResult(latents, painted, contextual, prior, steps, improved)
