"""RISE: randomised input sampling (Petsiuk, Das & Saenko, BMVC 2018)."""

from dataclasses import dataclass
from typing import Literal

import torch

from overpaint.errors import OverpaintError
from overpaint.perturbation.engine import Baseline, stream_scores, target_scores
from overpaint.perturbation.masks import MaskGeometry
from overpaint.perturbation.moments import MaskMoments
from overpaint.perturbation.randomness import image_rng
from overpaint.types import Classifier, Images, SaliencyMaps, TargetSets


@dataclass(frozen=True)
class Rise:
    """The mean of random masks, weighted by the scores of the images they leave.

    With masks ``M_k`` of independent cells that are on with probability ``q``, and ``p_k = f_c(b + M_k ⊙ (x - b))``:

    - ``estimator="mean"``, as published (equation 6): ``S(λ) = Σ_k p_k M_k(λ) / (N q)``;
    - ``estimator="covariance"`` (default): ``S(λ) = Cov(p, M(λ)) / Var M(λ)``, with the variance known beforehand.
      It is the change of the score from a pixel's being kept, under the same masks: the published sum without the
      part ``E[p] M̄`` that says nothing of the image but carries most of the noise.

    Deviation from the published code: an own set of masks for each image, drawn from the image's own random stream,
    so that a result does not depend on the batch.

    Attributes:
        queries: Masks ``N`` for each image.
        cells: Cells of the grid along each axis (``s``).
        keep: Probability ``q`` that a cell is on.
        estimator: ``covariance`` or ``mean``.
        baseline: What stands where the mask is 0.
        seed: Seed of the masks.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    queries: int = 1024
    cells: int = 7
    keep: float = 0.5
    estimator: Literal["covariance", "mean"] = "covariance"
    baseline: Baseline = "mean"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.queries < 2 or not 0 < self.keep < 1:
            raise OverpaintError(
                f"rise: queries={self.queries} must be at least 2 and keep={self.keep} between 0 and 1"
            )

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps with their standard errors, ``queries`` forward passes an image."""
        images, targets = images.repeat_interleave(targets.shape[1], dim=0), targets.flatten()
        size = tuple(images.shape[2:])
        geometry = MaskGeometry((self.cells,) * len(size), size)
        grids, shifts = [], []
        for image in images:
            rng = image_rng(image, self.seed, "rise")
            grids.append((torch.rand(self.queries, *geometry.cells, generator=rng) < self.keep).float())
            shifts.append(geometry.draw_shifts(self.queries, rng))
        owners = torch.arange(len(images), device=images.device).repeat_interleave(self.queries)
        moments = [MaskMoments(size, images.device) for _ in images]
        stream = stream_scores(classifier, images, self.baseline, geometry, owners, torch.cat(grids), torch.cat(shifts))
        for here, masks, scores in stream:
            chosen = target_scores(scores, targets[owners[here]])
            for owner in owners[here].unique().tolist():
                mine = owners[here] == owner
                moments[owner].update(chosen[mine], masks[mine])
        if self.estimator == "mean":
            pairs, unit = [m.mean_product() for m in moments], torch.tensor(self.keep)
        else:
            pairs = [m.covariance() for m in moments]
            unit = geometry.variance() * self.keep * (1 - self.keep)
        maps, errors = (torch.stack(values).float() / unit.to(images.device) for values in zip(*pairs, strict=True))
        return SaliencyMaps(maps, errors, torch.full_like(targets, self.queries))
