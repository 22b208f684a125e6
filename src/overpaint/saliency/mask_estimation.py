"""Mask estimation: Algorithm 1 of Thakur & Fischmeister (ICPR 2020), repaired; and their published sampler."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from overpaint.core.bounds import Count, Inside, NotNegative, Positive, Seed, Several, ShareOrNone
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier
from overpaint.core.results import SaliencyMaps
from overpaint.core.rng import image_rng
from overpaint.core.types import Images, TargetSets
from overpaint.perturbation.baselines import Baseline
from overpaint.perturbation.engine import run_method
from overpaint.perturbation.masks import MaskGeometry, Shifts
from overpaint.perturbation.method import (
    ROUND,
    GridMasks,
    ImageMaps,
    Interim,
    PerturbationMethod,
    SamplingCoroutine,
    precise,
)
from overpaint.perturbation.regression import feature_variance, jackknife_error, jackknife_ridge, log_odds

ChainGrids = Float[Tensor, "chain *cells"]


def total_variation_gradient(grids: ChainGrids) -> ChainGrids:
    """Returns ``∇V`` of ``V(M) = Σ (M(x+1, y) - M(x, y))² + Σ (M(x, y+1) - M(x, y))²``, for any number of axes."""
    gradient = torch.zeros_like(grids)
    for axis in range(1, grids.ndim):
        difference = 2 * grids.diff(dim=axis)
        length = grids.shape[axis]
        gradient.narrow(axis, 0, length - 1).sub_(difference)
        gradient.narrow(axis, 1, length - 1).add_(difference)
    return gradient


def rank_in(history: Float[Tensor, " past"], values: Float[Tensor, " chain"]) -> Float[Tensor, " chain"]:
    """Returns the share of ``history`` that lies below each value, ties counted half; in ``[0, 1]``."""
    below = (history < values[:, None]).double().mean(1)
    tied = (history == values[:, None]).double().mean(1)
    return (below + tied / 2).float()


@checked_settings
@dataclass(frozen=True)
class MaskEstimation(PerturbationMethod):
    """Markov chains of masks that keep what the classifier needs; the map is how its score depends on them.

    Symbols of the paper: ``M`` the mask, ``Λ_on`` and ``Λ_off`` its preserved and masked cells, ``p_i`` the score of
    the image under the ``i``-th mask, ``Δp_i = p_i - p_{i-1}``, ``V`` the total variation, ``η`` its step.

    Where the default departs from the algorithm as printed, and why:

    ======================================  ============================================================================
    printed                                 here
    ======================================  ============================================================================
    one chain                               ``chains`` independent ones in a batch: a standard error, and less
                                            dependence on one start
    ``M`` is upsampled, then kept at full   the state stays on the grid (as in the authors' code); each query's
    size                                    upsampling has a random shift, or the cells' edges would show
    ``Δp_1`` from an undefined ``p_0``      the first ``Δp`` is 0
    ``n1 p`` of ``Λ_on`` and ``n2 (1-p)``   each cell by itself with probability ``q`` and ``1-q`` (the authors' code,
    of ``Λ_off``, ``n`` undefined           same mean); ``q = low + (high-low) · rank of p_i`` among the image's last
                                            ``window`` scores instead of ``p_i``: near ``p = 1`` a mask would never
                                            change again, near 0 it would flip to its complement
    ``M Δp`` on ``Λ_on``                    cells just switched on start at 1 (0 · Δp would keep them dark), kept cells
                                            are weighed by ``1 + weighing · Δp``: the product of ``Δp`` alone vanishes
                                            in five steps
    ``Δp`` without sign                     with its sign: a loss of score must not raise a cell's weight
    ``M + η V M``                           ``M - η ∇V(M)`` on ``Λ_on``, kept in ``[0, 1]``: ``V`` is one number, so
                                            the printed line is growth without bound, not smoothing
    the last mask is returned               the map is fitted to all queries: a single mask is one random draw
    ======================================  ============================================================================

    The map: ridge regression of the log-odds of ``p`` on the masks' means over blocks of half a cell, turned into each
    pixel's slope under independent cells (`MaskGeometry.block_slopes`): by how much the log-odds rise when the
    pixel's neighbourhood is kept. A covariance of ``p`` and mask, also tried, repeats less well from seed to seed.
    Its standard error is the jackknife's over chains.

    ``variant="authors"`` is the authors' published sampler: one chain, cells on with probability 0.3 at the start,
    ``q = p``, no Δp weighing but cells that rise get ``1 - 0.02 |Δp|``, and the unweighted mean of the masks, minus
    its mean, cut at 0, divided by its maximum. It has no standard error. Two defects of the code are left out: a sum
    that starts from uninitialised memory, and the retry loop that hides it.

    Attributes:
        queries: Forward passes for each target of an image, at most.
        chains: Parallel chains; ``queries`` is rounded up to a multiple.
        cells: Cells of the grid along each axis.
        start: Probability that a cell is on at the start.
        low: Least keep-rate.
        high: Greatest keep-rate.
        window: Number of an image's last scores among which a score is ranked.
        weighing: Weight of ``Δp`` on kept cells.
        smoothing: ``η``.
        ridge: Penalty of the fit, relative to the features' variance.
        stop_at: Sampling ends when the mean standard error of each map is under this share of the map's range;
            None: when ``queries`` are spent. ``authors`` has no error to stop at.
        variant: ``tempered`` (default) or ``authors``, which uses ``queries``, ``cells``, ``baseline`` and ``seed``.
        baseline: What stands where the mask is 0.
        seed: Seed of the chains.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    queries: Count = 1024
    chains: Several = 32
    cells: Count = 8
    start: Inside = 0.5
    low: ShareOrNone = 0.1
    high: ShareOrNone = 0.9
    window: Count = 256
    weighing: NotNegative = 0.5
    smoothing: NotNegative = 0.02
    ridge: Positive = 0.5
    stop_at: Positive | None = None
    variant: Literal["tempered", "authors"] = "tempered"
    baseline: Baseline = "auto"
    seed: Seed = 0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise OverpaintError(f"mask_estimation: low={self.low} must be below high={self.high}")
        if self.queries < 2 * self.chains or self.window < self.chains:
            raise OverpaintError(
                f"mask_estimation: queries={self.queries} must be at least twice chains={self.chains}, and "
                f"window={self.window} at least as many"
            )
        if self.variant == "authors" and self.stop_at is not None:
            raise OverpaintError("mask_estimation: stop_at needs a standard error, which variant=authors has not")

    def max_queries(self, size: tuple[int, ...], targets: int) -> int:
        """See `PerturbationMethod.max_queries`: each target has chains of its own."""
        return targets * self._steps * self._parallel

    def numbers_kept(self, channels: int, size: Sequence[int]) -> int:
        """See `SaliencyMethod`: the block means of all masks."""
        return self.queries * math.prod(min(2 * self.cells, side) for side in size)

    @property
    def _parallel(self) -> int:
        return 1 if self.variant == "authors" else self.chains

    @property
    def _steps(self) -> int:
        return -(-self.queries // self._parallel)

    def sample_masks(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: Int[Tensor, " target"]
    ) -> SamplingCoroutine:
        """Yields the present masks of all chains, step by step, to the last step or until ``stop_at`` is reached."""
        size = tuple(image.shape[1:])
        geometry = MaskGeometry((self.cells,) * len(size), size)
        chain_class = _AuthorsChain if self.variant == "authors" else _TemperedChains
        # Each target's chains start from the same stream: a map does not depend on the other targets.
        chains = [chain_class(self, geometry, image_rng(image, self.seed, "mask_estimation")) for _ in targets]
        for step in range(1, self._steps + 1):
            shifts = [geometry.draw_shifts(self._parallel, chain.rng) for chain in chains]
            grids = torch.cat([chain.grids for chain in chains])
            answers = yield GridMasks(geometry, grids.to(image.device), torch.cat(shifts).to(image.device))
            scores = answers.cpu().reshape(len(chains), self._parallel, len(chains))
            for own, (chain, shift) in enumerate(zip(chains, shifts, strict=True)):
                chain.step(scores[own, :, own], shift)
            if self.stop_at is not None and step > 1 and step * self._parallel % ROUND < self._parallel:
                maps, errors = _concatenated(chains)
                if errors is not None:
                    if precise(maps, errors, self.stop_at):
                        break
                    yield Interim(ImageMaps(maps.to(image), errors.to(image), step * self._parallel))
        maps, errors = _concatenated(chains)
        on_device = errors.to(image) if errors is not None else None
        return ImageMaps(maps.to(image), on_device, step * self._parallel)

    @property
    def is_stochastic(self) -> bool:
        """The chains are random."""
        return True

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps and their standard errors (none for ``authors``)."""
        return run_method(self, classifier, images, targets)


class _TemperedChains:
    """The chains of one image: Algorithm 1 with the repairs of `MaskEstimation`."""

    def __init__(self, settings: MaskEstimation, geometry: MaskGeometry, rng: torch.Generator) -> None:
        self.settings, self.geometry, self.rng = settings, geometry, rng
        draws = torch.rand(settings.chains, *geometry.cells, generator=rng)
        self.preserved: Bool[Tensor, chain * cells] = draws < settings.start
        self.grids = self.preserved.float()
        self.scores: list[Float[Tensor, " chain"]] = []
        self.features: list[Float[Tensor, "chain feature"]] = []

    def step(self, score: Float[Tensor, " chain"], shifts: Shifts) -> None:
        """Takes the scores ``p_i`` of the present masks and draws the next ones."""
        settings = self.settings
        blocks = [min(2 * c, s) for c, s in zip(self.geometry.cells, self.geometry.size, strict=True)]
        self.features.append(self.geometry.block_means(self.grids, shifts, blocks).flatten(1))
        change = score - self.scores[-1] if self.scores else torch.zeros_like(score)
        self.scores.append(score)
        history = torch.cat(self.scores[-max(1, settings.window // len(score)) :])
        keep_rate = settings.low + (settings.high - settings.low) * rank_in(history, score)

        def per_chain(values: Float[Tensor, " chain"]) -> Tensor:
            return values.reshape(-1, *[1] * len(self.geometry.cells))

        draws = torch.rand(self.grids.shape, generator=self.rng)
        rate = per_chain(keep_rate)
        preserved = draws < torch.where(self.preserved, rate, 1 - rate)
        weighed = (self.grids * (1 + settings.weighing * per_chain(change))).clamp(0, 1)
        grids = torch.where(preserved, torch.where(self.preserved, weighed, 1.0), 0.0)
        smoothed = (grids - settings.smoothing * total_variation_gradient(grids)).clamp(0, 1)
        self.preserved = preserved
        self.grids = torch.where(preserved, smoothed, 0.0)

    def result(self) -> tuple[Float[Tensor, "*space"], Float[Tensor, "*space"] | None]:
        """Fits the map to all queries, and to those of all chains but each one."""
        features, scores = torch.cat(self.features), torch.cat(self.scores)
        chain = torch.arange(len(scores)) % self.settings.chains
        penalty = self.settings.ridge * feature_variance(features)
        coefficients = jackknife_ridge(features, log_odds(scores)[:, None], chain, penalty)[..., 0]
        blocks = [min(2 * c, s) for c, s in zip(self.geometry.cells, self.geometry.size, strict=True)]
        slopes = self.geometry.block_slopes(coefficients.reshape(-1, *blocks))
        return slopes[0], jackknife_error(slopes[1:])


class _AuthorsChain:
    """The authors' published sampler for one image."""

    def __init__(self, settings: MaskEstimation, geometry: MaskGeometry, rng: torch.Generator) -> None:
        self.geometry, self.rng = geometry, rng
        self.grids = (torch.rand(1, *geometry.cells, generator=rng) > 0.7).float()
        self.last_score = torch.zeros(1)
        self.sum = torch.zeros(geometry.size)
        self.count = 0

    def step(self, score: Float[Tensor, " chain"], shifts: Shifts) -> None:
        """Adds the present mask to the sum and draws the next one."""
        self.sum += self.geometry.masks(self.grids, shifts)[0]
        self.count += 1
        change = (score - self.last_score).abs()
        self.last_score = score
        draws = torch.rand(self.grids.shape, generator=self.rng)
        on = draws < torch.where(self.grids > 0, score, 1 - score)
        # Their "regularizer" touches a cell only where the new mask exceeds the old one.
        self.grids = torch.where(on, torch.where(self.grids == 1, 1.0, 1 - 0.02 * change), 0.0)

    def result(self) -> tuple[Float[Tensor, "*space"], Float[Tensor, "*space"] | None]:
        """Returns the mean of the masks as the authors show it: above its mean, divided by its maximum."""
        raised = (self.sum / self.count - (self.sum / self.count).mean()).clamp(min=0)
        return raised / raised.max().clamp(min=torch.finfo().tiny), None


def _concatenated(
    chains: Sequence[_TemperedChains | _AuthorsChain],
) -> tuple[Float[Tensor, "target *space"], Float[Tensor, "target *space"] | None]:
    """Returns the maps of all targets and their errors."""
    results = [chain.result() for chain in chains]
    errors = [error for _, error in results if error is not None]
    return torch.stack([m for m, _ in results]), torch.stack(errors) if errors else None
