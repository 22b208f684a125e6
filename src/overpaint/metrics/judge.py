"""Judges the maps of several methods by several metrics, all their queries in common passes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from overpaint.metrics.rows import Evidence, MapMetric, MethodMetric, QueryMetric, RowMetric, Subject
from overpaint.perturbation.engine import Engine
from overpaint.types import KnownRow, Measured

Judgement = dict[str, dict[str, list[Measured]]]
"""The metrics of each row, by method and metric."""


@dataclass(frozen=True)
class Judge:
    """What maps are judged by.

    Attributes:
        metrics: The metrics by name.
        seeds: How many seeds methods that draw at random are run with.
    """

    metrics: Mapping[str, RowMetric] = field(default_factory=dict)
    seeds: int = 1

    def __call__(
        self,
        evidence: Mapping[str, Evidence],
        subjects: Mapping[str, Subject],
        engine: Engine,
        known: Sequence[KnownRow],
    ) -> Judgement:
        """Measures what is not known yet.

        Args:
            evidence: What there is of each method.
            subjects: The methods themselves, by the same names.
            engine: Asks the queries of all metrics together.
            known: What is known of each row.
        """
        found = {(m, k, i): value for i, row in enumerate(known) for (m, k), value in row.measured.items()}
        missing = {
            (m, k): [i for i in range(len(known)) if (m, k, i) not in found] for m in evidence for k in self.metrics
        }
        asked = []
        for (method, name), rows in missing.items():
            metric = self.metrics[name]
            if isinstance(metric, QueryMetric):
                asked += [((method, name, i), metric.question(evidence[method], i, engine)) for i in rows]
        found.update(zip([key for key, _ in asked], engine.hold([q for _, q in asked]), strict=True))
        for (method, name), rows in missing.items():
            metric = self.metrics[name]
            if rows and not isinstance(metric, QueryMetric):
                values = _measured(metric, evidence[method].rows(rows), subjects[method])
                found |= {(method, name, i): value for i, value in zip(rows, values, strict=True)}
        return {m: {k: [found[m, k, i] for i in range(len(known))] for k in self.metrics} for m in evidence}


def _measured(metric: RowMetric, evidence: Evidence, subject: Subject) -> list[Measured]:
    if isinstance(metric, MapMetric):
        return [Measured(float(value)) for value in metric.measure(evidence)]
    assert isinstance(metric, MethodMetric)
    return metric.measure(evidence, subject)
