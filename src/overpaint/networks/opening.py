"""Opens a generator of any kind: a checkpoint of ``train.py``, or a factory's network."""

from pathlib import Path

from torch import nn

from overpaint.core.errors import OverpaintError
from overpaint.core.importing import current_folder, import_attribute, is_factory
from overpaint.networks.checkpoint import load_generator
from overpaint.networks.factories import call_factory, saved_arguments
from overpaint.networks.gan import Gan, as_generator
from overpaint.networks.options import GeneratorOptions
from overpaint.networks.weights import read_weights


def open_generator(options: GeneratorOptions) -> Gan:
    """Opens a generator and what was trained beside it, frozen and in eval mode.

    Raises:
        OverpaintError: If it can't be found, loaded or called, or does not paint what is said of it.
    """
    if not is_factory(options.source):
        return load_generator(Path(options.source))
    assert options.latent_dim is not None
    discriminator = None
    if options.discriminator is not None:
        discriminator = _made(
            options.discriminator,
            options.discriminator_weights,
            "generator.discriminator",
            "generator.discriminator_weights",
        )
    return as_generator(
        _made(options.source, options.weights, "generator", "generator.weights"),
        options.latent_dim,
        options.range,
        options.latent_distribution,
        discriminator,
        options.discriminator_output,
    )


def _made(source: str, weights: str | None, key: str, weights_key: str) -> nn.Module:
    """Calls a factory, with the hyperparameters that Lightning saved, and loads its network's weights."""
    factory = import_attribute(source, key)
    file = None if weights is None else read_weights(Path(weights), weights_key)
    with current_folder():  # it may import more when it is called
        network = call_factory(source, key, factory, saved_arguments(factory, file))
    if not isinstance(network, nn.Module):
        raise OverpaintError(f"{key}={source} returned a {type(network).__name__}; it must return a network of torch")
    if file is not None:
        file.load(network)
    return network.eval().requires_grad_(False)
