"""Checks of what a generator paints."""

import torch
from torch import Tensor

from overpaint.core.checks import check_finite
from overpaint.core.errors import OverpaintError
from overpaint.core.modules import floats_like
from overpaint.core.protocols import Generator

TRIED = 8
"""Latents by which a generator is tried."""


def check_painted(images: Tensor) -> None:
    """Checks that painted images are finite.

    Raises:
        NumericalError: If not; the generator is to blame, not the classifier that would see them.
    """
    check_finite(images, "the generator painted a value")


@torch.no_grad()
def try_generator(generator: Generator, name: str) -> None:
    """Paints a few random latents, before any search is begun.

    Args:
        generator: The generator.
        name: What it is called in errors.

    Raises:
        OverpaintError: If it paints nothing finite, or the same image whatever the latent, to the last bit.
    """
    latents = generator.sample_latents(TRIED, torch.Generator().manual_seed(0))
    images = generator(latents.to(floats_like(generator)) if isinstance(generator, torch.nn.Module) else latents)
    finite = images[images.isfinite().flatten(1).all(1)]
    if not len(finite):
        raise OverpaintError(
            f"{name} is broken: it painted values that are not finite numbers from each of {TRIED} random latents; "
            "its weights may not be those of this network, or its training may have diverged"
        )
    if len(finite) > 1 and bool((finite == finite[:1]).all()):
        raise OverpaintError(
            f"{name} is broken: it painted the same image from {TRIED} random latents, so there is nothing to search; "
            "its weights may not be those of this network, or its training may have collapsed"
        )
