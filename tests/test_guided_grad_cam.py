"""Guided Grad-CAM against captum."""

import pytest
import torch
from captum.attr import GuidedGradCam as Captums
from conftest import SIZES, LogitModule, assert_same, noise_images, torchvision_classifier
from test_layers import AUTO

from overpaint.core.errors import OverpaintError
from overpaint.saliency.guided_grad_cam import GuidedGradCam

TARGETS = torch.tensor([3, 1])


@pytest.mark.filterwarnings("ignore:Setting")
@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_it_is_captums(name: str) -> None:
    classifier, images = torchvision_classifier(name), noise_images(2, SIZES[name], 3)
    found = GuidedGradCam(batch_size=2)(classifier, images, TARGETS[:, None])
    captums = Captums(LogitModule(classifier), classifier.network.get_submodule(AUTO[name][0]))
    expected = captums.attribute(images.clone().requires_grad_(), target=TARGETS, interpolate_mode="bilinear")
    assert_same(found.maps, expected.detach().abs().amax(1))
    assert found.queries.tolist() == [2, 2]


def test_a_network_without_relus_is_refused() -> None:
    with pytest.raises(OverpaintError, match="guided_grad_cam changes what ReLUs pass back"):
        GuidedGradCam(batch_size=1)(torchvision_classifier("swin_t"), noise_images(1, 64, 3), TARGETS[:1, None])
