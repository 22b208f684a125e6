"""Losses of the adversarial game."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from overpaint.core.types import Images, Targets
from overpaint.networks.dcgan import Discriminator

Logits = Float[Tensor, " batch"]
Loss = Float[Tensor, ""]


def bce_discriminator_loss(real: Logits, fake: Logits) -> Loss:
    """Binary cross-entropy with one-sided label smoothing 0.9 (Goodfellow et al., 2014; Salimans et al., 2016)."""
    on_real = F.binary_cross_entropy_with_logits(real, torch.full_like(real, 0.9))
    return on_real + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))


def bce_generator_loss(_real: Logits, fake: Logits) -> Loss:
    """``E softplus(-D(G(z)))`` = ``-E log sigmoid(D(G(z)))``, which does not saturate (Goodfellow et al., 2014)."""
    return F.softplus(-fake).mean()


def relativistic_discriminator_loss(real: Logits, fake: Logits) -> Loss:
    """``E softplus(D(G(z)) - D(x))`` over pairs (Jolicoeur-Martineau, 2018, RpGAN).

    A fake is compared with a real image instead of with zero, so a generator that covers a few classes only can't win.
    """
    return F.softplus(fake - real).mean()


def relativistic_generator_loss(real: Logits, fake: Logits) -> Loss:
    """``E softplus(D(x) - D(G(z)))`` over the same pairs."""
    return F.softplus(real.detach() - fake).mean()


def gradient_penalty(judge: Callable[[Images], Logits], images: Images) -> Loss:
    """``E ‖∇_x D(x)‖²`` (Mescheder, Geiger & Nowozin, 2018): R1 on real images (equation 9), R2 on fake ones.

    Args:
        judge: ``D``, a discriminator that is told the images' classes already, or none.
        images: ``x``.
    """
    images = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
    return gradients.square().flatten(1).sum(1).mean()


def gradient_penalties(discriminator: Discriminator, real: Images, fake: Images, labels: Targets) -> Loss:
    """Returns R1 + R2 on the first half of each batch, which is as telling as the whole and half the work.

    Args:
        discriminator: ``D``.
        real: Real images.
        fake: Painted ones.
        labels: The class of each real image, and of the fake one in its place, for a discriminator that knows classes.
    """
    half = max(1, len(real) // 2)
    judge = partial(discriminator, labels=labels[:half])
    return gradient_penalty(judge, real[:half]) + gradient_penalty(judge, fake[:half])
