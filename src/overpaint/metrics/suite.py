"""Judges the maps of several methods by several metrics, all their queries in common passes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from overpaint.core.types import KnownRow, MetricResult
from overpaint.metrics.base import MapMetric, MethodMetric, MetricContext, MetricInputs, QueryMetric, SaliencyMetric
from overpaint.perturbation.engine import Engine

Evaluation = dict[str, dict[str, list[MetricResult]]]
"""The metrics of each row, by method and metric."""


@dataclass(frozen=True)
class MetricSuite:
    """What maps are judged by.

    Attributes:
        metrics: The metrics by name.
        seeds: How many seeds methods that draw at random are run with.
    """

    metrics: Mapping[str, SaliencyMetric] = field(default_factory=dict)
    seeds: int = 1

    def __call__(
        self,
        inputs: Mapping[str, MetricInputs],
        contexts: Mapping[str, MetricContext],
        engine: Engine,
        known: Sequence[KnownRow],
    ) -> Evaluation:
        """Measures what is not known yet.

        Args:
            inputs: What there is of each method.
            contexts: The methods themselves, by the same names.
            engine: Asks the queries of all metrics together.
            known: What is known of each row.
        """
        found = {(m, k, i): value for i, row in enumerate(known) for (m, k), value in row.metric_results.items()}
        missing = {
            (m, k): [i for i in range(len(known)) if (m, k, i) not in found] for m in inputs for k in self.metrics
        }
        asked = []
        for (method, name), rows in missing.items():
            metric = self.metrics[name]
            if isinstance(metric, QueryMetric):
                asked += [((method, name, i), metric.query_task(inputs[method], i, engine)) for i in rows]
        found.update(zip([key for key, _ in asked], engine.run([q for _, q in asked]), strict=True))
        for (method, name), rows in missing.items():
            metric = self.metrics[name]
            if rows and not isinstance(metric, QueryMetric):
                values = _measured(metric, inputs[method].rows(rows), contexts[method])
                found |= {(method, name, i): value for i, value in zip(rows, values, strict=True)}
        return {m: {k: [found[m, k, i] for i in range(len(known))] for k in self.metrics} for m in inputs}


def _measured(metric: SaliencyMetric, inputs: MetricInputs, context: MetricContext) -> list[MetricResult]:
    if isinstance(metric, MapMetric):
        return [MetricResult(float(value)) for value in metric.measure(inputs)]
    assert isinstance(metric, MethodMetric)
    return metric.measure(inputs, context)
