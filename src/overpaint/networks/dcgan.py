"""The generator and discriminator of a deep convolutional GAN (Radford, Metz & Chintala, 2015).

They are for images, and for series, whose layers have one dimension. Deviations from the paper: the generator may start
from more than 4x4, such as 7x7 for 224 pixels or 6x10 for 96x160;
the discriminator's batch normalisation can be left out or replaced by spectral normalisation (Miyato et al., 2018);
both can know the classes of the data (Mirza & Osindero, 2014).
Both keep tanh's range to themselves: images outside are in ``[0, 1]``.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from overpaint.core.bounds import Count, CountOrNone, ImageSize, ShareOrNone
from overpaint.core.choices import LatentDistribution
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.sizes import as_size, plain_size
from overpaint.core.types import Images, Latents, Targets
from overpaint.networks.class_latents import ClassLatents
from overpaint.networks.dimensions import CONVOLUTIONS, layers_for
from overpaint.networks.gan import sample_latents
from overpaint.networks.pyramid import drawn_size, fitted, start_and_doublings, widths

Normalisation = Literal["none", "batch", "spectral"]


@checked_settings
class Generator(nn.Module):
    """Paints an image from a latent: strided transposed convolutions, batch normalisation, ReLU, tanh.

    Args:
        image_size: Height and width, or the side of a square: 32, 64, 128, 224, [96, 160], see `start_and_doublings`;
            of series their length in a list, such as [140].
        channels: 1 (grey) or 3 (RGB), or those of the series.
        latent_dim: Length of a latent, without the numbers that choose the class.
        base_channels: Channels of the last hidden layer; each earlier one has twice as many.
        latent_distribution: ``normal``: N(0, 1); ``uniform``: U(-1, 1), as in the paper.
        class_shares: Share of each class in the data. Each class then has a number more in the latent, and together
            they choose the class, see `ClassLatents`; to a user these are numbers like the others. Empty: none.

    Attributes:
        latent_dim: Length of a latent, with the numbers that choose the class.

    Raises:
        OverpaintError: If there is no network of that size.
    """

    def __init__(
        self,
        image_size: ImageSize = 32,
        channels: Count = 3,
        latent_dim: Count = 64,
        base_channels: Count = 32,
        latent_distribution: LatentDistribution = "normal",
        class_shares: Sequence[ShareOrNone] = (),
    ) -> None:
        super().__init__()
        self.output_size = as_size(image_size, None)
        start, _ = start_and_doublings(self.output_size)
        if latent_distribution not in get_args(LatentDistribution):
            raise OverpaintError(f"latent_distribution={latent_distribution!r} is neither 'normal' nor 'uniform'")
        self.settings = {
            "image_size": plain_size(self.output_size),
            "channels": channels,
            "latent_dim": latent_dim,
            "base_channels": base_channels,
            "latent_distribution": latent_distribution,
            "class_shares": list(class_shares),
        }
        self.channels = channels
        self.latent_dim = latent_dim + len(class_shares)
        self.latent_distribution = latent_distribution
        self.class_latents = ClassLatents(class_shares, latent_distribution) if class_shares else None
        of_size = layers_for(self.output_size)
        hidden = widths(self.output_size, base_channels)[::-1]
        layers: list[nn.Module] = [
            of_size.transposed(self.latent_dim, hidden[0], start, 1, 0, bias=False),  # type: ignore[arg-type]
            of_size.normalisation(hidden[0]),
            nn.ReLU(inplace=True),
        ]
        for inputs, outputs in pairwise(hidden):
            layers += [
                of_size.transposed(inputs, outputs, 4, 2, 1, bias=False),
                of_size.normalisation(outputs),
                nn.ReLU(inplace=True),
            ]
        layers += [of_size.transposed(hidden[-1], channels, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Latents) -> Images:
        """Returns the painted images, in ``[0, 1]``."""
        if self.class_latents is not None:
            choice, others = latents.tensor_split([len(self.class_latents.shares)], dim=1)
            latents = torch.cat([self.class_latents(choice).to(others), others], dim=1)
        images: Tensor = self.layers(latents.reshape(*latents.shape, *[1] * len(self.output_size)))
        return (fitted(images, self.output_size) + 1) / 2

    def sample_latents(self, count: int, rng: torch.Generator) -> Latents:
        """Draws ``count`` latents from the distribution that the generator is trained on, on ``rng``'s device."""
        return sample_latents(self.latent_distribution, count, self.latent_dim, rng)

    def sample_latents_of(self, labels: Targets, rng: torch.Generator) -> Latents:
        """Draws a latent of each class in ``labels``; of any class where the generator knows none.

        Where the labels have the data's shares, these are latents of `sample_latents`' distribution.
        """
        latents = self.sample_latents(len(labels), rng)
        if self.class_latents is not None:
            latents[:, : len(self.class_latents.shares)] = self.class_latents.sample(labels, rng)
        return latents

    def interpolate_latents(self, start: Latents, end: Latents, count: int) -> Float[Tensor, "count batch latent"]:
        """Returns the latents on the way from ``start`` to ``end``, both included, where the distribution has its mass.

        Uniform latents: ``(1-t) start + t end``. Normal ones lie near a sphere, whose inside training never saw, so
        their way is the arc (Shoemake, 1985; for latents White, 2016), with ω the angle between the two
        ``sin((1-t) ω) / sin(ω) start + sin(t ω) / sin(ω) end``; the straight line where they have one direction or
        opposite ones.
        """
        t = torch.linspace(0, 1, count, device=start.device)[:, None, None]
        straight = torch.lerp(start, end, t)
        if self.latent_distribution == "uniform":
            return straight
        angle = F.cosine_similarity(start, end, dim=1).clamp(-1, 1).acos()[:, None]
        arc = (((1 - t) * angle).sin() * start + (t * angle).sin() * end) / angle.sin()
        return torch.where(angle.sin() > 1e-4, arc, straight)


