"""Recipes of DCGAN training: settings that belong together."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from overpaint.core.choices import LatentDistribution
from overpaint.core.value_range import is_series
from overpaint.networks.dcgan import Normalisation
from overpaint.networks.pyramid import widths
from overpaint.training.gan_losses import (
    Logits,
    Loss,
    bce_discriminator_loss,
    bce_generator_loss,
    relativistic_discriminator_loss,
    relativistic_generator_loss,
)


@dataclass(frozen=True)
class GanRecipe:
    """How the adversarial game is played.

    Attributes:
        generator_rate: Adam's learning rate for the generator.
        discriminator_rate: Adam's learning rate for the discriminator.
        betas: Adam's decay rates.
        relativistic: Whether fakes are compared with real images (RpGAN) instead of with zero (binary cross-entropy).
        normalisation: The discriminator's.
        penalty: Weight ``γ`` of the gradient penalty on real and on fake images in ``[0, 1]``; a quarter of what it
            would be for ``[-1, 1]``; 0 leaves it out.
        penalty_every: Steps between two penalties; each is weighed by this number (Karras et al., 2020, "lazy").
        decay: Share of the run at whose end the learning rates fall linearly, see `rate_factor`.
        latents: Distribution of the latents.
        conditional: Whether both networks are told the classes, where the data have some.
        weights: Standard deviation of the normal weights that training starts from; None: torch's own start.
        chosen_at: Side of the images, or length of the series, that rates and penalty were chosen on, see `at`; None:
            they are for all sizes.
    """

    generator_rate: float
    discriminator_rate: float
    betas: tuple[float, float]
    relativistic: bool
    normalisation: Normalisation
    penalty: float
    penalty_every: int
    decay: float
    latents: LatentDistribution
    conditional: bool
    weights: float | None
    chosen_at: int | None

    @property
    def discriminator_loss(self) -> Callable[[Logits, Logits], Loss]:
        """The discriminator's loss of real and of fake logits."""
        return relativistic_discriminator_loss if self.relativistic else bce_discriminator_loss

    @property
    def generator_loss(self) -> Callable[[Logits, Logits], Loss]:
        """The generator's loss of real and of fake logits."""
        return relativistic_generator_loss if self.relativistic else bce_generator_loss

    def optimizer(self, rate: float, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the settings of a network's optimiser: Adam, or another class at the same rate.

        Args:
            rate: The recipe's learning rate for the network.
            overrides: Settings that replace the recipe's, where they are not None. With a ``target`` the others are
                that class's defaults.
        """
        own = {name: value for name, value in overrides.items() if value is not None}
        if "target" in own:
            return {"lr": rate, **own}
        # foreach is the same arithmetic in fewer calls; torch's default on a GPU alone
        return {"target": "torch.optim.Adam", "lr": rate, "betas": self.betas, "foreach": True, **own}

    def rate_factor(self, step: int, steps: int) -> float:
        """Returns by what the learning rates are multiplied in a step: 1, and in the last ``decay`` of the run less.

        There it falls linearly towards 0 at the end, but not below 2 %.

        Args:
            step: The step, counted from 0.
            steps: How many the run has.
        """
        left = (steps - step) / steps
        return max(0.02, min(1.0, left / self.decay)) if self.decay else 1.0

    def at(self, size: Sequence[int]) -> "GanRecipe":
        """Returns the recipe for images or series of that size.

        The penalty grows with their area, as in StyleGAN2-ADA's code: the same judgement of a picture of twice the
        side has a quarter of the gradient at each of four times the pixels, so its squared norm is a quarter. The
        rates fall as the networks' widest layer grows: at 64 pixels the rates of 32 let the game swing (the
        discriminator's loss reached 4), and KID after an epoch was 1.4 instead of 0.12.

        Args:
            size: Height and width, or the length.

        Raises:
            OverpaintError: If there are no networks of that size.
        """
        if self.chosen_at is None:
            return self
        own = (self.chosen_at,) * len(size)
        wider = widths(size, 1)[-1] / widths(own, 1)[-1]
        return replace(
            self,
            generator_rate=self.generator_rate / wider,
            discriminator_rate=self.discriminator_rate / wider,
            penalty=self.penalty * (math.prod(size) / math.prod(own)),
        )


RECIPES = {
    "radford": GanRecipe(2e-4, 2e-4, (0.5, 0.999), False, "batch", 0.0, 1, 0.0, "uniform", False, 0.02, None),
    "stable": GanRecipe(2e-3, 1.5e-3, (0.0, 0.99), True, "none", 0.0125, 8, 0.4, "normal", True, 0.02, 32),
}

SERIES = {
    "stable": replace(
        RECIPES["stable"], generator_rate=3e-3, discriminator_rate=3e-3, penalty=4e-4, weights=None, chosen_at=128
    ),
}
"""The recipes that are others for series: what was chosen by measurement on the bundled ones."""


def recipe_for(name: str, size: Sequence[int]) -> GanRecipe:
    """Returns a recipe for images or series of a size.

    Args:
        name: ``stable`` or ``radford``.
        size: The size along each spatial dimension.

    Raises:
        OverpaintError: If there are no networks of that size.
    """
    own = SERIES.get(name, RECIPES[name]) if is_series(size) else RECIPES[name]
    return own.at(size)
