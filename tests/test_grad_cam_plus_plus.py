"""Grad-CAM++ against the paper's formula, term by term."""

from itertools import product

import torch
import torch.nn.functional as F
from conftest import LINEAR, PooledNetwork, assert_same, frozen_classifier, noise_images, torchvision_classifier
from torch import nn

from overpaint.saliency.grad_cam_plus_plus import GradCamPlusPlus, plus_plus_weights


def _published(activations: torch.Tensor, score: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Equations 5 and 19 with Y = exp(S), in a loop, without the factor that scales the whole map."""
    weights = torch.zeros(activations.shape[0], dtype=torch.float64)
    first, second, third = (score.exp() * gradients**i for i in (1, 2, 3))
    for k in range(len(weights)):
        for place in product(*map(range, gradients.shape[1:])):
            at = (k, *place)
            denominator = 2 * second[at] + activations[k].sum() * third[at]
            alpha = second[at] / denominator if second[at] > 0 else 0
            weights[k] += alpha * first[at].clamp(min=0)
    return weights / score.exp()


def test_the_weights_are_the_papers(dimensions: int) -> None:
    """torchcam 0.5.0 is no oracle here: it divides a copy, so that its α stays g²."""
    rng, size = torch.Generator().manual_seed(0), (4, 5)[-dimensions:]
    activations = torch.rand(2, 3, *size, generator=rng, dtype=torch.float64)
    gradients = torch.randn(2, 3, *size, generator=rng, dtype=torch.float64)
    gradients[0, 1] = 0
    expected = [_published(a, torch.tensor(1.5).double(), g) for a, g in zip(activations, gradients, strict=True)]
    torch.testing.assert_close(plus_plus_weights(activations, gradients), torch.stack(expected))


def test_for_global_average_pooling_it_is_known(dimensions: int) -> None:
    """Then g_kij = w_ck / cells everywhere, so w_k = cells · g / (2 + g Σ A) where g > 0 and 0 elsewhere."""
    torch.manual_seed(0)
    network, size = PooledNetwork(dimensions), (16,) * dimensions
    classifier, targets = frozen_classifier(network, size), torch.tensor([2, 0, 1])
    images = noise_images(3, 16, dimensions=dimensions)
    activations = network.features((images - 0.5) / 0.25)
    cells = activations[0, 0].numel()
    slopes = network.head.weight[targets] / cells
    weights = cells * slopes.clamp(min=0) / (2 + slopes * activations.flatten(2).sum(2))
    cam = F.relu(torch.einsum("bk,bk...->b...", weights, activations))
    found = GradCamPlusPlus()(classifier, images, targets[:, None])
    torch.testing.assert_close(found.maps, F.interpolate(cam[:, None], size, mode=LINEAR[dimensions])[:, 0])


def test_it_is_right_where_squared_gradients_underflow() -> None:
    """MobileNetV3 with random weights has gradients near 1e-12; scaling its head by 1e-20 scales the map alone."""
    classifier, images = torchvision_classifier("mobilenet_v3_small"), noise_images(2, 64, 3)
    targets = torch.tensor([[3], [1]])
    plain = GradCamPlusPlus(batch_size=2)(classifier, images, targets).maps
    head: nn.Linear = classifier.network.classifier[-1]
    before = head.weight.data
    try:
        head.weight.data = before * 1e-20
        assert_same(GradCamPlusPlus(batch_size=2)(classifier, images, targets).maps * 1e20, plain, 0.01)
    finally:
        head.weight.data = before