@checked_settings
class Discriminator(nn.Module):
    """Scores whether an image is real, by strided convolutions and leaky ReLU.

    Args:
        image_size: Height and width, or the side of a square: 32, 64, 128, 224, [96, 160], see `start_and_doublings`;
            of series their length in a list, such as [140].
        channels: 1 (grey) or 3 (RGB).
        base_channels: Channels of the first layer; each later one has twice as many.
        normalisation: ``batch`` as in the paper (none behind the first layer), ``spectral`` or ``none``.
        classes: How many classes it knows; 0: it does not look at classes.

    Raises:
        OverpaintError: If there is no network of that size.
    """

    def __init__(
        self,
        image_size: ImageSize = 32,
        channels: Count = 3,
        base_channels: Count = 32,
        normalisation: Normalisation = "none",
        classes: CountOrNone = 0,
    ) -> None:
        super().__init__()
        self.input_size = as_size(image_size, None)
        last, _ = start_and_doublings(self.input_size)
        if normalisation not in get_args(Normalisation):
            raise OverpaintError(f"normalisation={normalisation!r} is not one of {get_args(Normalisation)}")
        self.settings = {
            "image_size": plain_size(self.input_size),
            "channels": channels,
            "base_channels": base_channels,
            "normalisation": normalisation,
            "classes": classes,
        }
        self.channels, self.classes = channels, classes

        of_size = layers_for(self.input_size)

        def convolution(
            inputs: int, outputs: int, kernel: int | tuple[int, ...], stride: int, padding: int
        ) -> nn.Module:
            layer = of_size.convolution(inputs, outputs, kernel, stride, padding)  # type: ignore[arg-type]
            return spectral_norm(layer) if normalisation == "spectral" else layer

        hidden = widths(self.input_size, base_channels)
        layers: list[nn.Module] = [convolution(channels, hidden[0], 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for inputs, outputs in pairwise(hidden):
            layers.append(convolution(inputs, outputs, 4, 2, 1))
            if normalisation == "batch":
                layers.append(of_size.normalisation(outputs))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        layers.append(convolution(hidden[-1], 1 + classes, last, 1, 0))
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Images, labels: Targets | None = None) -> Float[Tensor, " batch"]:
        """Returns one logit an image in ``[0, 1]``: larger is more real.

        With classes the logit of an image ``x`` of class ``y`` is ``ψ(x) + v_y(x)``, both linear in the last hidden
        layer (Miyato & Koyama, 2018, equation 3). An image whose class is not said has the logarithm of the mean odds,
        ``ψ(x) + log (1/K Σ_y exp v_y(x))``, which nearly is the logit of the class that suits it best.

        Args:
            images: The images.
            labels: The class of each; None: not said. Without classes they are not looked at.
        """
        answers: Tensor = self.layers(fitted(2 * images - 1, drawn_size(self.input_size))).flatten(1)
        logits, of_classes = answers[:, 0], answers[:, 1:]
        if not self.classes:
            return logits
        if labels is None:
            return logits + of_classes.logsumexp(1) - math.log(self.classes)
        return logits + of_classes.gather(1, labels[:, None])[:, 0]


def initialise_normal(network: nn.Module, deviation: float = 0.02) -> None:
    """Draws the weights of all convolutions from N(0, ``deviation``²), as Radford et al. (section 4) do."""
    for module in network.modules():
        if isinstance(module, CONVOLUTIONS):
            nn.init.normal_(module.weight, 0.0, deviation)
