"""The generator and discriminator of a deep convolutional GAN (Radford, Metz & Chintala, 2015).

Deviations from the paper: the generator may start from 7x7 instead of 4x4, which gives 224 pixels; the
discriminator's batch normalisation can be left out or replaced by spectral normalisation (Miyato et al., 2018).
Both keep tanh's range to themselves: images outside are in ``[0, 1]``.
"""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from overpaint.core.errors import OverpaintError
from overpaint.core.types import Images, Latents

LatentDistribution = Literal["normal", "uniform"]
Normalisation = Literal["none", "batch", "spectral"]

_START_AND_DOUBLINGS = {32: (4, 3), 64: (4, 4), 128: (4, 5), 224: (7, 5)}
"""Image size -> (side of the first feature map, number of times that it is doubled)."""


def start_and_doublings(image_size: int) -> tuple[int, int]:
    """Returns the side of the smallest feature map, and how often it is doubled to give the image.

    Raises:
        OverpaintError: If there is no network of that size.
    """
    if image_size not in _START_AND_DOUBLINGS:
        raise OverpaintError(
            f"image_size={image_size} is not a size of this DCGAN; choose one of {sorted(_START_AND_DOUBLINGS)}"
        )
    return _START_AND_DOUBLINGS[image_size]


class Generator(nn.Module):
    """Paints an image from a latent: strided transposed convolutions, batch normalisation, ReLU, tanh.

    Args:
        image_size: 32, 64, 128 or 224.
        channels: 1 (grey) or 3 (RGB).
        latent_dim: Length of a latent.
        base_channels: Channels of the last hidden layer; each earlier one has twice as many.
        latent_distribution: ``normal``: N(0, 1); ``uniform``: U(-1, 1), as in the paper.

    Raises:
        OverpaintError: If there is no network of that size.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        latent_dim: int = 64,
        base_channels: int = 32,
        latent_distribution: LatentDistribution = "normal",
    ) -> None:
        super().__init__()
        start, doublings = start_and_doublings(image_size)
        if latent_distribution not in get_args(LatentDistribution):
            raise OverpaintError(f"latent_distribution={latent_distribution!r} is neither 'normal' nor 'uniform'")
        self.settings = {
            "image_size": image_size,
            "channels": channels,
            "latent_dim": latent_dim,
            "base_channels": base_channels,
            "latent_distribution": latent_distribution,
        }
        self.image_size = image_size
        self.channels = channels
        self.latent_dim = latent_dim
        self.latent_distribution = latent_distribution
        width = base_channels * 2 ** (doublings - 1)
        layers = [
            nn.ConvTranspose2d(latent_dim, width, start, 1, 0, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        for _ in range(doublings - 1):
            layers += [
                nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(width // 2),
                nn.ReLU(inplace=True),
            ]
            width //= 2
        layers += [nn.ConvTranspose2d(width, channels, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Latents) -> Images:
        """Returns the painted images, in ``[0, 1]``."""
        images: Tensor = self.layers(latents[:, :, None, None])
        return (images + 1) / 2

    def sample_latents(self, count: int, rng: torch.Generator) -> Latents:
        """Draws ``count`` latents from the distribution that the generator is trained on, on ``rng``'s device."""
        if self.latent_distribution == "uniform":
            return 2 * torch.rand(count, self.latent_dim, generator=rng, device=rng.device) - 1
        return torch.randn(count, self.latent_dim, generator=rng, device=rng.device)

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


class Discriminator(nn.Module):
    """Judges whether an image is real: strided convolutions and leaky ReLU.

    Args:
        image_size: 32, 64, 128 or 224.
        channels: 1 (grey) or 3 (RGB).
        base_channels: Channels of the first layer; each later one has twice as many.
        normalisation: ``batch`` as in the paper (none behind the first layer), ``spectral`` or ``none``.

    Raises:
        OverpaintError: If there is no network of that size.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        base_channels: int = 32,
        normalisation: Normalisation = "none",
    ) -> None:
        super().__init__()
        last, doublings = start_and_doublings(image_size)
        if normalisation not in get_args(Normalisation):
            raise OverpaintError(f"normalisation={normalisation!r} is not one of {get_args(Normalisation)}")
        self.settings = {
            "image_size": image_size,
            "channels": channels,
            "base_channels": base_channels,
            "normalisation": normalisation,
        }
        self.image_size = image_size
        self.channels = channels

        def convolution(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> nn.Module:
            layer = nn.Conv2d(inputs, outputs, kernel, stride, padding)
            return spectral_norm(layer) if normalisation == "spectral" else layer

        width = base_channels
        layers: list[nn.Module] = [convolution(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for _ in range(doublings - 1):
            layers.append(convolution(width, 2 * width, 4, 2, 1))
            if normalisation == "batch":
                layers.append(nn.BatchNorm2d(2 * width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            width *= 2
        layers.append(convolution(width, 1, last, 1, 0))
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Images) -> Float[Tensor, " batch"]:
        """Returns one logit an image in ``[0, 1]``: larger is more real."""
        logits: Tensor = self.layers(2 * images - 1)
        return logits.flatten()


def initialise_normal(network: nn.Module, deviation: float = 0.02) -> None:
    """Draws the weights of all convolutions from N(0, ``deviation``²), as Radford et al. (section 4) do."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, deviation)
