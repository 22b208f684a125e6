"""LIME: local interpretable model-agnostic explanations, for images (Ribeiro, Singh & Guestrin, KDD 2016)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.bounds import MOST, Bounds, Positive, Seed, Several
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier
from overpaint.core.results import SaliencyMaps
from overpaint.core.rng import image_rng
from overpaint.core.types import Images, TargetSets
from overpaint.perturbation.baselines import Baseline
from overpaint.perturbation.engine import run_method
from overpaint.perturbation.method import (
    ImageMaps,
    Interim,
    PerturbationMethod,
    SamplingCoroutine,
    SegmentMasks,
    TargetScores,
    precise,
    rounds,
)
from overpaint.perturbation.regression import jackknife_error, jackknife_ridge
from overpaint.perturbation.segments import SegmentKind, Segments, segments_of

GROUPS = 32
"""Groups of queries that are left out in turn for the standard error."""

Kept = Float[Tensor, "query segment"]


def similarity(kept: Kept, width: float) -> Float[Tensor, " query"]:
    """Returns LIME's weight of each sample: ``sqrt(exp(-d² / width²))``, ``d`` its cosine distance to keeping all.

    For a sample that keeps the share ``q`` of the segments, ``d = 1 - sqrt(q)``.
    """
    distance = 1 - kept.double().mean(1).sqrt()
    return torch.exp(-0.5 * (distance / width).square())


@checked_settings
@dataclass(frozen=True)
class Lime(PerturbationMethod):
    """A weighted linear model of the score in the image's segments; a pixel gets its segment's coefficient.

    With ``z_i`` in ``{0, 1}ˢ`` the kept segments of sample ``i``, each kept with probability 1/2 and the first sample
    the whole image, ``p_i`` its score and ``π_i`` its `similarity` to the whole image (the paper's ``π_x``):

        ``β = argmin Σ_i π_i (p_i - a - z_i β)² + ridge · |β|²``     (equation 1, with a ridge for the complexity ``Ω``)

    as in the authors' package for images, whose width, penalty and number of samples are the defaults. The standard
    error is the jackknife's, leaving out one of 32 groups of samples.

    Deviations: SLIC instead of quickshift, with a number of segments that fits the image's size; what hides a segment
    is the ``baseline``, not the segment's mean colour; and one seed drives everything (theirs only the segmentation).
    The Lasso that other packages take by default gives maps of zeros on probabilities.

    Attributes:
        queries: Samples for each image, at most; all targets share them.
        segments: ``slic``: segments that follow colour, for images; ``grid``: boxes, or stretches of equal length;
            ``change_points``: stretches of nearly constant value, for series; ``auto``: ``slic`` for images and
            ``grid`` for series.
        num_segments: Segments, about; fewer on images too small for segments of 4 pixels' width.
        width: Width of the similarity's kernel.
        ridge: Penalty of the fit.
        stop_at: Sampling ends when the mean standard error of each map is under this share of the map's range;
            None: when ``queries`` are spent.
        baseline: What stands where a segment is hidden.
        seed: Seed of the samples.

    Raises:
        OverpaintError: If a setting is out of its range; at the call, if SLIC can't cut such an image.
    """

    queries: Annotated[int, Bounds(least=2 * GROUPS, most=MOST)] = 1024
    segments: SegmentKind = "auto"
    num_segments: Several = 50
    width: Positive = 0.25
    ridge: Positive = 1.0
    stop_at: Positive | None = None
    baseline: Baseline = "auto"
    seed: Seed = 0

    @property
    def pictures_only(self) -> bool:
        """Whether the segments are SLIC's."""
        return self.segments == "slic"

    def max_queries(self, size: tuple[int, ...], targets: int) -> int:
        """See `PerturbationMethod.max_queries`: all targets share the queries."""
        return self.queries

    def numbers_kept(self, channels: int, size: Sequence[int]) -> int:
        """See `SaliencyMethod`: which segments each sample keeps."""
        return self.queries * min(self.num_segments, math.prod(size))

    def sample_masks(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: Int[Tensor, " target"]
    ) -> SamplingCoroutine:
        """Yields the whole image and all samples, or round after round until ``stop_at`` is reached."""
        segments = segments_of(image, self.segments, self.num_segments)
        number = int(segments.max()) + 1
        rng = image_rng(image, self.seed, "lime")
        kept = torch.ones(1, number, device=image.device)
        answers = image.new_empty(0, len(targets))
        for samples in rounds(self.queries, self.stop_at):
            drawn = (torch.rand(samples, number, generator=rng) < 0.5).float().to(image.device)
            kept = torch.cat([kept, drawn]) if len(answers) else torch.cat([kept, drawn[1:]])
            answers = torch.cat([answers, (yield SegmentMasks(segments, kept[len(answers) :]))])
            maps, errors = self._maps(segments, kept, answers)
            if precise(maps, errors, self.stop_at):
                break
            yield Interim(ImageMaps(maps.to(image), errors.to(image), len(answers)))
        return ImageMaps(maps.to(image), errors.to(image), len(answers))

    def _maps(self, segments: Segments, kept: Kept, answers: TargetScores) -> tuple[Tensor, Tensor]:
        weights = similarity(kept, self.width)
        group = torch.arange(len(kept), device=kept.device) % GROUPS
        fits = jackknife_ridge(kept, answers, group, self.ridge, weights)
        return fits[0].T[:, segments], jackknife_error(fits[1:]).T[:, segments]

    @property
    def is_stochastic(self) -> bool:
        """The samples are drawn at random."""
        return True

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps with their standard errors; all targets of an image from the same queries."""
        return run_method(self, classifier, images, targets)
