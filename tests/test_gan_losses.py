"""The losses of the adversarial game by hand, and the measures of samples on a classifier whose answers are known."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.linalg import sqrtm
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.training.gan_losses import (
    bce_discriminator_loss,
    bce_generator_loss,
    gradient_penalty,
    relativistic_discriminator_loss,
    relativistic_generator_loss,
)
from overpaint.training.generation_metrics import ClassifierFeatures, generation_metrics
from overpaint.training.recipes import RECIPES

REAL, FAKE = torch.tensor([0.0, 2.0, -1.0]), torch.tensor([1.0, -3.0, 0.5])


def _softplus(value: float) -> float:
    return math.log(1 + math.exp(value))


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_discriminator_loss_is_the_smoothed_cross_entropy() -> None:
    on_real = [-0.9 * math.log(_sigmoid(r)) - 0.1 * math.log(1 - _sigmoid(r)) for r in REAL.tolist()]
    on_fake = [-math.log(1 - _sigmoid(f)) for f in FAKE.tolist()]
    expected = sum(on_real) / 3 + sum(on_fake) / 3
    assert float(bce_discriminator_loss(REAL, FAKE)) == pytest.approx(expected, rel=1e-6)
    undecided = bce_discriminator_loss(torch.zeros(3), torch.zeros(3))
    assert float(undecided) == pytest.approx(2 * math.log(2), rel=1e-6)


def test_discriminator_loss_is_least_where_real_images_score_nine_tenths() -> None:
    best = math.log(9)  # the logit of 0.9
    real = torch.tensor([best, best - 1, best + 1], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(bce_discriminator_loss(real, FAKE.double()), real)
    assert float(gradient[0]) == pytest.approx(0, abs=1e-12)
    assert gradient.sign().tolist()[1:] == [-1, 1]


def test_generator_loss_is_minus_the_log_of_the_score() -> None:
    expected = -sum(math.log(_sigmoid(f)) for f in FAKE.tolist()) / 3
    assert float(bce_generator_loss(REAL, FAKE)) == pytest.approx(expected, rel=1e-6)
    assert torch.equal(bce_generator_loss(REAL, FAKE), bce_generator_loss(REAL + 1, FAKE))
    oracle = F.binary_cross_entropy_with_logits(FAKE, torch.ones(3))
    torch.testing.assert_close(bce_generator_loss(REAL, FAKE), oracle)


def test_relativistic_losses_compare_pairs() -> None:
    pairs = list(zip(REAL.tolist(), FAKE.tolist(), strict=True))
    for_discriminator = sum(_softplus(f - r) for r, f in pairs) / 3
    for_generator = sum(_softplus(r - f) for r, f in pairs) / 3
    assert float(relativistic_discriminator_loss(REAL, FAKE)) == pytest.approx(for_discriminator, rel=1e-6)
    assert float(relativistic_generator_loss(REAL, FAKE)) == pytest.approx(for_generator, rel=1e-6)
    # Only differences count.
    torch.testing.assert_close(
        relativistic_discriminator_loss(REAL + 5, FAKE + 5), relativistic_discriminator_loss(REAL, FAKE)
    )


def test_relativistic_generator_loss_moves_the_fakes_alone() -> None:
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    relativistic_generator_loss(real, fake).backward()
    assert real.grad is None
    assert fake.grad is not None
    expected = [-_sigmoid(r - f) / 3 for r, f in zip(REAL.tolist(), FAKE.tolist(), strict=True)]
    assert fake.grad.tolist() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", [bce_generator_loss, relativistic_generator_loss])
def test_generator_losses_do_not_saturate(loss: object) -> None:
    assert callable(loss)
    fake = torch.full((4,), -50.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(torch.zeros(4), fake), fake)
    torch.testing.assert_close(gradient, torch.full((4,), -0.25))


class _Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0)))

    def forward(self, images: Tensor) -> Tensor:
        return (images * self.weight).sum((1, 2, 3)) + 3


def test_gradient_penalty_of_a_linear_discriminator() -> None:
    """D(x) = w·x + 3 has the gradient w everywhere, so the penalty is ‖w‖² and its own gradient 2 w."""
    discriminator = _Linear()
    images = torch.rand(5, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    penalty = gradient_penalty(discriminator, images)
    torch.testing.assert_close(penalty, discriminator.weight.square().sum())
    penalty.backward()
    torch.testing.assert_close(discriminator.weight.grad, 2 * discriminator.weight.detach())
    assert not images.requires_grad
    assert images.grad is None


def test_the_penalty_weighs_the_same_judgement_the_same_at_any_size() -> None:
    """Of a discriminator that looks at an 8 x 8 version of the picture."""
    weight = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))

    class Coarse(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return (F.adaptive_avg_pool2d(images, 8)[:, 0] * weight).sum((1, 2))

    penalties = {size: gradient_penalty(Coarse(), torch.rand(2, 1, size, size)) for size in (32, 64, 128, 224)}
    weighed = torch.stack(
        [RECIPES["stable"].at((size, size)).penalty * penalty for size, penalty in penalties.items()]
    ).detach()
    assert float(weighed[0]) > 0
    torch.testing.assert_close(weighed, weighed[0].expand(4))


def test_a_recipe_that_was_chosen_at_a_size_is_fitted_to_others() -> None:
    stable, large, largest = (RECIPES["stable"].at((size, size)) for size in (32, 128, 224))
    assert stable == RECIPES["stable"]
    assert large.generator_rate == pytest.approx(stable.generator_rate / 4)
    assert large.discriminator_rate == pytest.approx(stable.discriminator_rate / 4)
    assert largest.generator_rate == large.generator_rate  # the networks are as wide
    oblong = RECIPES["stable"].at((96, 160))  # one doubling more than 32, 15 times the pixels
    assert oblong.generator_rate == pytest.approx(stable.generator_rate / 2)
    assert oblong.penalty == pytest.approx(15 * stable.penalty)
    assert RECIPES["radford"].at((224, 224)) == RECIPES["radford"]


def test_the_rates_fall_linearly_at_the_end() -> None:
    stable = RECIPES["stable"]  # the last 40 % of a run
    factors = [stable.rate_factor(step, 100) for step in (0, 60, 70, 80, 99, 100)]
    assert factors == pytest.approx([1, 1, 0.75, 0.5, 0.025, 0.02])
    assert [RECIPES["radford"].rate_factor(step, 100) for step in (0, 100)] == [1, 1]


def test_gradient_penalty_is_a_mean_over_images() -> None:
    """D(x) = ‖x‖² / 2 has the gradient x."""

    class Square(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.square().sum((1, 2, 3)) / 2

    images = torch.rand(5, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    expected = images.square().sum() / 5
    torch.testing.assert_close(gradient_penalty(Square(), images), expected)


class _ChannelMeans(nn.Module):
    """Logits 20 times the channels' means, through a last linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.last = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(3))
            self.first.bias.zero_()
            self.last.weight.copy_(20 * torch.eye(3))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.first(images.mean((2, 3))))
        return logits


