"""Grad-CAM's closed form, and that it leaves the network as it was."""

import pytest
import torch
import torch.nn.functional as F
from conftest import planted
from torch import nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.errors import OverpaintError
from overpaint.networks.residual import build_classifier_network
from overpaint.saliency.grad_cam import GradCam, last_spatial_layer


def _classifier(network: nn.Module, size: int = 16) -> NetworkClassifier:
    return NetworkClassifier(network.eval(), ["a", "b", "c"], size, [0.5], [0.25]).requires_grad_(False)


class PooledNetwork(nn.Module):
    """Convolution, in-place ReLU, global average pooling, linear: its CAM is known."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(inplace=True))
        self.head = nn.Linear(4, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images).mean((2, 3)))


def test_for_global_average_pooling_it_is_the_class_activation_map() -> None:
    """Then α_k = w_ck / cells, so S = relu(Σ_k w_ck A_k) / cells (Zhou et al., 2016)."""
    torch.manual_seed(0)
    network = PooledNetwork()
    classifier = _classifier(network)
    images, targets = torch.rand(3, 1, 16, 16), torch.tensor([2, 0, 1])
    activations = network.features((images - 0.5) / 0.25)
    cam = torch.einsum("bk,bkhw->bhw", network.head.weight[targets], activations) / activations[0, 0].numel()
    expected = F.interpolate(F.relu(cam)[:, None], (16, 16), mode="bilinear")[:, 0]
    found = GradCam()(classifier, images, targets[:, None])
    torch.testing.assert_close(found.maps, expected)
    assert found.standard_errors is None
    assert found.queries.tolist() == [1, 1, 1]


def test_the_network_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    classifier = _classifier(PooledNetwork())
    before = torch.random.get_rng_state()
    GradCam()(
        classifier, torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([[0], [1]])
    )
    with pytest.raises(OverpaintError, match="is no map"):
        GradCam(layer="head")(classifier, torch.zeros(1, 1, 16, 16), torch.tensor([[0]]))
    assert all(not m._forward_hooks for m in classifier.modules())
    assert all(p.grad is None and not p.requires_grad for p in classifier.parameters())
    assert torch.equal(before, torch.random.get_rng_state())


def test_last_spatial_layer() -> None:
    residual = NetworkClassifier(build_classifier_network("residual", 1, 3).eval(), ["a", "b", "c"], 32, [0.5], [0.25])
    assert last_spatial_layer(residual, torch.zeros(2, 1, 32, 32)) == "stages"
    resnet = NetworkClassifier(
        build_classifier_network("resnet18", 3, 3).eval(), ["a", "b", "c"], 64, [0.5] * 3, [0.25] * 3
    )
    assert last_spatial_layer(resnet, torch.zeros(2, 3, 64, 64)) == "layer4"


def test_what_is_impossible_is_said(white_images: torch.Tensor) -> None:
    with pytest.raises(
        OverpaintError, match="needs a classifier with layers and gradients; use rise or mask_estimation"
    ):
        GradCam()(planted(lambda share: share), white_images, torch.tensor([[1]]))
    classifier = _classifier(PooledNetwork())
    with pytest.raises(OverpaintError, match=r"layer='nowhere' is not in the network; it has features, features.0"):
        GradCam(layer="nowhere")(classifier, torch.zeros(1, 1, 16, 16), torch.tensor([[0]]))
    with torch.inference_mode(), pytest.raises(OverpaintError, match=r"use Trainer\(inference_mode=False\)"):
        GradCam()(classifier, torch.zeros(1, 1, 16, 16), torch.tensor([[0]]))
