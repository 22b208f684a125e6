"""The gradient against a network whose gradient is known, and captum."""

import pytest
import torch
from captum.attr import Saliency
from conftest import SIZES, LogitModule, assert_same, frozen_classifier, noise_images, torchvision_classifier
from torch import nn

from overpaint.saliency.gradient import Gradient

TARGETS = torch.tensor([3, 1])


def linear_classifier(dimensions: int) -> tuple[nn.Module, torch.Tensor]:
    """A linear network of colour images, or of series of three channels; its weights by class, channel and place."""
    torch.manual_seed(0)
    size = [8] * dimensions
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8**dimensions, 3))
    return frozen_classifier(network, size, 3), network[1].weight.detach().reshape(3, 3, *size)


def test_of_a_linear_network_it_is_the_weights_over_the_transforms_scale(dimensions: int) -> None:
    classifier, weights = linear_classifier(dimensions)
    targets = torch.tensor([[2, 0], [1, 1]])
    chosen = weights[targets.flatten()] / 0.25
    images = noise_images(2, 8, 3, dimensions=dimensions)
    torch.testing.assert_close(Gradient()(classifier, images, targets).maps, chosen.abs().amax(1))
    torch.testing.assert_close(Gradient(sign="signed")(classifier, images, targets).maps, chosen.sum(1))
    torch.testing.assert_close(Gradient(sign="positive")(classifier, images, targets).maps, chosen.sum(1).clamp(min=0))


@pytest.mark.parametrize("name", SIZES)
def test_it_is_captums(name: str) -> None:
    count = 1 if name == "vit_b_16" else 2
    classifier, images, targets = torchvision_classifier(name), noise_images(count, SIZES[name], 3), TARGETS[:count]
    found = Gradient(batch_size=count)(classifier, images, targets[:, None])
    inputs = images.clone().requires_grad_()
    expected = Saliency(LogitModule(classifier)).attribute(inputs, target=targets).amax(1)
    assert_same(found.maps, expected)
    assert found.queries.tolist() == [1] * count
