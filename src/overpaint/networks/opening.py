"""Opens a generator of any kind: a checkpoint of ``train.py``, or a factory's network."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from torch import nn

from overpaint.core.errors import OverpaintError
from overpaint.core.importing import current_folder, import_attribute, is_factory, module_file
from overpaint.core.types import LatentDistribution
from overpaint.networks.checkpoint import load_generator
from overpaint.networks.gan import Gan, Range, as_generator
from overpaint.networks.weights import read_weights


@dataclass(frozen=True)
class GeneratorOptions:
    """What a user says of a generator.

    Attributes:
        source: A checkpoint of ``train.py``, or ``package.module:factory``, a function or class that is called without
            arguments and returns a network from latents to images; it may run any code.
        weights: A state-dict file for the factory's network; None if it comes trained.
        latent_dim: Length of a latent, for a factory.
        range: The range of the network's images, ``tanh`` or ``unit``.
        latent_distribution: The distribution of its latents, ``normal`` or ``uniform``.
        discriminator: ``package.module:factory`` of the discriminator that was trained against it; None: there is no
            prior loss and no realism.
        discriminator_weights: A state-dict file for it.
        discriminator_output: What it answers with.
    """

    source: str
    weights: str | None = None
    latent_dim: int | None = None
    range: Range = "tanh"
    latent_distribution: LatentDistribution = "normal"
    discriminator: str | None = None
    discriminator_weights: str | None = None
    discriminator_output: Literal["logits", "probabilities"] = "logits"

    def __post_init__(self) -> None:
        if is_factory(self.source):
            if self.latent_dim is None:
                raise OverpaintError(f"generator={self.source} needs generator.latent_dim, the length of a latent")
            return
        for name in ("weights", "latent_dim", "discriminator", "discriminator_weights"):
            if vars(self)[name] is not None:
                raise OverpaintError(
                    f"generator.{name}={vars(self)[name]} has no meaning for generator={self.source}, a checkpoint of "
                    "this project, which says it itself"
                )


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
    """Calls a factory and loads its network's weights."""
    factory = import_attribute(source, key)
    with current_folder():
        try:
            network: Any = factory()
        except Exception as error:  # someone else's code
            raise OverpaintError(f"{key}={source} failed when called without arguments: {error!r}") from error
    if not isinstance(network, nn.Module):
        raise OverpaintError(f"{key}={source} returned a {type(network).__name__}; it must return a network of torch")
    if weights is not None:
        read_weights(Path(weights), weights_key).load(network)
    return network.eval().requires_grad_(False)


def content_of_generator(options: GeneratorOptions) -> Iterator[bytes]:
    """Yields everything on which a generator depends: the content of its files, and options that are no files.

    Of a factory that is the file of its module; other modules that it imports are not seen. It must be imported.
    """
    for field in fields(options):
        value = vars(options)[field.name]
        yield field.name.encode()
        yield Path(value).read_bytes() if isinstance(value, str) and Path(value).is_file() else repr(value).encode()
    for source in (options.source, options.discriminator):
        if source is not None and is_factory(source) and (file := module_file(source)) is not None:
            yield file.read_bytes()
