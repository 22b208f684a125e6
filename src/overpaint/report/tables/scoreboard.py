"""Gathers the metrics of all explained images, for the leaderboard and its charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from overpaint.core.protocols import SaliencyMethod
from overpaint.core.value_range import IMAGES, Noun
from overpaint.metrics.base import SaliencyMetric
from overpaint.metrics.statistics.bootstrap import Bootstrap
from overpaint.metrics.statistics.ranking import Comparison, Scores, Standing, comparisons, standings
from overpaint.pipeline.artifacts import ACCEPTANCE, metric_artifact
from overpaint.probes.base import Probe
from overpaint.report.plots.curves import Band, Curve
from overpaint.report.tables.columns import Columns
from overpaint.report.tables.curve_store import StoredCurves
from overpaint.report.tables.run_numbers import RunNumbers, gather


@dataclass(frozen=True)
class Scoreboard:
    """The metrics of all rows (an image and a class each) of a run.

    Attributes:
        folders: The rows' folders.
        methods: The methods by name.
        metrics: The metrics by name.
        probes: The probes of the variants by name.
        noun: What the inputs are called.
    """

    folders: Sequence[Path]
    methods: Mapping[str, SaliencyMethod]
    metrics: Mapping[str, SaliencyMetric]
    probes: Mapping[str, Probe] = field(default_factory=dict)
    noun: Noun = IMAGES

    @property
    def controls(self) -> list[str]:
        """Those of the methods that know nothing of the classifier."""
        return [name for name, method in self.methods.items() if method.is_control]

    @cached_property
    def numbers(self) -> RunNumbers:
        """The numbers of each row, for which all folders are read once."""
        return gather(self.folders, list(self.methods), list(self.metrics), list(self.probes))

    @cached_property
    def scores(self) -> Scores:
        """The metrics that were measured for some method and row."""
        found = self.numbers.metrics
        values = {metric: {method: found[method].numbers(metric) for method in self.methods} for metric in self.metrics}
        return {name: own for name, own in values.items() if any(np.isfinite(v).any() for v in own.values())}

    @property
    def probe_results(self) -> Mapping[str, Columns]:
        """The numbers that each probe found about each row."""
        return self.numbers.probes

    @property
    def unmeasured(self) -> str:
        """Says which metrics could be measured nowhere, and what they need; empty where all were."""
        absent = {name: metric.needs for name, metric in self.metrics.items() if name not in self.scores}
        said = [f"{name} (it needs {needs})" if needs else name for name, needs in absent.items()]
        return f"Not measured: {', '.join(said)}." if said else ""

    @property
    def labels(self) -> dict[str, str]:
        """What each metric measures, with its unit."""
        return {name: metric.label for name, metric in self.metrics.items()}

    @cached_property
    def standings(self) -> list[Standing]:
        """The methods ranked by each metric."""
        better = {name: metric.higher_is_better for name, metric in self.metrics.items()}
        return standings(self.scores, better, self.controls, self.numbers.image_names)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Each pair of methods compared by each metric."""
        return comparisons(self.scores, self.numbers.image_names)

    def mean_curves(self, metric: str) -> tuple[dict[str, Curve], dict[str, Band]]:
        """Returns the mean curve of each method over the rows, and its 95 % interval over images.

        Curves of fewer points than the shortest are not known to the end; the mean reaches as far as all of them do.
        """
        curves: dict[str, Curve] = {}
        bands: dict[str, Band] = {}
        for method in self.methods:
            if (found := self.numbers.curves.read(metric_artifact(method, metric))) is not None:
                curves[method], bands[method] = self._mean(found)
        return curves, bands

    def mean_acceptance(self) -> tuple[Curve, Band] | None:
        """Returns the mean curve by which decisive regions were found, and its 95 % interval over images.

        None where no region was searched for in this way.
        """
        found = self.numbers.curves.read(ACCEPTANCE)
        known = [] if found is None else np.flatnonzero(np.isfinite(found.values).all(1)).tolist()
        if found is None or not known:
            return None
        return self._mean(StoredCurves([found.rows[i] for i in known], found.places, found.values[known]))

    def _mean(self, found: StoredCurves) -> tuple[Curve, Band]:
        images = [self.numbers.image_names[row] for row in found.rows]
        interval = Bootstrap().interval(found.values, images)
        return (found.places, interval.mean), (interval.low, interval.high)

    def means(self, metric: str) -> dict[str, float]:
        """Returns the mean of a metric for each method."""
        return {s.method: s.mean for s in self.standings if s.metric == metric}
