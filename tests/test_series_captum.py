"""On series the methods that captum has too equal captum's, on the same convolutional network."""

from collections.abc import Callable

import captum.attr
import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerAttribution
from conftest import LogitModule
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.protocols import SaliencyMethod
from overpaint.saliency.deconvnet import Deconvnet
from overpaint.saliency.grad_cam import GradCam
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.guided_backprop import GuidedBackprop
from overpaint.saliency.guided_grad_cam import GuidedGradCam
from overpaint.saliency.integrated_gradients import IntegratedGradients
from overpaint.saliency.occlusion import Occlusion

CHANNELS, LENGTH = 2, 48
SERIES = 2 * torch.rand(2, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(1)) - 0.5
TARGETS = torch.tensor([2, 0])


class StridedNetwork(nn.Module):
    """Two convolutions, the second one with a stride, so that its maps are shorter than the series."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(CHANNELS, 6, 7, padding=3), nn.ReLU(), nn.Conv1d(6, 8, 5, 2, 2), nn.BatchNorm1d(8), nn.ReLU()
        )
        self.head = nn.Linear(8, 3)
        nn.init.normal_(self.head.weight, std=3.0)

    def forward(self, series: Tensor) -> Tensor:
        return self.head(self.features(series).mean(2))


def _classifier() -> NetworkClassifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = StridedNetwork()
    classifier = NetworkClassifier(network, ["a", "b", "c"], [LENGTH], [0.3, 0.6], [0.2, 0.4])
    return classifier.eval().requires_grad_(False)


def _grad_cam(model: LogitModule, layer: nn.Module, inputs: Tensor) -> Tensor:
    cam = F.relu(captum.attr.LayerGradCam(model, layer).attribute(inputs, target=TARGETS))
    return LayerAttribution.interpolate(cam, (LENGTH,), "linear")[:, 0]


def _integrated(model: LogitModule, _: nn.Module, inputs: Tensor) -> Tensor:
    baseline = model.classifier.mean.expand_as(inputs)
    found = captum.attr.IntegratedGradients(model).attribute(inputs, baseline, target=TARGETS, n_steps=50)
    return found.sum(1)


def _occlusion(model: LogitModule, _: nn.Module, inputs: Tensor) -> Tensor:
    return captum.attr.Occlusion(model.classifier.scores).attribute(
        inputs,
        sliding_window_shapes=(CHANNELS, 7),
        strides=(CHANNELS, 3),
        baselines=model.classifier.mean.expand(2, CHANNELS, LENGTH),
        target=TARGETS,
    )[:, 0]


CASES: dict[str, tuple[SaliencyMethod, Callable[[LogitModule, nn.Module, Tensor], Tensor]]] = {
    "gradient": (Gradient(), lambda model, _, x: captum.attr.Saliency(model).attribute(x, target=TARGETS).amax(1)),
    "integrated_gradients": (IntegratedGradients(), _integrated),
    "guided_backprop": (
        GuidedBackprop(sign="signed"),
        lambda model, _, x: captum.attr.GuidedBackprop(model).attribute(x, target=TARGETS).sum(1),
    ),
    "deconvnet": (
        Deconvnet(sign="signed"),
        lambda model, _, x: captum.attr.Deconvolution(model).attribute(x, target=TARGETS).sum(1),
    ),
    "grad_cam": (GradCam(), _grad_cam),
    "guided_grad_cam": (
        GuidedGradCam(),
        lambda model, layer, x: (
            captum.attr.GuidedGradCam(model, layer)
            .attribute(x, target=TARGETS, interpolate_mode="linear")
            .abs()
            .amax(1)
        ),
    ),
    "occlusion": (Occlusion(window=7, stride=3), _occlusion),
}


@pytest.mark.filterwarnings("ignore:Setting", "ignore:Input Tensor")
@pytest.mark.parametrize("name", CASES)
def test_it_is_captums(name: str) -> None:
    classifier, (method, oracle) = _classifier(), CASES[name]
    found = method(classifier, SERIES, TARGETS[:, None]).maps
    layer = classifier.network.get_submodule("features.4")
    expected = oracle(LogitModule(classifier), layer, SERIES.clone().requires_grad_()).detach()
    assert found.shape == (2, LENGTH)
    assert float(expected.abs().max()) > 1e-3
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
