"""Series are explained by the runner as images are: classifiers whose answer one stretch of the series decides."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overpaint.classifiers.blackbox import CallableClassifier
from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.insertion_deletion import Deletion, Insertion
from overpaint.metrics.localisation import PointingGame
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.runner import Runner
from overpaint.saliency.grad_cam import GradCam
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.lime import Lime
from overpaint.saliency.occlusion import Occlusion
from overpaint.saliency.rise import Rise
from overpaint.saliency.surrogate import Surrogate

LENGTH, FIRST, LAST = 80, 24, 40
"""Points of a series, and where its bump lies."""

BLACK_BOX: dict[str, SaliencyMethod] = {
    "surrogate": Surrogate(queries=256, baseline="mean"),
    "rise": Rise(queries=512, baseline="mean"),
    "occlusion": Occlusion(window=8, stride=2),
    "lime": Lime(queries=256, segments="grid", num_segments=10, baseline="mean"),
}
METHODS = BLACK_BOX | {"gradient": Gradient(), "grad_cam": GradCam()}


class _Bump(nn.Module):
    """Convolution, ReLU, average over time, linear: class 1 by the sum of the first channel."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv1d(2, 2, 1, bias=False), nn.ReLU())
        self.head = nn.Linear(2, 2)
        nn.init.dirac_(self.features[0].weight)
        self.head.weight.data = torch.tensor([[0.0, 0.0], [25.0, 0.0]])
        self.head.bias.data = torch.tensor([2.5, 0.0])

    def forward(self, series: Tensor) -> Tensor:
        return self.head(self.features(series).mean(2))


def _series() -> Tensor:
    """Two series of two channels: 0 but for a bump in the first."""
    series = torch.zeros(2, 2, LENGTH)
    series[:, 0, FIRST:LAST] = 1
    series[1, 1, 60:] = 0.5  # of the channel that decides nothing
    return series


def _network() -> NetworkClassifier:
    classifier = NetworkClassifier(_Bump(), ["flat", "bump"], (LENGTH,), [0.0, 0.0], None)
    return classifier.eval().requires_grad_(False)


def _function() -> CallableClassifier:
    network = _Bump().requires_grad_(False)

    def score(series: NDArray[np.float32]) -> NDArray[np.float32]:
        assert series.shape[1:] == (2, LENGTH)
        return network(torch.from_numpy(series)).numpy()

    return CallableClassifier(score, ["flat", "bump"], (LENGTH,), 2, [0.0, 0.0])


@pytest.mark.parametrize(
    ("classifier", "methods"), [(_network(), METHODS), (_function(), BLACK_BOX)], ids=["network", "function"]
)
def test_series_are_explained(classifier: Classifier, methods: dict[str, SaliencyMethod]) -> None:
    bump = torch.zeros(2, LENGTH, dtype=torch.bool)
    bump[:, FIRST:LAST] = True
    metrics = {"insertion": Insertion(), "deletion": Deletion(), "pointing_game": PointingGame()}
    rule = RegionRule(fraction=float(bump.float().mean()))
    runner = Runner(classifier, methods, Engine(classifier), rule, metrics=metrics)
    found = runner.run(_series(), torch.ones(2, 1, dtype=torch.long), bump)
    assert set(found.saliency) == set(methods)
    for name, maps in found.saliency.items():
        assert maps.maps.shape == (2, LENGTH), name
        region = found.regions[name]
        assert region.shape == (2, LENGTH)
        overlaps = (region & bump).sum(1) / (region | bump).sum(1)
        assert overlaps.min() > 0.5, (name, overlaps)
        results = found.metric_results[name]
        for row in range(2):
            assert results["pointing_game"][row].value == 1
            assert results["insertion"][row].value > results["deletion"][row].value


def test_series_of_another_length_are_resized() -> None:
    classifier, method = _network(), GradCam()
    series = _series().repeat_interleave(2, dim=2)
    found = Runner(classifier, {"grad_cam": method}, Engine(classifier)).run(series, torch.ones(2, 1).long())
    maps = found.saliency["grad_cam"].maps
    assert maps.shape == (2, 2 * LENGTH)
    assert bool(((maps.argmax(1) >= 2 * FIRST) & (maps.argmax(1) < 2 * LAST)).all())
