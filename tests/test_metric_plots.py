"""The plots of a run's metrics follow what each metric declares, whatever it is called."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conftest import FunctionClassifier, pixels_of
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.results import ProbeResult
from overpaint.metrics.agreement import SpearmanAgreement, TopKAgreement
from overpaint.metrics.base import MapMetric, MetricInputs, SaliencyMetric
from overpaint.metrics.charts import ScoreCurve
from overpaint.metrics.convergence import Convergence
from overpaint.metrics.insertion_deletion import Insertion
from overpaint.metrics.localisation import Iou
from overpaint.metrics.randomisation import Randomisation
from overpaint.pipeline.artifacts import metric_artifact
from overpaint.probes.base import Probe, ProbeInputs
from overpaint.probes.region_size_sweep import RegionSizeSweep
from overpaint.report.metric_plots import metric_plots
from overpaint.report.probe_plots import PLOTS, plots_of, probe_plots
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.saliency.lime import Lime
from overpaint.saliency.rise import Rise

METHODS = {"rise": Rise(), "lime": Lime()}


class NewMetric(MapMetric):
    """A metric that the report has never heard of."""

    higher_is_better = True
    label = "a new number"
    chart = ScoreCurve("share of something", value="mean of the curve")

    def measure(self, inputs: MetricInputs) -> Float[Tensor, " row"]:
        return inputs.maps.flatten(1).mean(1)


def _board(folder: Path, metrics: dict[str, SaliencyMetric], points: dict[str, int]) -> Scoreboard:
    """Two images of which each metric was measured; those of ``points`` have curves of so many points."""
    rng = np.random.default_rng(0)
    for image in ("a", "b"):
        (folder / image).mkdir(parents=True)
        values = {method: {metric: rng.random() for metric in metrics} for method in METHODS}
        maps = {method: {"queries": 1, "flat": False, "measures": {}} for method in METHODS}
        (folder / image / "result.json").write_text(
            json.dumps({"image": image, "methods": maps, "metrics": values, "probes": {}})
        )
        curves = {
            metric_artifact(method, metric): np.stack([rng.random(count), np.arange(1.0, count + 1)])
            for method in METHODS
            for metric, count in points.items()
        }
        np.savez(folder / image / "curves.npz", **curves)
    return Scoreboard([folder / "a", folder / "b"], METHODS, metrics)


def test_a_metric_of_any_name_has_the_chart_that_it_declares(tmp_path: Path, drawn: list[Figure]) -> None:
    metrics: dict[str, SaliencyMetric] = {
        "my_insertion": Insertion(),
        "agreement_of_nothing": Iou(),  # a name says nothing
        "queries": Convergence(),
        "brand_new": NewMetric(),
    }
    board = _board(tmp_path, metrics, {"my_insertion": 5, "queries": 3, "brand_new": 4})
    plots = metric_plots(board, FunctionClassifier(lambda images: images.mean((1, 2, 3))))
    names = [plot.name for plot in plots]
    assert names == ["leaderboard", "my_insertion", "queries", "brand_new", *(f"pairs_{name}" for name in metrics)]
    _, insertion, queries, new, *_ = drawn
    assert insertion.axes[0].get_xlabel().startswith("share of the pixels inserted")
    assert insertion.legends[0].get_title().get_text() == "area under the curve"
    assert queries.axes[0].get_xscale() == "log"
    assert queries.axes[0].get_xlabel().startswith("queries: forward passes")
    assert new.axes[0].get_xlabel().startswith("share of something")
    assert new.legends[0].get_title().get_text() == "mean of the curve"
    assert all(pixels_of(plot.picture).size for plot in plots)


def test_equal_charts_share_a_picture(tmp_path: Path, drawn: list[Figure]) -> None:
    metrics: dict[str, SaliencyMetric] = {"first": SpearmanAgreement(), "iou": Iou(), "second": TopKAgreement()}
    plots = metric_plots(_board(tmp_path, metrics, {}), FunctionClassifier(lambda images: images.mean((1, 2, 3))))
    assert [plot.name for plot in plots if not plot.fold] == ["leaderboard", "agreement"]
    assert len(drawn[1].axes[0].patches) == 2 * len(METHODS)


def _ticks(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[-1].get_xticklabels()]


def test_curves_over_the_same_layers_are_panels_of_one_picture(
    tmp_path: Path, network: NetworkClassifier, drawn: list[Figure]
) -> None:
    metrics = {"down": Randomisation(stages=3), "each": Randomisation("independent", stages=3)}
    plots = metric_plots(_board(tmp_path, dict(metrics), {"down": 4, "each": 4}), network)
    assert [plot.name for plot in plots if not plot.fold] == ["leaderboard", "randomisation"]
    assert [axes.get_title() for axes in drawn[1].axes] == ["down", "each"]
    assert _ticks(drawn[1]) == ["none", *(names[-1] for names in metrics["down"].stage_names(network))]


def test_curves_over_other_layers_have_pictures_of_their_own(
    tmp_path: Path, network: NetworkClassifier, drawn: list[Figure]
) -> None:
    metrics = {"down": Randomisation(stages=3), "each": Randomisation("independent", stages=2)}
    plots = metric_plots(_board(tmp_path, dict(metrics), {"down": 4, "each": 3}), network)
    assert [plot.name for plot in plots if not plot.fold] == ["leaderboard", "randomisation", "randomisation_each"]
    for figure, metric in zip(drawn[1:], metrics.values(), strict=False):
        assert _ticks(figure) == metric.point_names(network)


@dataclass(frozen=True)
class Renamed(Probe):
    """A probe without plots of its own."""

    def __call__(self, inputs: ProbeInputs) -> list[ProbeResult]:
        return []


def test_a_probe_keeps_its_plots_under_another_name_and_any_other_gets_bars() -> None:
    numbers = {f"{name}_{size}": 0.5 for size in ("50", "90") for name in ("acceptance_rate", "confidence", "loss")}
    probes = {"sweep of mine": RegionSizeSweep(fractions=(0.9, 0.5)), "plain": Renamed()}
    plots = probe_plots(probes, {"sweep of mine": [numbers], "plain": [{"a": 1.0, "b": float("nan")}]})
    assert [plot.name for plot in plots] == ["probe_sweep of mine", "probe_plain"]
    assert plots_of(probes["sweep of mine"]).run is PLOTS[RegionSizeSweep].run
    for plot in plots:
        assert pixels_of(plot.picture).std() > 1
