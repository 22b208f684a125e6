"""Maximum sensitivity against its formula, its closed form for linear maps, and sampling noise that must not count."""

import math
from dataclasses import dataclass

import pytest
import torch
from conftest import FunctionMethod, blind, noise_images, weighing
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.rng import image_rng
from overpaint.core.types import TargetSets
from overpaint.metrics.base import MetricContext, MetricInputs
from overpaint.metrics.sensitivity import SensitivityMax
from overpaint.perturbation.engine import Engine, compute_maps
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.lime import Lime
from overpaint.saliency.rise import Rise
from overpaint.saliency.smooth_grad import SmoothGrad

BLIND = blind(2)


@dataclass(frozen=True)
class Scaled(SaliencyMethod):
    """A method whose map is the image itself, times the class."""

    noise: float = 0.0
    seed: int = 0

    def __call__(self, classifier: Classifier, images: Tensor, targets: TargetSets) -> SaliencyMaps:
        drawn = torch.stack([torch.rand(x.shape[1:], generator=image_rng(x, self.seed)) for x in images])
        own = images[:, 0] + self.noise * drawn
        maps = (own[:, None] * targets.reshape(*targets.shape, *[1] * (own.ndim - 1))).flatten(0, 1)
        return SaliencyMaps(maps, None, torch.ones_like(targets.flatten()))


def _subject(method: SaliencyMethod, classifier: Classifier) -> MetricContext:
    return MetricContext(method, classifier, Engine(classifier, batch_size=32))


def _evidence(context: MetricContext, images: Tensor, targets: Tensor) -> MetricInputs:
    maps = compute_maps(context.method, context.classifier, images, targets, context.engine).maps
    rows = images.repeat_interleave(targets.shape[1], 0)
    return MetricInputs(rows, targets.flatten(), maps, torch.zeros_like(maps, dtype=torch.bool))


def _values(metric: SensitivityMax, context: MetricContext, images: Tensor, targets: Tensor) -> Tensor:
    found = metric.measure(_evidence(context, images, targets), context)
    return torch.tensor([measured.value for measured in found])


def test_of_a_map_that_is_the_image_it_is_the_greatest_relative_change(dimensions: int) -> None:
    metric, images = SensitivityMax(radius=0.1, samples=4, seed=2), noise_images(2, 12, dimensions=dimensions)
    found = _values(metric, _subject(Scaled(), blind(dimensions)), images, torch.tensor([[1, 3], [2, 5]]))
    each = [(metric.changed(x) - x).flatten(1).norm(dim=1).max() / x.norm() for x in images]
    torch.testing.assert_close(found, torch.stack(each).repeat_interleave(2))


def test_it_is_the_formula_for_each_class_of_each_image(network: NetworkClassifier) -> None:
    metric, images, targets = SensitivityMax(samples=3), noise_images(2, 32, 3), torch.tensor([[0, 3], [2, 1]])
    method = Gradient()
    expected = []
    for image, own in zip(images, targets, strict=True):
        for target in own.reshape(2, 1, 1):
            before = method(network, image[None], target).maps
            after = torch.cat([method(network, x[None], target).maps for x in metric.changed(image)])
            expected.append(float((after - before).flatten(1).norm(dim=1).max() / before.norm()))
    found = _values(metric, _subject(method, network), images, targets)
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", [Scaled(noise=5.0), Rise(queries=30), Lime(queries=64, segments="grid")])
def test_sampling_noise_does_not_count(method: SaliencyMethod, dimensions: int) -> None:
    """A classifier that hardly changes with the image has maps that hardly change, whatever noise is in them."""
    weights = noise_images(1, 16, seed=4, dimensions=dimensions)[0, 0] / 16**dimensions
    context, targets = _subject(method, weighing(weights)), torch.tensor([[1]])
    image = noise_images(1, 16, dimensions=dimensions)
    found = float(_values(SensitivityMax(radius=1e-3, samples=3), context, image, targets))
    own, drawn_anew = (_evidence(context, x, targets).maps for x in (image, (image + 1e-3).clamp(0, 1)))
    assert 0 < found < 0.1 * float((drawn_anew - own).norm() / own.norm())


def test_under_the_same_noise_a_smoothed_gradient_is_less_sensitive(network: NetworkClassifier) -> None:
    images, targets, metric = noise_images(2, 32, 3), torch.tensor([[1], [2]]), SensitivityMax(radius=0.1, samples=3)
    smooth, plain = (
        _values(metric, _subject(method, network), images, targets)
        for method in (SmoothGrad(samples=8, noise=0.3), Gradient())
    )
    assert bool((smooth < plain).all())


def test_changes_are_the_images_own_and_stay_in_range() -> None:
    image = noise_images(1, 16, 3)[0].round(decimals=1)
    metric = SensitivityMax(radius=0.2, samples=50)
    changed = metric.changed(image)
    assert changed.shape == (50, 3, 16, 16)
    assert 0 <= float(changed.min()) < 1e-6 < 1 - 1e-6 < float(changed.max()) <= 1
    assert 0.19 < float((changed - image).abs().max()) <= 0.2 + 1e-6
    inside = image == 0.5
    assert float((changed - image)[:, inside].mean().abs()) < 0.005
    assert torch.equal(metric.changed(image), changed)
    assert not torch.equal(SensitivityMax(radius=0.2, samples=50, seed=1).changed(image), changed)


def test_a_flat_map_has_none_and_leaves_its_neighbours() -> None:
    context, images, targets = _subject(Scaled(), BLIND), noise_images(2, 12), torch.tensor([[0, 1], [2, 0]])
    found = _values(SensitivityMax(samples=2), context, images, targets)
    assert found.isnan().tolist() == [True, False, False, True]
    metric = SensitivityMax(samples=2)
    metric.update(_evidence(context, images, targets), context)
    assert float(metric.compute()) == pytest.approx(float(found[1:3].mean()))


def test_a_map_that_is_not_finite_any_more_counts_as_one_of_zeros() -> None:
    image = noise_images(1, 12)

    def broken(classifier: Classifier, images: Tensor, targets: TargetSets) -> SaliencyMaps:
        maps = images[:, 0] if torch.equal(images, image) else torch.full_like(images[:, 0], math.nan)
        return SaliencyMaps(maps, None, torch.ones(len(images), dtype=torch.int64))

    assert _values(
        SensitivityMax(samples=2), _subject(FunctionMethod(broken), BLIND), image, torch.tensor([[1]])
    ).tolist() == [1.0]


def test_gradients_are_tiny_and_the_network_stays_as_it_is(network: NetworkClassifier) -> None:
    images, targets, state = noise_images(1, 32, 3), torch.tensor([[1]]), torch.get_rng_state()

    def tiny(classifier: Classifier, images: Tensor, targets: TargetSets) -> SaliencyMaps:
        found = Gradient()(classifier, images, targets)
        return SaliencyMaps(1e-25 * found.maps, None, found.queries)

    metric = SensitivityMax(samples=2)
    plain = _values(metric, _subject(Gradient(), network), images, targets)
    with torch.no_grad():
        torch.testing.assert_close(_values(metric, _subject(FunctionMethod(tiny), network), images, targets), plain)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(weight.requires_grad for weight in network.parameters())


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OverpaintError, match=r"radius=0.0 must be above 0"):
        SensitivityMax(radius=0.0)
