"""The networks that a DCGAN's training starts from."""

import math
from collections.abc import Sequence

import torch

from overpaint.core.memory import FLOAT, check_memory
from overpaint.networks.dcgan import Discriminator, Generator, initialise_normal
from overpaint.networks.encoder import Encoder
from overpaint.networks.pyramid import start_and_doublings, widths
from overpaint.training.recipes import GanRecipe


def make_networks(
    recipe: GanRecipe,
    size: Sequence[int],
    channels: int,
    latent_dim: int,
    base_channels: int,
    class_shares: Sequence[float],
    encoder: bool,
    seed: int,
) -> tuple[Generator, Discriminator, Encoder | None]:
    """Makes the networks, with the weights that training starts from.

    Args:
        recipe: Says how.
        size: Size of the images along each spatial dimension.
        channels: Of the images.
        latent_dim: Length of a latent, without the numbers that choose the class.
        base_channels: Channels of the narrowest layers.
        class_shares: Share of each class that the networks are told; empty: they are told none.
        encoder: Whether there is one.
        seed: Seed of the weights.

    Returns:
        The generator, the discriminator, and the encoder or None.

    Raises:
        OverpaintError: If there are no networks of that size, or they do not fit into memory.
    """
    _check_memory(size, latent_dim, len(class_shares), base_channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = Generator(size, channels, latent_dim, base_channels, recipe.latents, class_shares)
        discriminator = Discriminator(size, channels, base_channels, recipe.normalisation, len(class_shares))
        if recipe.weights is not None:
            for network in (generator, discriminator):
                initialise_normal(network, recipe.weights)
        beside = Encoder(size, channels, generator.latent_dim, base_channels) if encoder else None
    return generator, discriminator, beside


def _check_memory(size: Sequence[int], latent_dim: int, classes: int, base_channels: int) -> None:
    """Checks that the largest weights fit into memory, with their gradients and the optimiser's two moments.

    Raises:
        OverpaintError: If not.
    """
    start, _ = start_and_doublings(size)
    *_, narrower, widest = widths(size, base_channels)
    weights = (latent_dim + classes) * widest * math.prod(start) + 2 * 4 ** len(size) * widest * narrower
    check_memory(f"model.dcgan with latent_dim={latent_dim} and base_channels={base_channels}", 4 * FLOAT * weights)
