"""Any class of captum by its name and arguments."""

import captum.attr
import pytest
import torch
from conftest import PATCH, LogitModule, assert_same, noise_images, planted, torchvision_classifier
from test_gradient import linear_classifier

from overpaint.core.errors import OverpaintError
from overpaint.saliency.captum_method import CaptumMethod

TARGETS = torch.tensor([[3], [1]])


def test_on_a_linear_network_deep_lift_is_weight_times_distance(dimensions: int) -> None:
    classifier, weights = linear_classifier(dimensions)
    images, targets = noise_images(2, 8, 3, dimensions=dimensions), torch.tensor([[2], [0]])
    expected = (weights[targets[:, 0]] * (images - 0.5) / 0.25).sum(1)
    for sign, values in (("signed", expected), ("absolute", expected.abs()), ("positive", expected.clamp(min=0))):
        found = CaptumMethod("DeepLift", {"baselines": "mean"}, sign)(classifier, images, targets)  # type: ignore[arg-type]
        torch.testing.assert_close(found.maps, values)
    assert found.queries.tolist() == [2, 2]


def test_arguments_reach_the_constructor_and_the_call() -> None:
    classifier, images = torchvision_classifier("resnet18"), noise_images(2, 64, 3)
    found = CaptumMethod("GuidedGradCam", {"layer": "layer3", "interpolate_mode": "bilinear"})(
        classifier, images, TARGETS
    )
    method = captum.attr.GuidedGradCam(LogitModule(classifier), classifier.network.layer3)
    with pytest.warns(UserWarning, match="Setting"):
        expected = method.attribute(images.clone().requires_grad_(), target=TARGETS[:, 0], interpolate_mode="bilinear")
    assert_same(found.maps, expected.detach().sum(1))


def test_random_draws_follow_the_seed() -> None:
    classifier, images = torchvision_classifier("squeezenet1_1"), noise_images(1, 64, 3)
    arguments = {"baselines": "mean", "n_samples": 2, "stdevs": 0.2}
    first, again, other = (
        CaptumMethod("GradientShap", arguments, seed=seed)(classifier, images, TARGETS[:1]).maps for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, rtol=0.1)


def test_perturbations_work_on_a_black_box(dimensions: int, white: torch.Tensor) -> None:
    classifier, window = planted(lambda share: share, dimensions), [1] + [8] * dimensions
    method = CaptumMethod("Occlusion", {"sliding_window_shapes": window, "strides": window, "baselines": 0})
    found = method(classifier, white, torch.tensor([[1]]))
    inside = torch.zeros([32] * dimensions, dtype=torch.bool)
    inside[PATCH[-dimensions:]] = True
    assert torch.equal(found.maps[0] > 1, inside)


def test_what_is_impossible_is_said() -> None:
    classifier, images = torchvision_classifier("resnet18"), noise_images(1, 64, 3)
    for name in ("Dream", "NoiseTunnel", "LayerGradCam", "visualization"):
        with pytest.raises(OverpaintError, match=rf"={name} is no class of captum.attr that .* such as DeepLift"):
            CaptumMethod(name)
    with pytest.raises(OverpaintError, match=r"InputXGradient takes no argument 'steps' here; it takes additional_for"):
        CaptumMethod("InputXGradient", {"steps": 3})
    with pytest.raises(OverpaintError, match="takes no argument 'target' here"):
        CaptumMethod("InputXGradient", {"target": 3})
    with pytest.raises(OverpaintError, match=r"Occlusion needs arguments\.sliding_window_shapes"):
        CaptumMethod("Occlusion")
    with pytest.raises(OverpaintError, match="layer=nowhere is not in the network; it has "):
        CaptumMethod("GuidedGradCam", {"layer": "nowhere"})(classifier, images, TARGETS[:1])
    with pytest.raises(OverpaintError, match="captum's Occlusion: "):
        CaptumMethod("Occlusion", {"sliding_window_shapes": [1, 8]})(classifier, images, TARGETS[:1])
