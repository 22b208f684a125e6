"""The encoder: draws latents from which a latent search starts."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from overpaint.core.bounds import Count, ImageSize
from overpaint.core.instantiate import checked_settings
from overpaint.core.sizes import as_size, plain_size
from overpaint.core.types import Images, Latents, Regions
from overpaint.networks.dimensions import layers_for
from overpaint.networks.pyramid import drawn_size, fitted, start_and_doublings, widths

LOG_VARIANCES = (-6.0, 1.0)
"""Between which the encoder's log variances are cut; a latent's own is 0 or, where it is uniform, -1.1."""


@checked_settings
class Encoder(nn.Module):
    """Guesses from what is known of an image which latents its generator could have painted it from.

    A recognition network (Hinton et al., 1995) for images with holes: ``q(z | X, B) = N(μ, diag(σ²))``, where ``μ`` and
    ``log σ²`` are what strided convolutions make of the image without its region, ``X ⊙ (1-B)``, and of the region
    ``B``.

    Args:
        image_size: Height and width, or the side of a square, or a series' length in a list: those of the generator.
        channels: Those of the generator.
        latent_dim: Length of a latent.
        base_channels: Channels of the first layer; each later one has twice as many.

    Raises:
        OverpaintError: If there is no network of that size.
    """

    def __init__(
        self,
        image_size: ImageSize = 32,
        channels: Count = 3,
        latent_dim: Count = 64,
        base_channels: Count = 32,
    ) -> None:
        super().__init__()
        self.input_size = as_size(image_size, None)
        last, _ = start_and_doublings(self.input_size)
        self.settings = {
            "image_size": plain_size(self.input_size),
            "channels": channels,
            "latent_dim": latent_dim,
            "base_channels": base_channels,
        }
        of_size, inputs = layers_for(self.input_size), channels + 1
        layers: list[nn.Module] = []
        for depth, width in enumerate(widths(self.input_size, base_channels)):
            layers.append(of_size.convolution(inputs, width, 4, 2, 1, bias=depth == 0))
            if depth:
                layers.append(of_size.normalisation(width))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            inputs = width
        layers.append(of_size.convolution(inputs, 4 * latent_dim, last, 1, 0))  # type: ignore[arg-type]
        layers += [nn.LeakyReLU(0.2, inplace=True), nn.Flatten()]
        self.layers = nn.Sequential(*layers, nn.Linear(4 * latent_dim, 2 * latent_dim))

    def forward(self, images: Images, regions: Regions) -> tuple[Latents, Latents]:
        """Returns ``μ`` and ``log σ²``.

        Args:
            images: ``X`` in ``[0, 1]``; inside the region it is not seen.
            regions: ``B``.
        """
        hole = regions[:, None]
        known = (2 * images - 1).masked_fill(hole, 0.0)
        seen = fitted(torch.cat([known, hole.to(known)], dim=1), drawn_size(self.input_size))
        mean, log_variance = self.layers(seen).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCES)

    @torch.no_grad()
    def guesses(
        self, images: Images, regions: Regions, count: int, rng: torch.Generator
    ) -> Float[Tensor, "batch guess latent"]:
        """Draws ``count`` latents for each image from ``q(z | X, B)``, with random numbers of ``rng``'s device."""
        mean, log_variance = self(images, regions)
        draws = torch.randn(len(images), count, mean.shape[1], generator=rng, device=rng.device).to(mean)
        drawn: Tensor = mean[:, None] + draws * (log_variance / 2).exp()[:, None]
        return drawn
