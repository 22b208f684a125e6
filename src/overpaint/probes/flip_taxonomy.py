"""Taxonomy of the variants that flip the prediction."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.types import Images

KINDS = ("natural", "counterfactual", "unrealistic", "unknown")
"""What a flipped variant can be."""

NATURAL, COUNTERFACTUAL, UNREALISTIC, UNKNOWN = range(len(KINDS))

TAIL = 0.05
"""Share of the accepted variants that are worse than a flipped one may be."""


@dataclass(frozen=True)
class FlipTaxonomy:
    """Files flipped variants by how well they fit, how real they look, and what a second classifier says.

    - *unrealistic*: its contextual loss is above ``contextual``, or its realism below ``realism``;
    - *natural*, a natural adversarial example (Zhao, Dua & Singh, 2018): it fits and looks real, and the oracle still
      sees the class, so that the classifier errs;
    - *counterfactual*: it fits and looks real, and the oracle sees another class too: the object has changed;
    - *unknown*: it fits and looks real, and there is no oracle.

    Attributes:
        contextual: The largest contextual loss that fits.
        realism: The smallest score of the discriminator that looks real; without a discriminator everything does.
    """

    contextual: float
    realism: float

    @classmethod
    def of(cls, losses: Float[Tensor, " accepted"], realism: Float[Tensor, " accepted"]) -> "FlipTaxonomy":
        """Returns the rule that all but 5 % of the accepted variants meet, by either of the two.

        Quantiles are interpolated, so of fewer than 20 the worst one fails as well.
        """
        return cls(float(losses.quantile(1 - TAIL)), float(realism.quantile(TAIL)))

    def __call__(
        self,
        losses: Float[Tensor, " flip"],
        realism: Float[Tensor, " flip"],
        answers: Int[Tensor, " flip"] | None,
        target: int,
    ) -> Int[Tensor, " flip"]:
        """Returns the kind of each flipped variant, an index into `KINDS`.

        Args:
            losses: Contextual losses.
            realism: The discriminator's scores.
            answers: The oracle's; None without one.
            target: The class that was explained.
        """
        real = (losses <= self.contextual) & ((realism >= self.realism) | realism.isnan())
        kinds = torch.full(losses.shape, UNREALISTIC, device=losses.device)
        if answers is None:
            kinds[real] = UNKNOWN
            return kinds
        kinds[real & (answers == target)] = NATURAL
        kinds[real & (answers != target)] = COUNTERFACTUAL
        return kinds


@dataclass(frozen=True)
class FlippedVariants:
    """Variants of a row that flip.

    Attributes:
        images: The pictures.
        losses: Their contextual losses.
        realism: The discriminator's scores.
        answers: The oracle's answers; None without one.
    """

    images: Images
    losses: Float[Tensor, " flip"]
    realism: Float[Tensor, " flip"]
    answers: Int[Tensor, " flip"] | None

    def numbers(self, source: str, rule: FlipTaxonomy, target: int) -> dict[str, float]:
        """Returns how many there are of each kind, and their shares."""
        counts = torch.bincount(self.kinds(rule, target), minlength=len(KINDS)).tolist()
        total = len(self.images)
        numbers = {f"flips_{source}": float(total)}
        numbers |= {f"{kind}_{source}": float(n) for kind, n in zip(KINDS, counts, strict=True)}
        shares = [n / total if total else math.nan for n in counts]
        return numbers | {f"{kind}_fraction_{source}": share for kind, share in zip(KINDS, shares, strict=True)}

    def kinds(self, rule: FlipTaxonomy, target: int) -> Int[Tensor, " flip"]:
        """Returns the kind of each."""
        return rule(self.losses, self.realism, self.answers, target)
