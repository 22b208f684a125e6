"""RISE: randomised input sampling (Petsiuk, Das & Saenko, BMVC 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.bounds import Count, Inside, Positive, Seed, Several
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
    precise,
    rounds,
)
from overpaint.perturbation.moments import MaskMoments, TargetMaps


@checked_settings
@dataclass(frozen=True)
class Rise(PerturbationMethod):
    """The mean of random masks, weighted by the scores of the images they leave.

    With masks ``M_k`` of independent cells that are on with probability ``q``, and ``p_k = f_c(b + M_k ⊙ (x - b))``:

    - ``estimator="mean"``, as published (equation 6): ``S(λ) = Σ_k p_k M_k(λ) / (N q)``;
    - ``estimator="covariance"`` (default): ``S(λ) = Cov(p, M(λ)) / Var M(λ)``, with the variance known beforehand.
      It is the change of the score from a pixel's being kept, under the same masks: the published sum without the
      part ``E[p] M̄`` that says nothing of the image but carries most of the noise.

    Deviation from the published code: an own set of masks for each image, drawn from the image's own random stream,
    so that a result does not depend on the batch.

    Attributes:
        queries: Masks ``N`` for each image, at most.
        cells: Cells of the grid along each axis (``s``).
        keep: Probability ``q`` that a cell is on.
        estimator: ``covariance`` or ``mean``.
        stop_at: Sampling ends when the mean standard error of each map is under this share of the map's range;
            None: when ``queries`` are spent.
        baseline: What stands where the mask is 0.
        seed: Seed of the masks.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    queries: Several = 1024
    cells: Count = 7
    keep: Inside = 0.5
    estimator: Literal["covariance", "mean"] = "covariance"
    stop_at: Positive | None = None
    baseline: Baseline = "auto"
    seed: Seed = 0

    def max_queries(self, size: tuple[int, ...], targets: int) -> int:
        """See `PerturbationMethod.max_queries`: all targets share the queries."""
        return self.queries

    def numbers_kept(self, channels: int, size: Sequence[int]) -> int:
        """See `SaliencyMethod`: the grids of all masks."""
        return int(self.queries * self.cells ** len(size))

    def sample_masks(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: Int[Tensor, " target"]
    ) -> SamplingCoroutine:
        """Yields all masks, or round after round until ``stop_at`` is reached."""
        size = tuple(image.shape[1:])
        geometry = MaskGeometry((self.cells,) * len(size), size)
        rng = image_rng(image, self.seed, "rise")
        moments = MaskMoments(size, image.device)
        for count in rounds(self.queries, self.stop_at):
            grids, shifts = geometry.draw(count, self.keep, rng)
            mask_batch = GridMasks(geometry, grids.to(image.device), shifts.to(image.device))
            moments.add(mask_batch, (yield mask_batch))
            maps, errors = self._maps(moments, geometry)
            if precise(maps, errors, self.stop_at):
                break
            yield Interim(ImageMaps(maps, errors, moments.count))
        return ImageMaps(maps, errors, moments.count)

    def _maps(self, moments: MaskMoments, geometry: MaskGeometry) -> tuple[TargetMaps, TargetMaps]:
        if self.estimator == "mean":
            values, unit = moments.mean_product(), torch.tensor(self.keep)
        else:
            values, unit = moments.covariance(), geometry.variance() * self.keep * (1 - self.keep)
        maps, errors = (v.float() / unit.to(v.device) for v in values)
        return maps, errors

    @property
    def is_stochastic(self) -> bool:
        """The masks are drawn at random."""
        return True

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps with their standard errors; all targets of an image from the same queries."""
        return run_method(self, classifier, images, targets)
