"""Guided backpropagation against captum, and on the ReLUs that captum misses."""

import pytest
import torch
from captum.attr import GuidedBackprop as Captums
from conftest import SIZES, LogitModule, assert_same, noise_images, torchvision_classifier

from overpaint.core.errors import OverpaintError
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.guided_backprop import GuidedBackprop

TARGETS = torch.tensor([3, 1])


@pytest.mark.filterwarnings("ignore:Setting")
@pytest.mark.parametrize("name", ["resnet18", "vgg11", "mobilenet_v3_small", "squeezenet1_1"])
def test_it_is_captums(name: str) -> None:
    classifier, images = torchvision_classifier(name), noise_images(2, SIZES[name], 3)
    found = GuidedBackprop(batch_size=2, sign="signed")(classifier, images, TARGETS[:, None])
    expected = Captums(LogitModule(classifier)).attribute(images.clone().requires_grad_(), target=TARGETS)
    assert_same(found.maps, expected.sum(1))
    plain = Gradient(sign="signed")(classifier, images, TARGETS[:, None]).maps
    assert float((found.maps - plain).abs().max()) > 0.05 * float(plain.abs().max())


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t"])
def test_a_network_without_relus_is_refused(name: str) -> None:
    with pytest.raises(OverpaintError, match="network has none, so its map would be the plain gradient; use gradient"):
        GuidedBackprop(batch_size=1)(torchvision_classifier(name), noise_images(1, SIZES[name], 3), TARGETS[:1, None])
