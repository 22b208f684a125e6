"""Losses of the adversarial game, and the augmentation in front of the discriminator."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from overpaint.types import Images

Logits = Float[Tensor, " batch"]
Loss = Float[Tensor, ""]


def bce_discriminator_loss(real: Logits, fake: Logits) -> Loss:
    """Binary cross-entropy with one-sided label smoothing 0.9 (Goodfellow et al., 2014; Salimans et al., 2016)."""
    on_real = F.binary_cross_entropy_with_logits(real, torch.full_like(real, 0.9))
    return on_real + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))


def logistic_discriminator_loss(real: Logits, fake: Logits) -> Loss:
    """``E softplus(-D(x)) + E softplus(D(G(z)))``: binary cross-entropy without smoothing."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def nonsaturating_generator_loss(fake: Logits) -> Loss:
    """``E softplus(-D(G(z)))`` = ``-E log sigmoid(D(G(z)))`` (Goodfellow et al., 2014, section 3)."""
    return F.softplus(-fake).mean()


def gradient_penalty(discriminator: nn.Module, images: Images) -> Loss:
    """R1: ``E ‖∇_x D(x)‖²`` on real images (Mescheder, Geiger & Nowozin, 2018, equation 9)."""
    images = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    return gradients.square().flatten(1).sum(1).mean()


def translate(images: Images, most: int, rng: torch.Generator) -> Images:
    """Shifts each image by up to ``most`` pixels an axis, black coming in: DiffAugment's translation (Zhao, 2020)."""
    if most == 0:
        return images
    count, _, height, width = images.shape
    shift = torch.randint(0, 2 * most + 1, (count, 2), generator=rng, device=rng.device).to(images.device)
    padded = F.pad(images, (most,) * 4).permute(0, 2, 3, 1)
    rows = shift[:, 0, None] + torch.arange(height, device=images.device)
    columns = shift[:, 1, None] + torch.arange(width, device=images.device)
    batch = torch.arange(count, device=images.device)[:, None, None]
    return padded[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


@torch.no_grad()
def average_into(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Moves each parameter and buffer of ``averaged`` towards ``network``'s: ``a ← decay · a + (1 - decay) · w``."""
    pairs: list[tuple[Tensor, Tensor]] = list(zip(averaged.parameters(), network.parameters(), strict=True))
    pairs += list(zip(averaged.buffers(), network.buffers(), strict=True))
    for mean, value in pairs:
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)
