"""SmoothGrad against captum's NoiseTunnel under the same noise, its standard error, and its limits."""

import pytest
import torch
from captum.attr import NoiseTunnel, Saliency
from conftest import LogitModule, assert_same, noise_images, torchvision_classifier
from test_gradient import linear_classifier

from overpaint.core.results import SaliencyMaps
from overpaint.core.rng import image_rng
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.smooth_grad import SmoothGrad

TARGET = torch.tensor([[3]])


def test_it_is_captums_noise_tunnel_under_the_same_noise() -> None:
    classifier, images = torchvision_classifier("resnet18"), noise_images(1, 64, 3)
    found = SmoothGrad(samples=6, noise=0.2, batch_size=6, seed=4)(classifier, images, TARGET)
    with torch.random.fork_rng():
        torch.manual_seed(image_rng(images[0], 4, "smooth_grad").initial_seed())
        tunnel = NoiseTunnel(Saliency(LogitModule(classifier)))
        spread = 0.2 * float(images.max() - images.min())
        inputs = images.clone().requires_grad_()
        smooth = tunnel.attribute(inputs, nt_samples=6, stdevs=spread, target=3, abs=False)
    assert_same(found.maps[0], smooth[0].abs().amax(0))


def test_of_a_linear_network_it_is_the_gradient_without_error(dimensions: int) -> None:
    classifier, _ = linear_classifier(dimensions)
    images, targets = noise_images(2, 8, 3, dimensions=dimensions), torch.tensor([[2], [0]])
    for sign in ("absolute", "signed", "positive"):
        found = SmoothGrad(samples=3, sign=sign)(classifier, images, targets)  # type: ignore[arg-type]
        expected = Gradient(sign=sign)(classifier, images, targets)  # type: ignore[arg-type]
        torch.testing.assert_close(found.maps, expected.maps)
        assert found.standard_errors is not None
        assert float(found.standard_errors.max()) < 1e-5
        assert found.queries.tolist() == [3, 3]


def test_without_noise_it_is_the_gradient() -> None:
    classifier, images = torchvision_classifier("squeezenet1_1"), noise_images(1, 64, 3)
    found, expected = (method(classifier, images, TARGET) for method in (SmoothGrad(2, noise=0.0), Gradient()))
    assert_same(found.maps, expected.maps)


@pytest.mark.parametrize("sign", ["signed", "absolute"])
def test_the_standard_error_predicts_the_spread_over_seeds(sign: str) -> None:
    classifier, images = torchvision_classifier("squeezenet1_1"), noise_images(1, 64, 3)

    def run(seed: int) -> SaliencyMaps:
        return SmoothGrad(samples=24, sign=sign, seed=seed, batch_size=24)(classifier, images, TARGET)  # type: ignore[arg-type]

    runs = [run(seed) for seed in range(12)]
    spread = torch.stack([r.maps for r in runs]).var(0).mean()
    error = torch.stack([r.standard_errors for r in runs]).square().mean()  # type: ignore[misc]
    # The maximum over channels varies less than the channel that attains it.
    assert (0.9 if sign == "signed" else 0.7) < float((spread / error).sqrt()) < 1.1
