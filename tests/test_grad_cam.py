"""Grad-CAM's closed form, captum and torchcam as oracles, and what is impossible."""

import copy

import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerAttribution, LayerGradCam
from conftest import (
    LINEAR,
    SIZES,
    LogitModule,
    PooledNetwork,
    assert_same,
    frozen_classifier,
    noise_images,
    torchvision_classifier,
)
from test_layers import AUTO, TokenNetwork
from torch import Tensor, nn
from torchcam.methods import GradCAM as TorchcamGradCAM

from overpaint.core.errors import OverpaintError
from overpaint.saliency.grad_cam import GradCam

TARGETS = torch.tensor([3, 1])


def test_for_global_average_pooling_it_is_the_class_activation_map(dimensions: int) -> None:
    """Then α_k = w_ck / cells, so S = relu(Σ_k w_ck A_k) / cells (Zhou et al., 2016)."""
    torch.manual_seed(0)
    network, size = PooledNetwork(dimensions), (16,) * dimensions
    classifier = frozen_classifier(network, size)
    images, targets = torch.rand(3, 1, *size), torch.tensor([2, 0, 1])
    activations = network.features((images - 0.5) / 0.25)
    cam = torch.einsum("bk,bk...->b...", network.head.weight[targets], activations) / activations[0, 0].numel()
    for sign, values in (("positive", F.relu(cam)), ("signed", cam), ("absolute", cam.abs())):
        expected = F.interpolate(values[:, None], size, mode=LINEAR[dimensions])[:, 0]
        found = GradCam(sign=sign)(classifier, images, targets[:, None])  # type: ignore[arg-type]
        torch.testing.assert_close(found.maps, expected)
    assert found.standard_errors is None
    assert found.queries.tolist() == [1, 1, 1]


class Folded(nn.Module):
    """A layer of tokens whose patches pass through a place where they are a map, for captum."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.map = layer, nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = self.layer(tokens)
        patches = self.map(tokens[:, 1:].transpose(1, 2).unflatten(2, (14, 14)))
        return torch.cat([tokens[:, :1], patches.flatten(2).transpose(1, 2)], 1)


@pytest.mark.parametrize("name", SIZES)
def test_it_is_captums(name: str) -> None:
    count = 1 if name == "vit_b_16" else 2
    classifier = torchvision_classifier(name)
    images, targets = noise_images(count, SIZES[name], 3), TARGETS[:count]
    found = GradCam(batch_size=count)(classifier, images, targets[:, None])
    layer = classifier.network.get_submodule(AUTO[name][0])
    if name == "vit_b_16":
        classifier = copy.deepcopy(classifier)
        folded = Folded(layer)
        classifier.network.encoder.layers.encoder_layer_11.ln_1 = folded
        layer = folded.map
    cam = LayerGradCam(LogitModule(classifier), layer)
    expected = F.relu(cam.attribute(images.clone().requires_grad_(), target=targets))
    expected = LayerAttribution.interpolate(expected, images.shape[2:], "bilinear")[:, 0]
    assert_same(found.maps, expected.detach())


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "mobilenet_v3_small", "squeezenet1_1", "swin_t"])
def test_it_is_torchcams(name: str) -> None:
    classifier, images = torchvision_classifier(name), noise_images(2, SIZES[name], 3)
    found = GradCam(batch_size=2)(classifier, images, TARGETS[:, None])
    with TorchcamGradCAM(classifier.network, AUTO[name][0]) as extractor:
        scores = classifier.logits(images.clone().requires_grad_())
        (maps,) = extractor(TARGETS.tolist(), scores, normalized=False)
    expected = F.interpolate(maps[:, None], images.shape[2:], mode="bilinear")[:, 0]
    assert_same(found.maps, expected)


def test_any_layer_can_be_chosen() -> None:
    classifier, images = torchvision_classifier("resnet18"), noise_images(2, 64, 3)
    found = GradCam(layer="layer2.0.conv1")(classifier, images, TARGETS[:, None])
    cam = LayerGradCam(LogitModule(classifier), classifier.network.layer2[0].conv1)
    expected = F.relu(cam.attribute(images.clone().requires_grad_(), target=TARGETS)).detach()
    assert_same(found.maps, F.interpolate(expected, (64, 64), mode="bilinear")[:, 0])


def test_images_of_another_size_get_maps_of_their_size() -> None:
    maps = GradCam()(torchvision_classifier("resnet18"), noise_images(2, 90, 3)[:, :, :70], TARGETS[:, None]).maps
    assert maps.shape == (2, 70, 90)


def test_what_is_impossible_is_said() -> None:
    torch.manual_seed(0)
    images, target = torch.zeros(1, 1, 16, 16), torch.tensor([[0]])
    classifier = frozen_classifier(PooledNetwork())
    for layer in ("nowhere", "head"):
        with pytest.raises(
            OverpaintError, match=rf"grad_cam: layer={layer} has no spatial map that .*possible are fea"
        ):
            GradCam(layer=layer)(classifier, images, target)
    tokens = frozen_classifier(TokenNetwork())
    with pytest.raises(OverpaintError, match=r"layer=last has no .* possible are patches, norm, qkv"):
        GradCam(layer="last")(tokens, images, target)
    assert all(not m._forward_hooks for m in [*tokens.modules(), *classifier.modules()])
