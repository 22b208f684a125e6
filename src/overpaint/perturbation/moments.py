"""Streaming sums over masked queries, from which maps and their standard errors follow."""

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.perturbation.masks import Masks
from overpaint.perturbation.method import MaskBatch, TargetScores

TargetMaps = Float[Tensor, "target *space"]


class MaskMoments:
    """Sums of products of scores ``p`` and masks ``M`` over the queries of one image, in float64.

    The scores are counted from the first one, ``q = p - p_1``: then little is lost to cancellation, and a classifier
    that always answers the same gets a covariance of exactly 0.

    Args:
        size: Pixels along each axis.
        device: Where the sums live.
    """

    def __init__(self, size: tuple[int, ...], device: torch.device) -> None:
        self.size, self.device = size, device
        self.count = 0
        self._first: Tensor | None = None

    def add(self, mask_batch: MaskBatch, answers: TargetScores, block: int = 64) -> None:
        """Adds the scores of a mask batch, in groups of fixed size, so that the sums do not depend on the passes."""
        for start in range(0, len(answers), block):
            rows = slice(start, min(start + block, len(answers)))
            self.update(answers[rows], mask_batch.masks(rows))

    def update(self, scores: TargetScores, masks: Masks) -> None:
        """Adds queries: their scores for each target, and their masks."""
        if self._first is None:
            self._first = scores[0].double()
            targets = scores.shape[1]
            # Row i holds Σ qⁱ, Σ qⁱ M, Σ qⁱ M² for i = 0, 1, 2, for each target.
            self._scores = torch.zeros(3, targets, dtype=torch.float64, device=self.device)
            self._masks = torch.zeros(3, targets, *self.size, dtype=torch.float64, device=self.device)
            self._squares = torch.zeros(3, targets, *self.size, dtype=torch.float64, device=self.device)
        powers = (scores.double() - self._first).T[None] ** torch.arange(3, device=scores.device)[:, None, None]
        flat = masks.double().flatten(1)
        self.count += len(scores)
        self._scores += powers.sum(2)
        self._masks += (powers @ flat).reshape(self._masks.shape)
        self._squares += (powers @ flat.square()).reshape(self._squares.shape)

    def mean_product(self) -> tuple[TargetMaps, TargetMaps]:
        """Returns the mean of ``p M`` and its standard error ``sqrt(Var(p M) / N)``, for each target."""
        first = self._spread(self._first if self._first is not None else torch.tensor(torch.nan))
        mean = (self._masks[1] + first * self._masks[0]) / self.count
        square = (self._squares[2] + 2 * first * self._squares[1] + first**2 * self._squares[0]) / self.count
        variance = (square - mean.square()).clamp(min=0)
        return mean, (variance / self.count).sqrt()

    def covariance(self) -> tuple[TargetMaps, TargetMaps]:
        """Returns ``Cov(p, M)`` and its standard error ``sqrt(Var((p - p̄)(M - M̄)) / N)``, for each target."""
        n = self.count
        _, p1, p2 = (self._spread(values) for values in self._scores / n)
        m, pm, ppm = self._masks / n
        mm, pmm, ppmm = self._squares / n
        covariance = pm - p1 * m
        # E[(p - p̄)² (M - M̄)²], multiplied out.
        second = ppmm - 2 * m * ppm + m**2 * p2 - 2 * p1 * (pmm - 2 * m * pm + m**2 * p1) + p1**2 * (mm - m**2)
        return covariance, ((second - covariance.square()).clamp(min=0) / n).sqrt()

    def _spread(self, values: Float[Tensor, " target"]) -> Tensor:
        """Shapes a value for each target so that it multiplies maps."""
        return values.reshape(-1, *[1] * len(self.size))
