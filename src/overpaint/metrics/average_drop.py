"""Average drop and increase: the score of what a map leaves of its image (Chattopadhay et al., WACV 2018)."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.bounds import Seed
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import MetricResult
from overpaint.metrics.base import MetricInputs, QueryMetric
from overpaint.perturbation.baselines import Baseline, fill_of
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.masks import Masks
from overpaint.perturbation.method import TargetScores
from overpaint.perturbation.tasks import QueryTask


@dataclass(frozen=True)
class GivenMasks:
    """Masks that are there already.

    Attributes:
        keep: How much of each pixel a mask keeps.
    """

    keep: Masks

    def __len__(self) -> int:
        return len(self.keep)

    def masks(self, rows: slice) -> Masks:
        """See `MaskBatch.masks`."""
        return self.keep[rows]


def unit_range(saliency_map: Float[Tensor, "*space"]) -> Float[Tensor, "*space"]:
    """Returns ``(M - min M) / (max M - min M)``; 0 everywhere for a flat map."""
    raised = saliency_map.double() - saliency_map.min()
    return (raised / raised.max() if raised.any() else raised).float()


@checked_settings
class _ExplanationScore(QueryMetric, ABC):
    """Compares the score ``O`` of ``b + norm(M) ⊙ (x - b)`` with the score ``Y`` of the image ``x``."""

    def __init__(self, baseline: Baseline = "black", seed: Seed = 0) -> None:
        super().__init__()
        self.baseline, self.seed = baseline, seed

    @abstractmethod
    def compared(self, image_score: float, left_score: float) -> float:
        """Returns the metric from the scores ``Y`` of the image and ``O`` of what is left of it."""

    def query_task(self, inputs: MetricInputs, row: int, engine: Engine) -> QueryTask[MetricResult]:
        """See `QueryMetric.query_task`."""
        image = inputs.images[row]
        left = unit_range(inputs.maps[row]).to(image.device)
        fill = fill_of(self.baseline, engine.classifier, image, self.seed)
        masks = GivenMasks(torch.stack([torch.ones_like(left), left]))
        return QueryTask(image, inputs.targets[row : row + 1], fill, self._asked(masks), len(masks))

    def _asked(self, masks: GivenMasks) -> Generator[GivenMasks, TargetScores, MetricResult]:
        image_score, left_score = (yield masks)[:, 0].tolist()
        return MetricResult(self.compared(image_score, left_score))


class AverageDrop(_ExplanationScore):
    """Share of the score that is lost where the image is dimmed by its map (Chattopadhay et al., 2018).

    ``value = max(0, Y - O) / Y`` with ``Y = f_c(x)`` and ``O = f_c(b + norm(M) ⊙ (x - b))``, where ``norm`` takes the
    map ``M`` from its least value to its greatest to ``[0, 1]``; of a flat map's image nothing is left. NaN where
    ``Y`` is 0. The paper reports the mean as a percentage.

    Args:
        baseline: What is seen where the map is least, ``b``; black is the paper's product of image and map.
        seed: Seed of a baseline of noise.
    """

    higher_is_better = False
    label = "average drop (share of the score)"

    def compared(self, image_score: float, left_score: float) -> float:
        """See the class."""
        return max(0.0, image_score - left_score) / image_score if image_score > 0 else float("nan")


class Increase(_ExplanationScore):
    """Whether the score rises where the image is dimmed by its map (Chattopadhay et al., 2018).

    ``value = 1`` if ``O > Y``, else 0, with ``O`` and ``Y`` as for `AverageDrop`; the mean over rows is the paper's
    rate of increase in confidence. A flat map, which leaves nothing of the image, has 0 whatever the baseline's score.

    Args:
        baseline: As for `AverageDrop`.
        seed: Seed of a baseline of noise.
    """

    higher_is_better = True
    label = "increase (share of the images)"

    def _asked(self, masks: GivenMasks) -> Generator[GivenMasks, TargetScores, MetricResult]:
        measured = yield from super()._asked(masks)
        return measured if masks.keep[1].any() else MetricResult(0.0)

    def compared(self, image_score: float, left_score: float) -> float:
        """See the class."""
        return float(left_score > image_score)
