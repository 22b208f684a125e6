"""RISE against its published sum, its closed form on a linear classifier, and its own standard error."""

import pytest
import torch
from conftest import FunctionClassifier, planted

from overpaint.core.errors import OverpaintError
from overpaint.core.rng import image_rng
from overpaint.inpainting.region import is_flat
from overpaint.perturbation.masks import MaskGeometry
from overpaint.saliency.rise import Rise

TARGET = torch.tensor([[1]])


def _linear(weights: torch.Tensor) -> FunctionClassifier:
    return FunctionClassifier(lambda images: (images[:, 0] * weights).sum((1, 2)))


def test_mean_estimator_is_the_published_sum() -> None:
    """The literal twin of RISE's code: sum of p_k M_k over a loop, divided by N and by the keep probability."""
    image = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0))
    classifier = _linear(torch.rand(16, 16, generator=torch.Generator().manual_seed(1)) / 300)
    settings = Rise(queries=40, cells=4, keep=0.3, estimator="mean", seed=5)
    found = settings(classifier, image[None], TARGET)
    rng = image_rng(image, 5, "rise")
    geometry = MaskGeometry((4, 4), (16, 16))
    grids = (torch.rand(40, 4, 4, generator=rng) < 0.3).float()
    shifts = geometry.draw_shifts(40, rng)
    total = torch.zeros(16, 16)
    for grid, shift in zip(grids, shifts, strict=True):
        mask = geometry.masks(grid[None], shift[None])[0]
        total += classifier.scores((image * mask)[None])[0, 1] * mask
    torch.testing.assert_close(found.maps[0], total / 40 / 0.3)
    assert found.queries.tolist() == [40]


def test_covariance_of_a_linear_classifier_is_its_smoothed_weights(white_images: torch.Tensor) -> None:
    """For f = Σ w(λ) x(λ) on a white image over black, Cov(p, M) / Var M = Σ_b w_b K(b, λ) / K(λ, λ)."""
    weights = torch.zeros(32, 32)
    weights[8:16, 16:24] = 1 / 64
    weights[20:24, 4:8] = -1 / 32
    classifier = FunctionClassifier(lambda images: 0.5 + 0.4 * (images[:, 0] * weights).sum((1, 2)))
    found = Rise(queries=20000, cells=4)(classifier, white_images, TARGET)
    expected = MaskGeometry((4, 4), (32, 32)).block_slopes(0.4 * weights[None])[0]
    deviations = (found.maps[0] - expected) / found.standard_errors[0]  # type: ignore[index]
    assert float(deviations.square().mean().sqrt()) < 1.5
    assert float((found.maps[0] - expected).abs().max()) < 0.02


@pytest.mark.parametrize("estimator", ["mean", "covariance"])
def test_standard_error_predicts_the_spread_over_seeds(estimator: str, white_images: torch.Tensor) -> None:
    classifier = planted(lambda share: share)
    runs = [
        Rise(queries=200, cells=4, estimator=estimator, seed=s)(classifier, white_images, TARGET) for s in range(20)
    ]  # type: ignore[arg-type]
    maps = torch.stack([run.maps[0] for run in runs])
    errors = torch.stack([run.standard_errors[0] for run in runs])  # type: ignore[index]
    ratio = (maps.var(0).mean() / errors.square().mean()).sqrt()
    assert 0.9 < float(ratio) < 1.1


@pytest.mark.parametrize("estimator", ["mean", "covariance"])
def test_planted_evidence_is_found(estimator: str, white_images: torch.Tensor) -> None:
    found = Rise(queries=1000, cells=8, estimator=estimator)(planted(lambda share: share), white_images, TARGET)  # type: ignore[arg-type]
    row, column = divmod(int(found.maps[0].argmax()), 32)
    assert 8 <= row < 16
    assert 16 <= column < 24


def test_the_other_class_has_the_opposite_map(white_images: torch.Tensor) -> None:
    classifier = planted(lambda share: share)
    wanted = Rise(queries=100)(classifier, white_images, torch.tensor([[1]]))
    other = Rise(queries=100)(classifier, white_images, torch.tensor([[0]]))
    torch.testing.assert_close(wanted.maps, -other.maps)


def test_a_classifier_that_sees_nothing_gets_a_flat_map(white_images: torch.Tensor) -> None:
    blind = FunctionClassifier(lambda images: torch.full((len(images),), 0.7))
    assert is_flat(Rise(queries=200)(blind, white_images, TARGET).maps).tolist() == [True]


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OverpaintError, match="queries=1 must be at least 2"):
        Rise(queries=1)