def _classifier() -> NetworkClassifier:
    return NetworkClassifier(_ChannelMeans(), ["red", "green", "blue"], 4, [0.0] * 3, [1.0] * 3).eval()


def _colours(*colours: tuple[float, float, float]) -> Tensor:
    return torch.tensor(colours)[:, :, None, None].expand(-1, -1, 4, 4).clone()


def _noise(count: int, seed: int, shift: float = 0.0) -> Tensor:
    colours = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) * 0.6 + shift
    return colours[:, :, None, None].expand(-1, -1, 4, 4).clone()


def test_shares_by_hand() -> None:
    red, green, undecided = (0.9, 0.1, 0.0), (0.0, 1.0, 0.3), (0.31, 0.3, 0.3)
    samples = _colours(red, red, green, undecided, red)
    found = generation_metrics(_noise(5, 0), samples, _classifier())
    assert found["share_of_red"] == pytest.approx(0.8)
    assert found["share_of_green"] == pytest.approx(0.2)
    assert found["share_of_blue"] == 0
    assert found["least_fraction"] == 0
    assert found["confident"] == pytest.approx(0.8)
    # The undecided one's best score is e^0.2 / (e^0.2 + 2) = 0.379.
    found = generation_metrics(_noise(5, 0), samples, _classifier(), confident=0.37)
    assert found["confident"] == 1
    found = generation_metrics(_noise(5, 0), samples, _classifier(), confident=0.39)
    assert found["confident"] == pytest.approx(0.8)


