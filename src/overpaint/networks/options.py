"""The options of a generator: its source, and how it is used."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from overpaint.core.bounds import Count
from overpaint.core.choices import LatentDistribution, Range
from overpaint.core.errors import OverpaintError
from overpaint.core.importing import is_factory, module_file
from overpaint.core.instantiate import checked_settings


@checked_settings
@dataclass(frozen=True)
class GeneratorOptions:
    """What a user says of a generator.

    Attributes:
        source: A checkpoint of ``train.py``, or ``package.module:factory``, a function or class that returns a
            network from latents to images; it is called with the hyperparameters that Lightning saved in ``weights``,
            else without arguments, and may run any code.
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
    latent_dim: Count | None = None
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
