"""Integrated gradients: completeness, the closed form of a linear network, captum, and the convergence delta."""

import captum.attr
import pytest
import torch
from conftest import LogitModule, assert_same, frozen_classifier, noise_images, torchvision_classifier
from test_gradient import linear_classifier
from torch import Tensor, nn

from overpaint.core.errors import OverpaintWarning
from overpaint.saliency.integrated_gradients import IntegratedGradients


class Smooth(nn.Module):
    """A network without kinks, whose integral the quadrature hits."""

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        convolution = {1: nn.Conv1d, 2: nn.Conv2d}[dimensions]
        self.layers = nn.Sequential(convolution(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 14**dimensions, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


@pytest.mark.parametrize("baseline", ["mean", "black"])
def test_the_map_sums_to_the_logits_difference(baseline: str, dimensions: int) -> None:
    torch.manual_seed(0)
    classifier = frozen_classifier(Smooth(dimensions), [16] * dimensions)
    images, targets = noise_images(3, 16, dimensions=dimensions), torch.tensor([[2], [0], [1]])
    found = IntegratedGradients(baseline=baseline)(classifier, images, targets)  # type: ignore[arg-type]
    start = torch.full_like(images, 0.5 if baseline == "mean" else 0.0)
    difference = (classifier.logits(images) - classifier.logits(start)).gather(1, targets)[:, 0]
    torch.testing.assert_close(found.maps.flatten(1).sum(1), difference, rtol=1e-4, atol=1e-4)
    assert float(found.measures["convergence_delta"].abs().max()) < 1e-4
    assert found.queries.tolist() == [52] * 3


def test_of_a_linear_network_it_is_weight_times_distance(dimensions: int) -> None:
    classifier, weights = linear_classifier(dimensions)
    images, targets = noise_images(2, 8, 3, dimensions=dimensions), torch.tensor([[2], [0]])
    expected = (weights[targets[:, 0]] * (images - 0.5) / 0.25).sum(1)
    torch.testing.assert_close(IntegratedGradients(steps=1)(classifier, images, targets).maps, expected)
    for sign, values in (("absolute", expected.abs()), ("positive", expected.clamp(min=0))):
        found = IntegratedGradients(steps=3, sign=sign)(classifier, images, targets)  # type: ignore[arg-type]
        torch.testing.assert_close(found.maps, values)


def test_it_is_captums_in_passes_of_any_size() -> None:
    classifier, images = torchvision_classifier("resnet18"), noise_images(2, 64, 3)
    method = captum.attr.IntegratedGradients(LogitModule(classifier))
    start = torch.full_like(images, 0.5)
    expected, delta = method.attribute(images, start, torch.tensor([3, 1]), n_steps=12, return_convergence_delta=True)
    for rows in (12, 5):
        found = IntegratedGradients(steps=12, batch_size=rows)(classifier, images, torch.tensor([[3], [1]]))
        assert_same(found.maps, expected.sum(1))
        torch.testing.assert_close(found.measures["convergence_delta"], delta.float(), rtol=1e-3, atol=1e-5)


def test_a_large_convergence_delta_is_warned_about() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 3))
    with pytest.warns(OverpaintWarning, match=r"more than 5%; raise steps=1 \(each image's convergence_delta"):
        IntegratedGradients(steps=1, baseline="black")(
            frozen_classifier(network), noise_images(1, 16), torch.tensor([[0]])
        )
