"""Convergence: the method's maps under each budget, judged by insertion and deletion, written out and by fakes."""

import math
from collections.abc import Generator
from dataclasses import replace

import pytest
import torch
from conftest import FunctionClassifier, noise_images, planted
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import MetricResult
from overpaint.metrics.base import MetricContext, MetricInputs, QueryMetric
from overpaint.metrics.convergence import STEP, Convergence
from overpaint.metrics.insertion_deletion import Deletion, Insertion
from overpaint.perturbation.engine import Engine, compute_maps
from overpaint.perturbation.method import MaskBatch, PerturbationMethod, TargetScores
from overpaint.perturbation.tasks import QueryTask
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.occlusion import Occlusion
from overpaint.saliency.rise import Rise

IMAGES, TARGETS = noise_images(2, 32, 3), torch.tensor([[0, 3], [2, 1]])


class Largest(QueryMetric):
    """A judge that asks nothing: the map's largest value, times a factor."""

    higher_is_better = True
    label = "largest"

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def query_task(self, inputs: MetricInputs, row: int, engine: Engine) -> QueryTask[MetricResult]:
        def coroutine() -> Generator[MaskBatch, TargetScores, MetricResult]:
            return MetricResult(self.factor * float(inputs.maps[row].max()))
            yield

        return QueryTask(inputs.images[row], inputs.targets[row : row + 1], inputs.images[row], coroutine(), 0)


def _by_largest(budgets: list[int]) -> Convergence:
    metric = Convergence(budgets)
    metric.insertion, metric.deletion = Largest(3.0), Largest(1.0)
    return metric


def _asked(
    method: SaliencyMethod, classifier: Classifier, images: Tensor, targets: Tensor
) -> tuple[MetricContext, MetricInputs]:
    context = MetricContext(method, classifier, Engine(classifier, batch_size=32))
    maps = compute_maps(method, classifier, images, targets, context.engine).maps
    rows = images.repeat_interleave(targets.shape[1], 0)
    return context, MetricInputs(rows, targets.flatten(), maps, torch.zeros_like(maps, dtype=torch.bool))


def _curves(metric: Convergence, context: MetricContext, inputs: MetricInputs) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the values, the curves and the places, which all rows share."""
    found = metric.measure(inputs, context)
    curves, places = [[m.curve for m in found], [m.places for m in found]]
    assert all(torch.equal(p, places[0]) for p in places)  # type: ignore[arg-type]
    return torch.tensor([m.value for m in found]), torch.stack(curves), places[0]  # type: ignore[arg-type, return-value]


def test_it_is_insertion_minus_deletion_of_the_maps_under_each_budget(network: NetworkClassifier) -> None:
    context, inputs = _asked(Rise(queries=100, seed=2), network, IMAGES, TARGETS)
    values, curves, places = _curves(Convergence([30, 60], seed=1), context, inputs)
    assert places.tolist() == [30, 60, 100]
    for point, queries in enumerate((30, 60, 100)):
        maps = Rise(queries=queries, seed=2)(network, IMAGES, TARGETS).maps
        for row in range(4):
            own = replace(inputs, maps=maps).rows([row])
            judged = [
                Engine(network, batch_size=32)
                .run([judge(step=STEP, seed=1).query_task(own, 0, context.engine)])[0]
                .value
                for judge in (Insertion, Deletion)
            ]
            assert float(curves[row, point]) == pytest.approx(judged[0] - judged[1], abs=1e-5)
    torch.testing.assert_close(values, curves.mean(1))


def test_more_queries_find_planted_evidence_better(dimensions: int, white: Tensor) -> None:
    classifier, method = planted(lambda share: share, dimensions), Rise(queries=2000, cells=8, baseline="mean")
    context, inputs = _asked(method, classifier, white, torch.tensor([[1]]))
    few = {1: 2, 2: 8}[dimensions]  # of a series eight find it all
    values, curves, _ = _curves(Convergence([few, 512]), context, inputs)
    assert float(curves[0, 0]) < float(curves[0, 1:].min())
    assert 0 < float(values[0]) < 1


def test_the_last_point_is_the_map_that_is_judged(network: NetworkClassifier) -> None:
    context, inputs = _asked(Rise(queries=50), network, IMAGES, TARGETS)
    marked = replace(inputs, maps=torch.arange(4.0)[:, None, None].expand(4, 32, 32))
    _, curves, places = _curves(_by_largest([20, 50, 80]), context, marked)
    assert places.tolist() == [20, 50]
    assert curves[:, 1].tolist() == [0, 2, 4, 6]
    few = Rise(queries=20)(network, IMAGES, TARGETS).maps
    torch.testing.assert_close(curves[:, 0], 2 * few.flatten(1).amax(1))


def test_budgets_that_the_settings_do_not_allow_are_left_out(network: NetworkClassifier) -> None:
    """Sixteen chains need 32 queries, and spend multiples of 16."""
    context, inputs = _asked(MaskEstimation(queries=100, chains=16), network, IMAGES, TARGETS)
    values, curves, places = _curves(_by_largest([60, 31, 8, 60]), context, inputs)
    assert places.tolist() == [64, 112]
    assert curves.shape == (4, 2)
    torch.testing.assert_close(values, curves.mean(1))


def test_a_method_that_stops_early_shows_what_it_spent(white_images: Tensor) -> None:
    classifier = planted(lambda share: share)
    context, inputs = _asked(Rise(queries=5000, stop_at=0.5), classifier, white_images, torch.tensor([[1]]))
    _, _, places = _curves(_by_largest([64, 4000]), context, inputs)
    assert places[0] == 64
    assert 64 < float(places[1]) < 4000
    assert float(places[1]) % 128 == 0


@pytest.mark.parametrize("method", [Gradient(), Occlusion(window=0.5, stride=0.5)])
def test_a_method_without_a_budget_has_none(method: SaliencyMethod, network: NetworkClassifier) -> None:
    context, inputs = _asked(method, network, IMAGES, TARGETS)
    metric = Convergence()
    metric.update(inputs, context)
    assert [math.isnan(measured.value) for measured in metric.measure(inputs, context)] == [True] * 4
    assert math.isnan(float(metric.compute()))


def test_a_black_box_under_no_grad_is_measured_too() -> None:
    classifier = FunctionClassifier(lambda images: images.mean((1, 2, 3)))
    method: PerturbationMethod = Rise(queries=40)
    with torch.no_grad():
        context, inputs = _asked(method, classifier, noise_images(1, 16), torch.tensor([[0, 1]]))  # type: ignore[arg-type]
        values, _, _ = _curves(Convergence([20]), context, inputs)
    assert bool(values.isfinite().all())


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OverpaintError, match=r"budgets=\[64, 0\] must be at least 1"):
        Convergence([64, 0])
