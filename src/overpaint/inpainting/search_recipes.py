"""Recipes of the latent search: settings that belong together."""

from dataclasses import dataclass
from typing import Literal

RecipeName = Literal["lbfgs", "adam", "authors"]


@dataclass(frozen=True)
class SearchRecipe:
    """The settings that a recipe gives to a latent search.

    Attributes:
        optimiser: ``lbfgs``; ``adam`` with a cosine decay of its rate to a tenth; or ``nesterov`` momentum of 0.9.
        learning_rate: Its rate; for ``lbfgs`` the share of each quasi-Newton step that is taken.
        steps: Gradient steps at most.
        prior_weight: Weight ``λ`` of the prior loss.
        candidates: Random latents for each that is kept, whose contextual loss is looked at to choose the starts.
        spare: Latents that are searched beyond those that are kept, as a share of them.
        patience: Steps after which a latent whose loss has not improved by 1 % is left as it is; 0: none is.
        smoothing: Width ``ε`` of the smooth bottom that the optimiser sees instead of the absolute value's kink:
            ``sqrt(d² + ε²) - ε`` for ``|d|``. Its curvature is what a quasi-Newton method builds on. The step that is
            kept is the best one by the unsmoothed loss.
        summed: False: the ring weights sum to 1, and the contextual loss is the mean over the channels of images in
            ``[0, 1]``. True, as the authors have it: ring weights as they are, summed over the channels of images in
            ``[-1, 1]``.
        unit_cube: True: latents start uniform in ``[-1, 1]`` and are cut to it, whatever the generator was trained on.
    """

    optimiser: Literal["lbfgs", "adam", "nesterov"]
    learning_rate: float
    steps: int
    prior_weight: float
    candidates: int
    spare: float
    patience: int
    smoothing: float
    summed: bool
    unit_cube: bool


RECIPES: dict[RecipeName, SearchRecipe] = {
    "lbfgs": SearchRecipe("lbfgs", 1.0, 75, 0.003, 64, 7.0, 10, 0.03, False, False),
    "adam": SearchRecipe("adam", 0.1, 150, 0.003, 64, 0.0, 40, 0.0, False, False),
    "authors": SearchRecipe("nesterov", 0.01, 1000, 0.005, 0, 0.0, 0, 0.0, True, True),
}
