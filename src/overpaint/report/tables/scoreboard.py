"""Gathers the metrics of all explained images, for the leaderboard and its charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.core.files import read_arrays
from overpaint.core.protocols import SaliencyMethod
from overpaint.metrics.base import SaliencyMetric
from overpaint.metrics.statistics.bootstrap import Bootstrap
from overpaint.metrics.statistics.ranking import Comparison, Scores, Standing, comparisons, standings
from overpaint.pipeline.artifacts import ACCEPTANCE, metric_artifact
from overpaint.pipeline.cache import read_result
from overpaint.probes.base import Probe
from overpaint.report.plots.curves import Band, Curve


@dataclass(frozen=True)
class Scoreboard:
    """The metrics of all rows (an image and a class each) of a run.

    Attributes:
        folders: The rows' folders.
        methods: The methods by name.
        metrics: The metrics by name.
        probes: The probes of the variants by name.
    """

    folders: Sequence[Path]
    methods: Mapping[str, SaliencyMethod]
    metrics: Mapping[str, SaliencyMetric]
    probes: Mapping[str, Probe] = field(default_factory=dict)

    @property
    def controls(self) -> list[str]:
        """Those of the methods that know nothing of the classifier."""
        return [name for name, method in self.methods.items() if method.is_control]

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """The numbers of each row."""
        return [read_result(folder) for folder in self.folders]

    @cached_property
    def images(self) -> list[str]:
        """The image of each row."""
        return [result["image"] for result in self.results]

    @cached_property
    def _curves(self) -> list[dict[str, NDArray[Any]]]:
        return [read_arrays(folder / "curves.npz") for folder in self.folders]

    @cached_property
    def scores(self) -> Scores:
        """The metrics that were measured for some method and row."""
        values = {
            metric: {
                method: np.array([self._value(row, method, metric) for row in self.results]) for method in self.methods
            }
            for metric in self.metrics
        }
        return {name: own for name, own in values.items() if any(np.isfinite(v).any() for v in own.values())}

    @staticmethod
    def _value(result: Mapping[str, Any], method: str, metric: str) -> float:
        value = result["metrics"][method][metric]
        return float("nan") if value is None else float(value)

    @property
    def probe_results(self) -> dict[str, list[dict[str, float]]]:
        """The numbers that each probe found about each row."""
        return {
            name: [
                {key: float("nan") if value is None else float(value) for key, value in row["probes"][name].items()}
                for row in self.results
            ]
            for name in self.probes
        }

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
        return standings(self.scores, better, self.controls, self.images)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Each pair of methods compared by each metric."""
        return comparisons(self.scores, self.images)

    def mean_curves(self, metric: str) -> tuple[dict[str, Curve], dict[str, Band]]:
        """Returns the mean curve of each method over the rows, and its 95 % interval over images.

        Curves of fewer points than the shortest are not known to the end; the mean reaches as far as all of them do.
        """
        curves: dict[str, Curve] = {}
        bands: dict[str, Band] = {}
        for method in self.methods:
            array = metric_artifact(method, metric)
            found = [(own[array], image) for own, image in zip(self._curves, self.images, strict=True) if array in own]
            if not found:
                continue
            length = min(both.shape[1] for both, _ in found)
            values, places = np.stack([both[:, :length] for both, _ in found], axis=1)
            interval = Bootstrap().interval(values, [image for _, image in found])
            curves[method] = (np.asarray(places.mean(0)), interval.mean)
            bands[method] = (interval.low, interval.high)
        return curves, bands

    def mean_acceptance(self) -> tuple[Curve, Band] | None:
        """Returns the mean curve by which decisive regions were found, and its 95 % interval over images.

        None where no region was searched for in this way.
        """
        found = zip((own[ACCEPTANCE] for own in self._curves), self.images, strict=True)
        known = [(both, image) for both, image in found if np.isfinite(both[0]).all()]
        if not known:
            return None
        values, places = np.stack([both for both, _ in known], axis=1)
        interval = Bootstrap().interval(values, [image for _, image in known])
        return (np.asarray(places.mean(0)), interval.mean), (interval.low, interval.high)

    def means(self, metric: str) -> dict[str, float]:
        """Returns the mean of a metric for each method."""
        return {s.method: s.mean for s in self.standings if s.metric == metric}
