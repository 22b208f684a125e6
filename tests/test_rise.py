"""RISE against its published sum, its closed form on a linear classifier, and its own standard error."""

from typing import Any

import pytest
import torch
from conftest import REPEATS, blind, planted, points_to_patch, two_patches, weighing

from overpaint.core.errors import OverpaintError
from overpaint.core.rng import image_rng
from overpaint.inpainting.region import is_flat
from overpaint.perturbation.masks import MaskGeometry
from overpaint.saliency.rise import Rise

TARGET = torch.tensor([[1]])


def test_mean_estimator_is_the_published_sum(dimensions: int) -> None:
    """The literal twin of RISE's code: sum of p_k M_k over a loop, divided by N and by the keep probability."""
    cells, size = (4,) * dimensions, (16,) * dimensions
    image = torch.rand(1, *size, generator=torch.Generator().manual_seed(0))
    classifier = weighing(torch.rand(size, generator=torch.Generator().manual_seed(1)) / 300)
    settings = Rise(queries=40, cells=4, keep=0.3, estimator="mean", baseline="mean", seed=5)
    found = settings(classifier, image[None], TARGET)
    rng = image_rng(image, 5, "rise")
    geometry = MaskGeometry(cells, size)
    grids = (torch.rand(40, *cells, generator=rng) < 0.3).float()
    shifts = geometry.draw_shifts(40, rng)
    total = torch.zeros(size)
    for grid, shift in zip(grids, shifts, strict=True):
        mask = geometry.masks(grid[None], shift[None])[0]
        total += classifier.scores((image * mask)[None])[0, 1] * mask
    torch.testing.assert_close(found.maps[0], total / 40 / 0.3)
    assert found.queries.tolist() == [40]


def test_covariance_of_a_linear_classifier_is_its_smoothed_weights(dimensions: int, white: torch.Tensor) -> None:
    """For f = Σ w(λ) x(λ) on a white image over black, Cov(p, M) / Var M = Σ_b w_b K(b, λ) / K(λ, λ)."""
    weights = two_patches(dimensions)
    found = Rise(queries=20000, cells=4, baseline="mean")(weighing(weights, 0.5), white, TARGET)
    expected = MaskGeometry((4,) * dimensions, (32,) * dimensions).block_slopes(weights[None])[0]
    deviations = (found.maps[0] - expected) / found.standard_errors[0]  # type: ignore[index]
    assert float(deviations.square().mean().sqrt()) < 1.5
    assert float((found.maps[0] - expected).abs().max()) < 0.02


@pytest.mark.parametrize("estimator", ["mean", "covariance"])
def test_standard_error_predicts_the_spread_over_seeds(estimator: Any, dimensions: int, white: torch.Tensor) -> None:
    classifier, settings = planted(lambda share: share, dimensions), {"queries": 200, "cells": 4, "baseline": "mean"}
    runs = [
        Rise(estimator=estimator, seed=s, **settings)(classifier, white, TARGET) for s in range(REPEATS[dimensions])
    ]  # type: ignore[arg-type]
    maps = torch.stack([run.maps[0] for run in runs])
    errors = torch.stack([run.standard_errors[0] for run in runs])  # type: ignore[index]
    ratio = (maps.var(0).mean() / errors.square().mean()).sqrt()
    assert 0.9 < float(ratio) < 1.1


@pytest.mark.parametrize("estimator", ["mean", "covariance"])
def test_planted_evidence_is_found(estimator: Any, dimensions: int, white: torch.Tensor) -> None:
    method = Rise(queries=1000, cells=8, estimator=estimator, baseline="mean")
    assert points_to_patch(method(planted(lambda share: share, dimensions), white, TARGET).maps[0])


def test_the_other_class_has_the_opposite_map(dimensions: int, white: torch.Tensor) -> None:
    classifier, method = planted(lambda share: share, dimensions), Rise(queries=100, baseline="mean")
    wanted, other = (method(classifier, white, torch.tensor([[target]])).maps for target in (1, 0))
    assert bool(wanted.any())
    torch.testing.assert_close(wanted, -other)


def test_a_classifier_that_sees_nothing_gets_a_flat_map(dimensions: int, white: torch.Tensor) -> None:
    assert is_flat(Rise(queries=200)(blind(dimensions), white, TARGET).maps).tolist() == [True]


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OverpaintError, match="queries=1 must be at least 2"):
        Rise(queries=1)
