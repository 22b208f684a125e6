"""Evaluates the maps of several methods by several metrics, all their queries in common batches."""

from collections.abc import Mapping, Sequence

from overpaint.core.results import MetricResult
from overpaint.metrics.base import MapMetric, MethodMetric, MetricContext, MetricInputs, QueryMetric, SaliencyMetric
from overpaint.perturbation.engine import Engine

MethodMetricRow = tuple[str, str, int]
"""The name of a method, that of a metric, and the index of a row."""


def evaluate_metrics(
    metrics: Mapping[str, SaliencyMetric],
    inputs: Mapping[str, MetricInputs],
    contexts: Mapping[str, MetricContext],
    engine: Engine,
    wanted: Sequence[MethodMetricRow],
) -> list[MetricResult]:
    """Evaluates maps.

    Args:
        metrics: The metrics by name.
        inputs: The maps of each method and what belongs to them.
        contexts: The methods themselves, by the same names.
        engine: Asks the queries of all metrics together.
        wanted: Which method is evaluated by which metric on which row.

    Returns:
        The results, in the order of ``wanted``.
    """
    asked = [key for key in wanted if isinstance(metrics[key[1]], QueryMetric)]
    tasks = []
    for method, name, row in asked:
        metric = metrics[name]
        assert isinstance(metric, QueryMetric)
        tasks.append(metric.query_task(inputs[method], row, engine))
    found = dict(zip(asked, engine.run(tasks), strict=True))
    for method, name in dict.fromkeys((method, name) for method, name, _ in wanted):
        rows = [row for *names, row in wanted if (method, name) == tuple(names)]
        if not isinstance(metrics[name], QueryMetric):
            results = _measured(metrics[name], inputs[method].rows(rows), contexts[method])
            found |= {(method, name, row): result for row, result in zip(rows, results, strict=True)}
    return [found[key] for key in wanted]


def _measured(metric: SaliencyMetric, inputs: MetricInputs, context: MetricContext) -> list[MetricResult]:
    if isinstance(metric, MapMetric):
        return [MetricResult(float(value)) for value in metric.measure(inputs)]
    assert isinstance(metric, MethodMetric)
    return metric.measure(inputs, context)
