"""Base classes of metrics: a number for each row (an image and a class) of a method's maps."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric

from overpaint.core.protocols import Classifier, Requirement, SaliencyMethod
from overpaint.core.results import MetricResult
from overpaint.core.types import Images, Maps, Regions, Targets
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.region import is_flat
from overpaint.metrics.charts import Chart
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.tasks import QueryTask

RowValues = Float[Tensor, " row"]
"""A metric of each row; NaN where it can't be measured, such as localisation where nothing is annotated."""


def finite(maps: Maps) -> Maps:
    """Returns the maps, with a map of 0 in place of one that is not finite somewhere: it explains nothing."""
    broken = ~maps.flatten(1).isfinite().all(1)
    if not broken.any():
        return maps
    return torch.where(broken.reshape(-1, *[1] * (maps.ndim - 1)), torch.zeros_like(maps), maps)


@dataclass(frozen=True)
class MetricInputs:
    """What metrics may look at: the maps of one method, a row for each image and class.

    Attributes:
        images: The image of each row.
        targets: The explained class of each row.
        maps: The maps. A map that is not finite somewhere explains nothing: in its place stands a map of 0.
        regions: The salient region of each map; empty for a flat one.
        queries: What each map cost, where that is known.
        standard_errors: Of the maps, where the method has them.
        ground_truth: True where an annotated object of the explained class is; nowhere in images without one.
        repeats: The maps of several seeds, the first those of ``maps``; None for one seed or a method without chance.
        repeated_regions: Their regions.
    """

    images: Images
    targets: Targets
    maps: Maps
    regions: Regions
    queries: Int[Tensor, " row"] | None = None
    standard_errors: Maps | None = None
    ground_truth: Regions | None = None
    repeats: Float[Tensor, "seed row *space"] | None = None
    repeated_regions: Bool[Tensor, "seed row *space"] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "maps", finite(self.maps))

    @property
    def flat(self) -> Bool[Tensor, " row"]:
        """True for maps without contrast: they point nowhere, so that no metric may call them right."""
        return is_flat(self.maps)

    def rows(self, chosen: Sequence[int]) -> "MetricInputs":
        """Returns some of the rows."""
        index = list(chosen)
        changes: dict[str, Any] = {}
        for name in ("images", "targets", "maps", "regions", "queries", "standard_errors", "ground_truth"):
            value = getattr(self, name)
            changes[name] = None if value is None else value[index]
        for name in ("repeats", "repeated_regions"):
            value = getattr(self, name)
            changes[name] = None if value is None else value[:, index]
        return replace(self, **changes)


class SaliencyMetric(Metric, ABC):
    """A metric that is a number for each row; its value over all rows is their mean, those not measured left out.

    A subclass is one of the kinds below; its constructor's arguments are its settings.

    Attributes:
        higher_is_better: Whether more is better; None where neither is, as for a ratio that should be 1.
        label: What is measured, with its unit, for tables and axes.
        bounds: The least and the greatest value that there can be.
        needs: What it can't be measured without, for the sentence that says so; empty: nothing.
        requires: What of the classifier it needs.
        pictures_only: Whether it can measure maps of images and not those of series.
        chart: How it is drawn beside the leaderboard; None for a metric that is a number and nothing more.
    """

    higher_is_better: bool | None
    is_differentiable = False
    full_state_update = False
    label: ClassVar[str]
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs: ClassVar[str] = ""
    requires: ClassVar[Requirement] = "scores"
    pictures_only: ClassVar[bool] = False
    chart: ClassVar[Chart | None] = None
    values: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("values", default=[], dist_reduce_fx="cat")

    def compute(self) -> Float[Tensor, ""]:
        """Returns the mean over all rows of all processes; NaN where nothing could be measured."""
        values = self.values if isinstance(self.values, Tensor) else torch.cat(self.values or [torch.empty(0)])
        return values.nanmean()

    def point_names(self, classifier: Classifier) -> list[str]:
        """Returns what stands at each point of a `LayerCurve`; none for metrics of other charts."""
        return []

    def append(self, values: RowValues) -> None:
        """Adds rows, on the device on which the processes exchange them."""
        self.values.append(values.float().to(self.device))


class MapMetric(SaliencyMetric):
    """A metric of the maps alone, without the classifier."""

    @abstractmethod
    def measure(self, inputs: MetricInputs) -> RowValues:
        """Returns the metric of each row."""

    def update(self, inputs: MetricInputs) -> None:
        """Takes rows in."""
        self.append(self.measure(inputs))


class QueryMetric(SaliencyMetric):
    """A metric of the classifier's scores of changed images, computed by the engine."""

    @abstractmethod
    def query_task(self, inputs: MetricInputs, row: int, engine: Engine) -> QueryTask[MetricResult]:
        """Returns the query task of a row."""

    def update(self, inputs: MetricInputs, engine: Engine) -> None:
        """Takes rows in."""
        measured = engine.run([self.query_task(inputs, row, engine) for row in range(len(inputs.maps))])
        self.append(torch.tensor([m.value for m in measured]))


@dataclass(frozen=True)
class MetricContext:
    """The method whose maps are evaluated, for metrics that run it again.

    Attributes:
        method: The method.
        classifier: The classifier that it explains.
        engine: Asks its queries.
        inpainter: Repaints regions; None where there is no generator.
    """

    method: SaliencyMethod
    classifier: Classifier
    engine: Engine
    inpainter: Inpainter | None = None


class MethodMetric(SaliencyMetric):
    """A metric that runs the method again, or asks the classifier without the engine.

    Attributes:
        uses_generator: Whether it repaints regions, so that it depends on the generator and the search too.
    """

    uses_generator: ClassVar[bool] = False

    @abstractmethod
    def measure(self, inputs: MetricInputs, context: MetricContext) -> list[MetricResult]:
        """Returns the metric of each row."""

    def update(self, inputs: MetricInputs, context: MetricContext) -> None:
        """Takes rows in."""
        self.append(torch.tensor([m.value for m in self.measure(inputs, context)]))
