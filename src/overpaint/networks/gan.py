"""A generator with what belongs to it, of this project's training or of any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from overpaint.core.choices import LatentDistribution, Range
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Discriminator, Encoder, Generator
from overpaint.core.scale import SeriesScale
from overpaint.core.types import Images, Latents

SLACK = 1e-3
"""By which a painted value may lie outside of the range."""


@dataclass(frozen=True)
class Gan:
    """A generator and the networks that were trained beside it.

    Attributes:
        generator: Paints images from latents.
        discriminator: Tells real images from painted ones; None: no prior loss and no realism.
        encoder: Guesses where a latent search starts; None where none was trained.
        class_names: Of the images that they were trained on; empty where these had none or it is not known.
        scale: The units of the series that they were trained on; None: images, or the units are not known.
    """

    generator: Generator
    discriminator: Discriminator | None = None
    encoder: Encoder | None = None
    class_names: Sequence[str] = ()
    scale: SeriesScale | None = None

    def networks(self) -> list[nn.Module]:
        """Returns those of the networks that are modules of torch."""
        parts: tuple[object, ...] = (self.generator, self.discriminator, self.encoder)
        return [part for part in parts if isinstance(part, nn.Module)]


class WrappedGenerator(nn.Module):
    """Any network from latents to images as a `Generator`; it is asked as it is and in the mode it is in.

    ``G(z) = (network(z) + 1) / 2`` for a network whose images lie in ``[-1, 1]``. Latents have the form
    ``(batch, latent)``, or ``(batch, latent, 1, 1)`` where the network takes these alone, which is found out with one
    latent.

    Args:
        network: The network.
        latent_dim: Length of a latent.
        range: The range of its images.
        latent_distribution: The distribution of the latents that it was trained on.

    Raises:
        OverpaintError: If it takes neither form of latents, or does not answer with an image in that range.
    """

    def __init__(
        self,
        network: nn.Module,
        latent_dim: int,
        range: Range = "tanh",  # noqa: A002 - the name of what it is
        latent_distribution: LatentDistribution = "normal",
    ) -> None:
        super().__init__()
        if latent_dim < 1 or range not in ("tanh", "unit") or latent_distribution not in ("normal", "uniform"):
            raise OverpaintError(
                f"generator: latent_dim={latent_dim} must be at least 1, range={range} tanh or unit, and "
                f"latent_distribution={latent_distribution} normal or uniform"
            )
        self.network, self.latent_dim, self.range = network, latent_dim, range
        self.latent_distribution: LatentDistribution = latent_distribution
        self.trailing_axes = 0
        image = self._probe()
        self.channels = int(image.shape[1])
        self.output_size = tuple(image.shape[2:])

    @torch.no_grad()
    def _probe(self) -> Images:
        """Finds out which form of latents the network takes, and returns an image that it paints."""
        like = next(self.network.parameters(), torch.empty(0))
        rng = torch.Generator().manual_seed(0)
        latents = self.sample_latents(2, rng).to(like)
        failures = []
        for axes in (0, 2, 1):
            try:
                answer = self.network(latents.reshape(*latents.shape, *[1] * axes))
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                failures.append(str(error).splitlines()[0] if str(error) else type(error).__name__)
                continue
            if isinstance(answer, Tensor) and answer.ndim >= 3 and len(answer) == len(latents):
                self.trailing_axes = axes
                return self._checked(answer)
            failures.append(f"it answered with {getattr(answer, 'shape', type(answer).__name__)}")
        raise OverpaintError(
            f"the generator takes no latents of length {self.latent_dim}, neither as (batch, latent) nor as "
            f"(batch, latent, 1, 1): {failures[0]}"
        )

    def _checked(self, images: Tensor) -> Images:
        if not bool(images.isfinite().all()):
            raise OverpaintError(
                "the generator is broken: it painted values that are not finite numbers; its weights may not be those "
                "of this network, or its training may have diverged"
            )
        low, high = (float(end) for end in images.aminmax())
        least = -1.0 if self.range == "tanh" else 0.0
        if not (low >= least - SLACK and high <= 1 + SLACK):
            raise OverpaintError(
                f"the generator paints values from {low:.4g} to {high:.4g}, outside of [{least:g}, 1] of "
                f"range={self.range}; say range=unit for [0, 1] and range=tanh for [-1, 1]"
            )
        return images

    def forward(self, latents: Latents) -> Images:
        """Returns the painted images, in ``[0, 1]``."""
        images: Tensor = self.network(latents.reshape(*latents.shape, *[1] * self.trailing_axes))
        images = (images + 1) / 2 if self.range == "tanh" else images
        return images.clamp(0, 1)

    def sample_latents(self, count: int, rng: torch.Generator) -> Latents:
        """Draws ``count`` latents, on ``rng``'s device."""
        return sample_latents(self.latent_distribution, count, self.latent_dim, rng)


