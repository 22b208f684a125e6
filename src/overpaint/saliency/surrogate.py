"""A linear surrogate of the classifier under random masks: the scores of random masks, fitted by ridge regression."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.bounds import MOST, Bounds, Count, Positive, Seed
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier
from overpaint.core.results import SaliencyMaps
from overpaint.core.rng import image_rng
from overpaint.core.types import Images, TargetSets
from overpaint.perturbation.baselines import Baseline
from overpaint.perturbation.engine import run_method
from overpaint.perturbation.masks import MaskGeometry
from overpaint.perturbation.method import (
    GridMasks,
    ImageMaps,
    Interim,
    PerturbationMethod,
    SamplingCoroutine,
    TargetScores,
    precise,
    rounds,
)
from overpaint.perturbation.regression import feature_variance, jackknife_error, jackknife_ridge, log_odds

GROUPS = 16
"""Groups of the jackknife; a mask and its complement are in the same."""

ENOUGH = 384
"""Queries from which on the finer grid is used."""

CELLS = 7
"""Cells of the grids along each axis, where there are enough queries."""

BLOCKS = 3
"""Blocks of the surrogate along each axis, for each cell of the masks."""


@checked_settings
@dataclass(frozen=True)
class Surrogate(PerturbationMethod):
    """RISE's map from a fraction of its queries: the masks' effect is fitted, not summed.

    RISE's sum ``Σ_k p_k M_k`` estimates how the score ``p`` moves with each pixel's mask by correlation alone, so
    everything else that moves the score is noise to each pixel. Yet the score under smooth masks is largely a function
    of few numbers: the masks' means ``X_b`` over blocks ``b`` of a third of a cell. So

    1. masks are sampled in pairs ``g`` and ``1 - g`` of complementary grids under the same shift: what the score
       does that is even in the mask cancels;
    2. the log-odds ``y`` of ``p`` are fitted by ridge regression, ``y ≈ a + Σ_b β_b X_b``. They are closer to linear
       than the score, which is saturated over most masks where a classifier is sure;
    3. the map is the slope of the fitted ``y`` in the mask at each pixel, ``Cov(y, M(λ)) / Var M(λ)``, with the
       covariances of masks of ``resolution`` cells, known without drawing any (`MaskGeometry.block_slopes`). With
       ``resolution=cells``, ``scale="score"`` and without the penalty it has RISE's expectation.

    The standard error is the delete-one-group jackknife of the whole fit. All targets of an image share the queries.

    Attributes:
        queries: Masks for each image, at most; an odd number is rounded up.
        cells: Cells of the masks' grids along each axis. Coarser ones repeat better, finer ones localise better. None:
            5 below 384 queries, 7 from there on, as measured on photographs (``tests/benchmarks/agreement.py``).
        resolution: Cells of the masks for which the slope is reported. Fewer is smoother, and repeats better. None: two
            more than ``cells``, as measured there.
        ridge: Penalty of the fit, relative to the features' variance.
        scale: What is fitted, ``log_odds`` or ``score``.
        stop_at: Sampling ends when the mean standard error of each map is under this share of the map's range;
            None: when ``queries`` are spent.
        baseline: What stands where the mask is 0.
        seed: Seed of the masks.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    queries: Annotated[int, Bounds(least=4 * GROUPS, most=MOST)] = 1024
    cells: Count | None = None
    resolution: Count | None = None
    ridge: Positive = 0.5
    scale: Literal["log_odds", "score"] = "log_odds"
    stop_at: Positive | None = None
    baseline: Baseline = "auto"
    seed: Seed = 0

    def max_queries(self, size: tuple[int, ...], targets: int) -> int:
        """See `PerturbationMethod.max_queries`: all targets share the queries."""
        return self.queries + self.queries % 2

    def numbers_kept(self, channels: int, size: Sequence[int]) -> int:
        """See `SaliencyMethod`: the grids and block means of all masks."""
        cells = self.cells or CELLS
        return int(self.queries * (cells ** len(size) + math.prod(min(BLOCKS * cells, side) for side in size)))

    def sample_masks(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: Int[Tensor, " target"]
    ) -> SamplingCoroutine:
        """Yields all masks, or round after round until ``stop_at`` is reached."""
        size = tuple(image.shape[1:])
        cells = self.cells or (5 if self.queries < ENOUGH else CELLS)
        geometry = MaskGeometry((cells,) * len(size), size)
        output_geometry = MaskGeometry(tuple(min(self.resolution or cells + 2, s) for s in size), size)
        blocks = tuple(min(BLOCKS * cells, s) for s in size)
        rng = image_rng(image, self.seed, "surrogate")
        features = image.new_empty(0, *blocks)
        answers = image.new_empty(0, len(targets))
        for count in rounds(self.max_queries(size, len(targets)), self.stop_at):
            grids, shifts = (values.to(image.device) for values in geometry.draw(count // 2, 0.5, rng))
            pairs = torch.stack([grids, 1 - grids], dim=1).flatten(0, 1)
            twice = shifts.repeat_interleave(2, dim=0)
            features = torch.cat([features, geometry.block_means(pairs, twice, blocks)])
            answers = torch.cat([answers, (yield GridMasks(geometry, pairs, twice))])
            maps, errors = self._maps(features, answers, output_geometry)
            if precise(maps, errors, self.stop_at):
                break
            yield Interim(ImageMaps(maps.to(image), errors.to(image), len(answers)))
        return ImageMaps(maps.to(image), errors.to(image), len(answers))

    def _maps(
        self, features: Float[Tensor, "query *blocks"], answers: TargetScores, output_geometry: MaskGeometry
    ) -> tuple[Float[Tensor, "target *space"], Float[Tensor, "target *space"]]:
        """Fits the maps of all targets, and their errors."""
        values = log_odds(answers) if self.scale == "log_odds" else answers
        rows = features.flatten(1)
        group = torch.arange(len(rows), device=rows.device) // 2 % GROUPS
        fits = jackknife_ridge(rows, values, group, self.ridge * feature_variance(rows))
        slopes = output_geometry.block_slopes(fits.movedim(2, 1).reshape(-1, *features.shape[1:]))
        slopes = slopes.reshape(len(fits), answers.shape[1], *output_geometry.size)
        return slopes[0], jackknife_error(slopes[1:])

    @property
    def is_stochastic(self) -> bool:
        """The masks are drawn at random."""
        return True

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps with their standard errors; all targets of an image from the same queries."""
        return run_method(self, classifier, images, targets)
