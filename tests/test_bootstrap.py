"""The bootstrap's intervals against closed forms and a literal loop."""

import itertools

import numpy as np
import pytest
from scipy import stats

from overpaint.metrics.statistics.bootstrap import Bootstrap


def test_interval_of_a_normal_sample_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(3, 2, (400, 3))
    found = Bootstrap(resamples=20000).interval(values)
    half = 1.96 * values.std(0) / 20
    np.testing.assert_allclose(found.mean, values.mean(0))
    np.testing.assert_allclose(found.low, values.mean(0) - half, atol=0.03 * half.max())
    np.testing.assert_allclose(found.high, values.mean(0) + half, atol=0.03 * half.max())
    np.testing.assert_array_equal(found.rows, 400)


def test_intervals_hold_the_true_mean_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    samples = rng.exponential(1, (60, 1000))  # each column is a sample of its own
    found = Bootstrap(resamples=1000).interval(samples)
    held = ((found.low <= 1) & (found.high >= 1)).mean()
    assert 0.9 < held < 0.96


def test_interval_of_ones_and_zeros_is_the_binomial_one() -> None:
    values = np.array([1.0] * 30 + [0.0] * 70)[:, None]
    found = Bootstrap(resamples=50000).interval(values)
    low, high = stats.binom.ppf([0.025, 0.975], 100, 0.3) / 100
    assert found.low[0] == pytest.approx(low, abs=0.01)
    assert found.high[0] == pytest.approx(high, abs=0.01)


def test_interval_is_the_quantile_over_all_resamples_of_few_images() -> None:
    """Three images have 27 resamples, all as likely: enough draws find their quantiles."""
    images = [[0.0, 1.0], [4.0], [5.0, 6.0, 10.0]]
    means = [np.mean(np.concatenate([images[i] for i in drawn])) for drawn in itertools.product(range(3), repeat=3)]
    values = np.concatenate(images)[:, None]
    found = Bootstrap(resamples=50000).interval(values, ["a", "a", "b", "c", "c", "c"])
    expected = np.quantile(means, [0.025, 0.975], method="inverted_cdf")
    np.testing.assert_allclose([found.low[0], found.high[0]], expected)


def test_what_was_not_measured_is_left_out() -> None:
    values = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [6.0, np.inf]])
    found = Bootstrap().interval(values)
    np.testing.assert_array_equal(found.rows, [3, 0])
    assert found.mean[0] == pytest.approx(3)
    assert 1 <= found.low[0] < 3 < found.high[0] <= 6
    assert np.isnan([found.mean[1], found.low[1], found.high[1]]).all()


def test_one_image_has_no_interval() -> None:
    found = Bootstrap().interval(np.array([[1.0], [2.0], [np.nan]]), ["a", "a", "b"])
    assert found.mean[0] == pytest.approx(1.5)
    assert np.isnan([found.low[0], found.high[0]]).all()


def test_nothing_has_no_mean() -> None:
    found = Bootstrap().interval(np.empty((0, 2)))
    assert np.isnan(found.mean).all()
    np.testing.assert_array_equal(found.rows, 0)


def test_rows_of_an_image_are_not_taken_for_independent() -> None:
    """Each image ten times over: the interval is that of the images, not a third of it."""
    images = np.random.default_rng(0).normal(size=(50, 1))
    alone = Bootstrap().interval(images)
    repeated = Bootstrap().interval(images.repeat(10, 0), [i for i in range(50) for _ in range(10)])
    np.testing.assert_allclose(repeated[:3], alone[:3], rtol=1e-9)
    naive = Bootstrap().interval(images.repeat(10, 0))
    assert (naive.high - naive.low)[0] < 0.5 * (alone.high - alone.low)[0]


def test_groups_of_one_row_are_no_groups() -> None:
    values = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_array_equal(
        Bootstrap().interval(values), Bootstrap().interval(values, [f"image {i}" for i in range(30)])
    )


def test_draws_depend_on_the_seed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(30, 4))
    first = Bootstrap().interval(values)
    np.testing.assert_array_equal(first, Bootstrap().interval(values))
    assert (first.low != Bootstrap(seed=1).interval(values).low).all()
    monkeypatch.setattr("overpaint.metrics.statistics.bootstrap.BLOCK", 100)  # three resamples at once
    np.testing.assert_allclose(first, Bootstrap().interval(values), rtol=1e-12)