class WrappedDiscriminator(nn.Module):
    """Any network from images to a number that is larger for real ones, as a `Discriminator`.

    Args:
        network: The network; answers ``(batch,)``, ``(batch, 1)`` or ``(batch, 1, 1, 1)``.
        channels: Channels of its images.
        input_size: Size of its images along each spatial dimension.
        range: The range of its images.
        output: ``logits``, or ``probabilities``, which are turned into logits.

    Raises:
        OverpaintError: If it does not answer with a number for each image.
    """

    def __init__(
        self,
        network: nn.Module,
        channels: int,
        input_size: tuple[int, ...],
        range: Range = "tanh",  # noqa: A002 - the name of what it is
        output: Literal["logits", "probabilities"] = "logits",
    ) -> None:
        super().__init__()
        self.network, self.channels, self.input_size = network, channels, input_size
        self.range, self.output = range, output
        like = next(network.parameters(), torch.empty(0))
        with torch.no_grad():
            self(torch.full((2, channels, *input_size), 0.5).to(like))

    def forward(self, images: Images) -> Float[Tensor, " batch"]:
        """Returns a logit for each image in ``[0, 1]``."""
        answer: Tensor = self.network(2 * images - 1 if self.range == "tanh" else images)
        if answer.numel() != len(images):
            raise OverpaintError(
                f"the discriminator answered {len(images)} images with shape {tuple(answer.shape)}; it must give one "
                "number for each"
            )
        answer = answer.reshape(len(images))
        return answer.logit(1e-6) if self.output == "probabilities" else answer


def sample_latents(distribution: LatentDistribution, count: int, latent_dim: int, rng: torch.Generator) -> Latents:
    """Draws latents from N(0, 1), or from U(-1, 1) where they are uniform, on ``rng``'s device."""
    if distribution == "uniform":
        return 2 * torch.rand(count, latent_dim, generator=rng, device=rng.device) - 1
    return torch.randn(count, latent_dim, generator=rng, device=rng.device)


def as_generator(
    network: nn.Module | Generator,
    latent_dim: int | None = None,
    range: Range = "tanh",  # noqa: A002 - the name of what it is
    latent_distribution: LatentDistribution = "normal",
    discriminator: nn.Module | Discriminator | None = None,
    discriminator_output: Literal["logits", "probabilities"] = "logits",
    class_names: Sequence[str] = (),
) -> Gan:
    """Makes a generator of one's own fit for the latent search.

    Args:
        network: Any network from latents ``(batch, latent)`` or ``(batch, latent, 1, 1)`` to images
            ``(batch, channel, height, width)``, in eval mode; or what fulfils the protocol `Generator` already.
        latent_dim: Length of a latent.
        range: The range of its images, ``tanh`` for ``[-1, 1]`` or ``unit`` for ``[0, 1]``; the discriminator takes the
            same.
        latent_distribution: ``normal`` for N(0, 1), ``uniform`` for U(-1, 1).
        discriminator: The network that was trained against it; None: no prior loss and no realism.
        discriminator_output: What the discriminator answers with.
        class_names: Of the images that they were trained on.

    Raises:
        OverpaintError: If the networks do not take or return what is said of them.
    """
    generator: Any = network
    if not isinstance(network, Generator):
        if latent_dim is None:
            raise OverpaintError("as_generator needs latent_dim, the length of a latent")
        generator = WrappedGenerator(network, latent_dim, range, latent_distribution)
    wrapped: Any = discriminator
    if discriminator is not None and not isinstance(discriminator, Discriminator):
        wrapped = WrappedDiscriminator(
            discriminator, generator.channels, generator.output_size, range, discriminator_output
        )
    return Gan(generator, wrapped, None, list(class_names))
