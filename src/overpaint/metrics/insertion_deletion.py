"""Insertion and deletion: the score while pixels come or go in the order of their saliency (RISE, BMVC 2018)."""

import math
from abc import ABC
from collections.abc import Generator
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.bounds import Seed
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import MetricResult
from overpaint.core.value_range import is_series
from overpaint.metrics.base import MetricInputs, QueryMetric
from overpaint.metrics.charts import ScoreCurve
from overpaint.metrics.rank_masks import RankMasks, saliency_ranks
from overpaint.perturbation.baselines import Baseline, fill_of
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import TargetScores
from overpaint.perturbation.tasks import QueryTask


def area_under(scores: Float[Tensor, " point"]) -> float:
    """Returns ``(Σ s_k - s_0 / 2 - s_n / 2) / n``, the area under equidistant points over a base of length 1."""
    exact = scores.double()
    return float((exact.sum() - exact[0] / 2 - exact[-1] / 2) / (len(exact) - 1))


def pixels_a_step(step: int | float | None, size: tuple[int, ...]) -> int:
    """Turns the setting ``step`` into pixels of an image of ``size``.

    Raises:
        OverpaintError: If the image has fewer pixels.
    """
    pixels = math.prod(size)
    if step is None:
        return max(1, round(pixels / 100)) if is_series(size) else pixels // size[0]
    if step > pixels:
        raise OverpaintError(f"insertion and deletion: step={step} exceeds the pixels of an image of {size}")
    return int(step) if step >= 1 else max(1, round(step * pixels))


def score_curve(masks: RankMasks) -> Generator[RankMasks, TargetScores, MetricResult]:
    """Asks for the score under each mask, and measures the area under these scores."""
    scores = (yield masks)[:, 0]
    pixels = masks.ranks.numel()
    places = (masks.step * torch.arange(len(masks), device=scores.device)).clamp(max=pixels) / pixels
    return MetricResult(area_under(scores), scores, places)


class _ScoreCurve(QueryMetric, ABC):
    """What insertion and deletion share: their settings, and which of the two images the pixels come from.

    Attributes:
        growing: Whether the image's pixels come or go.
    """

    growing: ClassVar[bool]

    def __init__(self, baseline: Baseline, step: int | float | None, seed: Seed) -> None:
        super().__init__()
        if step is not None and not (0 < step < 1 or (step >= 1 and float(step).is_integer())):
            raise OverpaintError(
                f"insertion and deletion: step={step} must be a whole number of pixels, a share of them below 1, or "
                "null for a row of pixels"
            )
        self.baseline, self.step, self.seed = baseline, step, seed

    def query_task(self, inputs: MetricInputs, row: int, engine: Engine) -> QueryTask[MetricResult]:
        """See `QueryMetric.query_task`."""
        image, saliency_map = inputs.images[row], inputs.maps[row]
        step = pixels_a_step(self.step, tuple(saliency_map.shape))
        masks = RankMasks(saliency_ranks(saliency_map).to(image.device), step, self.growing)
        fill = fill_of(self.baseline, engine.classifier, image, self.seed)
        return QueryTask(image, inputs.targets[row : row + 1], fill, score_curve(masks), len(masks))


@checked_settings
class Insertion(_ScoreCurve):
    """Area under the score while the image appears, its most salient pixels first (Petsiuk et al., 2018).

    The pixels of the image ``x`` take the place of those of a baseline ``b``, ``s`` at a time, in the order of
    decreasing saliency. With ``n = ⌈HW / s⌉`` and the score ``p_k = f_c`` of the explained class after ``k`` steps,

        ``value = (Σ_{k=0..n} p_k - p_0 / 2 - p_n / 2) / n``.

    The defaults are the protocol of RISE's public evaluation of a single image (its batches take 8 rows a step).
    Deviations from that code: the explained class need not be the one with the highest score; pixels of equal
    saliency, as all those of a flat map, come in reading order and not in that of an unstable sort.

    Args:
        baseline: What is seen before a pixel comes; ``rise_blur`` is RISE's.
        step: Pixels ``s`` a step; below 1: their share of the image's pixels, rounded, at least one; None: as many as
            a slice of the first axis has, which are a row of pixels in an image and one value in a series.
        seed: Seed of a baseline of noise.

    Raises:
        OverpaintError: If ``step`` is out of its range.
    """

    growing = True
    higher_is_better = True
    label = "insertion (area under the score)"
    chart = ScoreCurve("share of the pixels inserted")

    def __init__(self, baseline: Baseline = "rise_blur", step: int | float | None = None, seed: Seed = 0) -> None:
        super().__init__(baseline, step, seed)


@checked_settings
class Deletion(_ScoreCurve):
    """Area under the score while the image vanishes, its most salient pixels first (Petsiuk et al., 2018).

    As `Insertion`, but the pixels of a baseline take the place of the image's. The smaller the area, the better.

    Args:
        baseline: What is seen once a pixel is gone; ``mean``, the 0 of the normalised image, is RISE's.
        step: As for `Insertion`.
        seed: Seed of a baseline of noise.

    Raises:
        OverpaintError: If ``step`` is out of its range.
    """

    growing = False
    higher_is_better = False
    label = "deletion (area under the score)"
    chart = ScoreCurve("share of the pixels deleted")

    def __init__(self, baseline: Baseline = "mean", step: int | float | None = None, seed: Seed = 0) -> None:
        super().__init__(baseline, step, seed)
