"""The numbers of a latent that choose the class: independent as the others, and turned into a choice."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from overpaint.core.choices import LatentDistribution
from overpaint.core.errors import OverpaintError

TEMPERATURE = 0.25
"""Of the choice: the lower, the fewer latents lie between two classes, and the steeper is the way across."""

SCALE = 3.0
"""Length of a clear choice, which stands beside many numbers of length 1."""

FARTHEST = 10.0
"""Normal numbers are taken for no farther from 0 than this, beyond which float32 has no probabilities left."""

LEAST = 1e-7
"""Least probability on either side of a uniform number, for the same reason."""

RAREST = 1e-12
"""Least share of a class that is reckoned with: one that the data lack has a logarithm too."""

ClassNumbers = Float[Tensor, "batch classes"]


class ClassLatents(nn.Module):
    """Turns ``K`` independent numbers of a latent into a choice among ``K`` classes, and draws those of a class.

    A number ``z_k`` becomes ``γ_k = -log(-log F(z_k))`` with its distribution function ``F``, so ``γ_k`` has the Gumbel
    distribution, and the class ``argmax_k (γ_k + log p_k)`` has probability ``p_k``. What the generator sees is the
    softmax of ``(γ_k + log p_k) / τ``: a sample of the concrete distribution (Maddison, Mnih & Teh, 2017; Jang, Gu &
    Poole, 2017), nearly one-hot, differentiable, so that a latent search can go from one class to another.

    Args:
        shares: ``p``, the share of each class in the data; they add up to 1.
        distribution: That of the numbers: N(0, 1) or U(-1, 1).

    Raises:
        OverpaintError: If the shares are not those of two or more classes.
    """

    def __init__(self, shares: Sequence[float], distribution: LatentDistribution) -> None:
        super().__init__()
        if len(shares) < 2 or min(shares) < 0 or not math.isclose(sum(shares), 1, abs_tol=1e-3):
            raise OverpaintError(f"class_shares={list(shares)} must be two or more numbers from 0 on that add up to 1")
        self.distribution = distribution
        self.register_buffer("shares", torch.tensor(shares, dtype=torch.float32), persistent=False)

    shares: Tensor

    def forward(self, numbers: ClassNumbers) -> ClassNumbers:
        """Returns what the generator sees: the softmax, `SCALE` times; differentiable."""
        return SCALE * (self._scores(numbers) / TEMPERATURE).softmax(1)

    def chosen(self, numbers: ClassNumbers) -> Int[Tensor, " batch"]:
        """Returns the classes that the numbers choose, ``argmax_k (γ_k + log p_k)``."""
        return self._scores(numbers).argmax(1)

    def sample(self, classes: Int[Tensor, " batch"], rng: torch.Generator) -> ClassNumbers:
        """Draws the numbers of a latent given its class: those of `chosen` equal to ``classes``, on ``rng``'s device.

        The greatest ``γ_k + log p_k`` is a Gumbel number whatever the class, and the others are Gumbel numbers below it
        (Maddison, Tarlow & Minka, 2014, "A* sampling", section 2): ``-log(e^-top + e^-(γ_k + log p_k))``.

        Args:
            classes: The class of each latent.
            rng: The random numbers.
        """
        log_shares = self._log_shares.to(rng.device, torch.float64)
        draws = torch.rand(len(classes), 1 + len(log_shares), generator=rng, device=rng.device, dtype=torch.float64)
        gumbels = -(-draws.clamp(1e-12, 1 - 1e-12).log()).log()
        top, free = gumbels[:, :1], gumbels[:, 1:] + log_shares
        scores = -torch.logaddexp(-top, -free)
        scores.scatter_(1, classes.to(rng.device)[:, None], top)
        probability = (-(log_shares - scores).exp()).exp()
        if self.distribution == "uniform":
            numbers = 2 * probability - 1
        else:
            numbers = torch.special.ndtri(probability).clamp(-FARTHEST, FARTHEST)
        return numbers.float()

    def _scores(self, numbers: ClassNumbers) -> ClassNumbers:
        """Returns ``γ_k + log p_k``."""
        numbers = numbers.float()
        if self.distribution == "uniform":
            log_probability = ((numbers + 1) / 2).clamp(LEAST, 1 - LEAST).log()
        else:
            log_probability = torch.special.log_ndtr(numbers.clamp(-FARTHEST, FARTHEST))
        return self._log_shares - (-log_probability).log()

    @property
    def _log_shares(self) -> Float[Tensor, " classes"]:
        return self.shares.clamp(min=RAREST).log()
