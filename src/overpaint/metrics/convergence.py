"""Convergence: the quality of a sampling method's maps over its number of queries."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Annotated, Any

import torch

from overpaint.core.bounds import FILLED, Count, Seed
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import MetricResult
from overpaint.metrics.base import MethodMetric, MetricContext, MetricInputs, QueryMetric, RowValues
from overpaint.metrics.charts import BudgetCurve
from overpaint.metrics.insertion_deletion import Deletion, Insertion
from overpaint.metrics.rerun import rerun_method
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import BudgetedMethod, PerturbationMethod

STEP = 1 / 32
"""Share of the pixels that insertion and deletion change at a time: coarse, since every budget is evaluated."""


@checked_settings
class Convergence(MethodMetric):
    """The quality of a method's map against the queries it cost: insertion's area under the curve minus deletion's.

    The method is run with each budget below its own, all other settings its own; the curve's last point is the map
    that is evaluated. The value is the mean over the curve, so a method is better that is good early. It compares
    methods over the same budgets: a budget that a method's settings do not allow is left out.

    The places are the queries really spent; of the last point, where the evidence does not tell, the most that the
    method may spend. NaN for methods without a budget (a field ``queries``), and
    where the channels of series are explained apart.

    Args:
        budgets: Queries for each image.
        seed: Seed of the baselines of insertion and deletion.

    Attributes:
        insertion: The metric of a map that is better if larger.
        deletion: The one that is better if smaller.

    Raises:
        OverpaintError: If a budget is not positive.
    """

    higher_is_better = True
    label = "quality over budgets (insertion - deletion)"
    needs = "a method with queries"
    bounds = (-1.0, 1.0)
    chart = BudgetCurve()

    def __init__(self, budgets: Annotated[Sequence[Count], FILLED] = (64, 128, 256, 512, 1024), seed: Seed = 0) -> None:
        super().__init__()
        self.budgets = sorted(set(budgets))
        self.insertion: QueryMetric = Insertion(step=STEP, seed=seed)
        self.deletion: QueryMetric = Deletion(step=STEP, seed=seed)

    def measure(self, inputs: MetricInputs, context: MetricContext) -> list[MetricResult]:
        """See `MethodMetric.measure`: a run of the method, an insertion and a deletion for each budget."""
        method: Any = context.method
        if not isinstance(method, PerturbationMethod) or not isinstance(method, BudgetedMethod):
            return [MetricResult(math.nan)] * len(inputs.maps)
        places, curves = [], []
        for smaller in self._smaller(method):
            maps, spent = rerun_method(smaller, context.classifier, inputs.images, inputs.targets, context.engine)
            places.append(spent.float())
            curves.append(self._quality(dataclasses.replace(inputs, maps=maps), context.engine))
        most = torch.full((len(inputs.maps),), method.max_queries(tuple(inputs.maps.shape[1:]), 1))
        places.append((most if inputs.queries is None else inputs.queries).float())
        curves.append(self._quality(inputs, context.engine))
        pairs = zip(torch.stack(curves, 1), torch.stack([each.cpu() for each in places], 1), strict=True)
        return [MetricResult(float(curve.mean()), curve, own) for curve, own in pairs]

    def _smaller(self, method: Any) -> list[PerturbationMethod]:
        """Returns the method with each budget below its own that it allows."""
        found = []
        for budget in self.budgets:
            if budget < method.queries:
                try:
                    found.append(dataclasses.replace(method, queries=budget))
                except OverpaintError:
                    continue  # too few for its other settings, such as the number of chains
        return found

    def _quality(self, inputs: MetricInputs, engine: Engine) -> RowValues:
        rows = range(len(inputs.maps))
        metrics = (self.insertion, self.deletion)
        found = engine.run([metric.query_task(inputs, row, engine) for metric in metrics for row in rows])
        values = torch.tensor([measured.value for measured in found])
        return values[: len(rows)] - values[len(rows) :]
