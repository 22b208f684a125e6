"""The deconvnet rule against captum, where captum is right."""

import pytest
import torch
from captum.attr import Deconvolution
from conftest import SIZES, LogitModule, assert_same, noise_images, torchvision_classifier

from overpaint.core.errors import OverpaintError
from overpaint.saliency.deconvnet import Deconvnet

TARGETS = torch.tensor([3, 1])


@pytest.mark.filterwarnings("ignore:Setting")
@pytest.mark.parametrize("name", ["resnet18", "vgg11", "mobilenet_v3_small", "squeezenet1_1"])
def test_it_is_captums(name: str) -> None:
    classifier, images = torchvision_classifier(name), noise_images(2, SIZES[name], 3)
    found = Deconvnet(batch_size=2, sign="signed")(classifier, images, TARGETS[:, None])
    expected = Deconvolution(LogitModule(classifier)).attribute(images.clone().requires_grad_(), target=TARGETS)
    assert_same(found.maps, expected.sum(1))


def test_a_network_without_relus_is_refused() -> None:
    with pytest.raises(OverpaintError, match="deconvnet changes what ReLUs pass back"):
        Deconvnet(batch_size=1)(torchvision_classifier("swin_t"), noise_images(1, 64, 3), TARGETS[:1, None])
