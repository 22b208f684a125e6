"""The streaming sums against numpy on all queries at once, and the regression against scikit-learn."""

import numpy as np
import torch
from sklearn.linear_model import Ridge

from overpaint.perturbation.moments import MaskMoments
from overpaint.perturbation.regression import feature_variance, jackknife_error, jackknife_ridge, log_odds


def test_streamed_moments_equal_those_of_all_queries(dimensions: int) -> None:
    rng, size = torch.Generator().manual_seed(0), (3, 4)[-dimensions:]
    masks = torch.rand(50, *size, generator=rng)
    scores = 0.3 + 0.4 * masks.flatten(1)[:, 2] + 0.1 * torch.rand(50, generator=rng)
    moments = MaskMoments(size, torch.device("cpu"))
    for part in (slice(0, 7), slice(7, 40), slice(40, 50)):
        moments.update(scores[part, None], masks[part])
    p, m = scores.double().numpy(), masks.double().numpy()
    column = (slice(None), *[None] * dimensions)
    products = p[column] * m
    mean, mean_error = (values[0] for values in moments.mean_product())
    np.testing.assert_allclose(mean, products.mean(0), rtol=1e-10)
    np.testing.assert_allclose(mean_error, products.std(0) / 50**0.5, rtol=1e-9)
    centred = (p - p.mean())[column] * (m - m.mean(0))
    covariance, error = (values[0] for values in moments.covariance())
    np.testing.assert_allclose(covariance, centred.mean(0), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(error, centred.std(0) / 50**0.5, rtol=1e-8)


def test_ridge_and_its_jackknife_equal_scikit_learn_fit_by_fit() -> None:
    """Each fit by scikit-learn on the queries that are left; groups of different size, with and without weights."""
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(50, 5, generator=rng)
    y = x @ torch.tensor([1.0, 0.0, -2.0, 0.5, 0.0]) + 0.1 * torch.randn(50, generator=rng)
    group = torch.randint(6, (50,), generator=rng)
    for weights in (None, torch.rand(50, generator=rng)):
        coefficients = jackknife_ridge(x, torch.stack([y, -2 * y], dim=1), group, 0.3, weights)
        for fit in range(7):
            left = group != fit - 1
            given = None if weights is None else weights[left].double().numpy()
            oracle = Ridge(alpha=0.3).fit(x[left].double().numpy(), y[left].double().numpy(), given)
            np.testing.assert_allclose(coefficients[fit, :, 0], oracle.coef_, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(coefficients[fit, :, 1], -2 * oracle.coef_, rtol=1e-9, atol=1e-12)


def test_the_unit_of_the_penalty_is_the_features_variance() -> None:
    x = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    assert feature_variance(x) == 0.25


def test_jackknife_of_a_mean_is_its_standard_error() -> None:
    values = torch.tensor([1.0, 4.0, 2.0, 8.0, 5.0], dtype=torch.float64)
    left_out = (values.sum() - values) / 4
    torch.testing.assert_close(jackknife_error(left_out), values.std() / 5**0.5)


def test_log_odds_are_finite_at_the_ends() -> None:
    odds = log_odds(torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(odds, torch.tensor([-9.2102, 0.0, 9.2102], dtype=torch.float64), rtol=1e-4, atol=1e-6)