def test_least_fraction_is_that_of_the_rarest_class() -> None:
    samples = _colours(*[(1.0, 0.0, 0.0)] * 5, *[(0.0, 1.0, 0.0)] * 3, *[(0.0, 0.0, 1.0)] * 2)
    found = generation_metrics(_noise(10, 0), samples, _classifier())
    assert found["least_fraction"] == pytest.approx(0.2)
    assert found["share_of_blue"] == pytest.approx(0.2)


def test_features_are_the_last_linear_layers_input() -> None:
    classifier, images = _classifier(), _noise(6, 0)
    features = ClassifierFeatures(classifier)
    assert features.num_features == 3
    torch.testing.assert_close(features(images), images.mean((2, 3)))
    torch.testing.assert_close(features.with_scores(images)[1], _classifier().scores(images))
    assert not features.last._forward_pre_hooks  # type: ignore[union-attr]
    network = nn.Sequential(nn.Conv2d(3, 5, 4), nn.Flatten())
    convolution = NetworkClassifier(network, list("abcde"), 4, [0.0] * 3, [1.0] * 3)
    features = ClassifierFeatures(convolution)
    assert features.num_features == 5
    torch.testing.assert_close(features(images), convolution.logits(images))


def test_the_hook_is_gone_after_an_error() -> None:
    features = ClassifierFeatures(_classifier())
    with pytest.raises(ValueError, match="3 channels"):
        features(torch.rand(2, 1, 4, 4))
    assert not features.last._forward_pre_hooks  # type: ignore[union-attr]


def test_distances_against_their_formulas() -> None:
    real, samples = _noise(300, 0), _noise(300, 1, shift=0.2)
    found = generation_metrics(real, samples, _classifier())
    x, y = (images.mean((2, 3)).double().numpy() for images in (real, samples))
    covariances = np.cov(x.T), np.cov(y.T)
    root = sqrtm(covariances[0] @ covariances[1]).real
    frechet = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert found["fid_like"] == pytest.approx(float(frechet), rel=1e-4)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / 3 + 1) ** 3

    # Subsets of 300 of 300 are everything, so the mean over subsets is the unbiased estimate itself.
    n = len(x)
    within = sum((kernel(a, a).sum() - np.trace(kernel(a, a))) / (n * (n - 1)) for a in (x, y))
    expected = float(within - 2 * kernel(x, y).mean())
    assert found["kid"] == pytest.approx(expected, rel=1e-3)


def test_distances_grow_with_the_shift() -> None:
    real = _noise(400, 0)
    same = generation_metrics(real, real.clone(), _classifier())
    assert abs(same["fid_like"]) < 1e-6
    assert abs(same["kid"]) < 0.01
    distances = [generation_metrics(real, _noise(400, 1, shift), _classifier()) for shift in (0.0, 0.1, 0.2, 0.4)]
    for name in ("fid_like", "kid"):
        values = [d[name] for d in distances]
        assert values == sorted(values)
        assert values[1] > 10 * abs(same[name])


def test_coverage_of_a_class_is_that_of_its_real_images() -> None:
    rng = torch.Generator().manual_seed(0)
    near = {name: 0.1 * torch.rand(20, 3, generator=rng) for name in ("red", "green", "blue")}
    colours = {name: near[name] + torch.eye(3)[i] * 0.8 for i, name in enumerate(near)}
    real = torch.cat([colours["red"], colours["green"]])[:, :, None, None].expand(-1, -1, 4, 4)
    half = torch.cat([colours["green"], colours["blue"]])[:, :, None, None].expand(-1, -1, 4, 4)
    found = generation_metrics(real, half, _classifier())
    assert found["coverage_of_green"] == 1
    assert found["coverage_of_red"] == 0
    assert "coverage_of_blue" not in found  # no real image is blue
    assert found["coverage"] == pytest.approx(0.5)
    assert (found["precision"], found["recall"]) == (0.5, 0.5)
    same = generation_metrics(real, real.clone(), _classifier())
    assert (same["precision"], same["recall"], same["coverage"]) == (1, 1, 1)


def test_measuring_changes_nothing() -> None:
    classifier, real, samples = _classifier(), _noise(600, 0), _noise(700, 1)
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = generation_metrics(real, samples, classifier)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(6)
    assert generation_metrics(real, samples, classifier) == first
    assert generation_metrics(real, samples, classifier, seed=1)["kid"] != first["kid"]
    for name, value in classifier.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])
    assert not classifier.training
