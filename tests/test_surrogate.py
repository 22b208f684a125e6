"""The surrogate: closed form on a linear classifier, a literal twin, planted evidence, calibration."""

from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPEATS, SATURATED, blind, planted, points_to_patch, two_patches, weighing
from sklearn.linear_model import Ridge
from torchmetrics.functional import spearman_corrcoef

from overpaint.core.errors import OverpaintError
from overpaint.core.results import SaliencyMaps
from overpaint.core.rng import image_rng
from overpaint.inpainting.region import is_flat
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.masks import MaskGeometry
from overpaint.saliency.rise import Rise
from overpaint.saliency.surrogate import Surrogate

TARGET = torch.tensor([[1]])


def test_the_slopes_of_a_linear_classifier_are_rises_expectation(dimensions: int, white: torch.Tensor) -> None:
    """For f = Σ w(λ) x(λ) on a white image over black: Cov(p, M) / Var M = Σ_b w_b K(b, λ) / K(λ, λ)."""
    settings = Surrogate(queries=2000, cells=4, resolution=4, scale="score", ridge=1e-6, baseline="mean")
    weights = two_patches(dimensions)
    found = settings(weighing(weights, 0.5), white, TARGET)
    expected = MaskGeometry((4,) * dimensions, (32,) * dimensions).block_slopes(weights[None])[0]
    torch.testing.assert_close(found.maps[0], expected, atol=1e-3, rtol=0)
    rise = Rise(queries=2000, cells=4, baseline="mean")(weighing(weights, 0.5), white, TARGET)
    ours, theirs = ((m.maps[0] - expected).square().mean().sqrt() for m in (found, rise))
    assert float(ours) < 0.1 * float(theirs)  # what RISE sums as noise is fitted


def test_the_fit_is_scikit_learns_on_pairs_of_complements(dimensions: int, white: torch.Tensor) -> None:
    classifier, size = planted(lambda share: 0.2 + 0.6 * share, dimensions), (32,) * dimensions
    found = Surrogate(queries=128, cells=4, resolution=5, baseline="mean", seed=3)(classifier, white, TARGET)
    geometry, blocks = MaskGeometry((4,) * dimensions, size), (12,) * dimensions
    grids, shifts = geometry.draw(64, 0.5, image_rng(white[0], 3, "surrogate"))
    rows, values = [], []
    for grid, shift in zip(grids, shifts, strict=True):
        for kept in (grid, 1 - grid):
            mask = geometry.masks(kept[None], shift[None])
            rows.append(geometry.block_means(kept[None], shift[None], blocks)[0].flatten().double().numpy())
            score = float(classifier.scores(white * mask)[0, 1])
            values.append(np.log(score / (1 - score)))
    x, y = np.stack(rows), np.array(values)
    oracle = Ridge(alpha=0.5 * x.var(0).mean() * len(x)).fit(x, y)
    slopes = MaskGeometry((5,) * dimensions, size).block_slopes(torch.from_numpy(oracle.coef_).reshape(1, *blocks))
    expected = slopes[0]
    torch.testing.assert_close(found.maps[0], expected.float(), rtol=1e-4, atol=1e-5)
    assert found.queries.tolist() == [128]


@pytest.mark.parametrize("shape", SATURATED)
def test_planted_evidence_is_found_also_where_the_score_is_saturated(
    shape: str, dimensions: int, white: torch.Tensor
) -> None:
    found = Surrogate(queries=512, baseline="mean")(planted(SATURATED[shape], dimensions), white, TARGET)
    assert points_to_patch(found.maps[0])


def test_maps_repeat_better_than_rises_at_equal_queries(dimensions: int, white: torch.Tensor) -> None:
    classifier = planted(SATURATED["sure with a third of the object"], dimensions)

    def agreement(method: Any) -> float:
        runs = [method(queries=256, baseline="mean", seed=s)(classifier, white, TARGET) for s in range(2)]
        return float(spearman_corrcoef(*(run.maps[0].flatten() for run in runs)))

    assert agreement(Surrogate) > agreement(Rise)


@pytest.mark.parametrize("queries", [256, 1024])
def test_standard_error_predicts_the_spread_over_seeds(queries: int, dimensions: int, white: torch.Tensor) -> None:
    classifier = planted(lambda share: torch.sigmoid(6 * share - 3), dimensions)
    runs = [
        Surrogate(queries=queries, baseline="mean", seed=s)(classifier, white, TARGET)
        for s in range(REPEATS[dimensions])
    ]
    maps = torch.stack([run.maps[0] for run in runs])
    errors = torch.stack([run.standard_errors[0] for run in runs])  # type: ignore[index]
    assert 0.9 < float((maps.var(0).mean() / errors.square().mean()).sqrt()) < 1.1


def test_targets_share_queries_and_keep_their_maps(dimensions: int, white: torch.Tensor) -> None:
    classifier, method = planted(lambda share: 0.1 + 0.8 * share, dimensions), Surrogate(queries=128, baseline="mean")
    both = Engine(classifier, batch_size=32).run_methods({"": method}, white, torch.tensor([[0, 1]]))[""]
    assert sum(classifier.rows) == 128
    alone = method(classifier, white, TARGET)
    torch.testing.assert_close(both.maps[1], alone.maps[0])
    torch.testing.assert_close(both.maps[0], -both.maps[1])  # two classes: log-odds of opposite sign


def test_maps_do_not_depend_on_chunk_order_or_batch(dimensions: int) -> None:
    images = torch.rand(3, 1, *[32] * dimensions, generator=torch.Generator().manual_seed(0))
    targets = TARGET.expand(3, 1)

    def run(order: list[int], batch_size: int) -> SaliencyMaps:
        engine = Engine(planted(lambda share: share, dimensions), batch_size=batch_size)
        return engine.run_methods({"": Surrogate(queries=130)}, images[order], targets)[""]

    first, other = run([0, 1, 2], 64), run([2, 0, 1], 24)
    assert torch.equal(first.maps[[2, 0, 1]], other.maps)
    assert first.standard_errors is not None
    assert other.standard_errors is not None
    assert torch.equal(first.standard_errors[[2, 0, 1]], other.standard_errors)


def test_sampling_ends_at_the_wanted_error(dimensions: int, white: torch.Tensor) -> None:
    classifier = planted(lambda share: 0.1 + 0.8 * share, dimensions)
    found = Surrogate(queries=4000, cells=6, stop_at=0.03, baseline="mean")(classifier, white, TARGET)
    spent = int(found.queries[0])
    assert 64 <= spent < 4000
    full = Surrogate(queries=spent, cells=6, baseline="mean")(classifier, white, TARGET)
    assert torch.equal(found.maps, full.maps)


def test_a_classifier_that_sees_nothing_gets_a_flat_map(dimensions: int, white: torch.Tensor) -> None:
    assert is_flat(Surrogate(queries=128)(blind(dimensions), white, TARGET).maps).tolist() == [True]


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OverpaintError, match="queries=10 must be at least 64"):
        Surrogate(queries=10)
    with pytest.raises(OverpaintError, match=r"ridge=0\.0 must be above 0"):
        Surrogate(ridge=0.0)
