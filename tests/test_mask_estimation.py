"""Mask estimation: its parts by closed forms, its chains by literal twins, its map on planted evidence."""

from itertools import product

import pytest
import torch
from conftest import REPEATS, SATURATED, blind, planted, points_to_patch
from torchmetrics.functional import spearman_corrcoef

from overpaint.core.errors import OverpaintError
from overpaint.core.rng import image_rng
from overpaint.inpainting.region import is_flat
from overpaint.perturbation.masks import MaskGeometry
from overpaint.saliency.mask_estimation import MaskEstimation, rank_in, total_variation_gradient

TARGET = torch.tensor([[1]])


@pytest.mark.parametrize("shape", [(5,), (4, 5), (3, 4, 2)])
def test_total_variation_gradient_equals_autograd(shape: tuple[int, ...]) -> None:
    grids = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0), requires_grad=True)
    variation = sum(grids.diff(dim=axis).square().sum() for axis in range(1, grids.ndim))
    (expected,) = torch.autograd.grad(variation, grids)  # type: ignore[arg-type]
    torch.testing.assert_close(total_variation_gradient(grids.detach()), expected)


def test_total_variation_step_smooths(dimensions: int) -> None:
    grids = torch.rand(1, *[6] * dimensions, generator=torch.Generator().manual_seed(0))

    def variation(grid: torch.Tensor) -> float:
        return float(sum(grid.diff(dim=axis).square().sum() for axis in range(1, 1 + dimensions)))

    assert variation(grids - 0.02 * total_variation_gradient(grids)) < variation(grids)


def test_rank_is_the_share_below_with_ties_halved() -> None:
    history = torch.tensor([0.1, 0.2, 0.2, 0.9])
    torch.testing.assert_close(rank_in(history, torch.tensor([0.2, 0.0, 1.0])), torch.tensor([0.5, 0.0, 1.0]))


@pytest.mark.parametrize("shape", SATURATED)
def test_planted_evidence_is_found_also_where_the_score_is_saturated(
    shape: str, dimensions: int, white: torch.Tensor
) -> None:
    found = MaskEstimation(baseline="mean")(planted(SATURATED[shape], dimensions), white, TARGET)
    assert points_to_patch(found.maps[0])


def _agreement(settings: dict[str, object], images: torch.Tensor) -> float:
    classifier, given = planted(SATURATED["sure with a third of the object"], images.ndim - 2), {"baseline": "mean"}
    runs = [MaskEstimation(queries=512, seed=s, **given, **settings) for s in range(3)]  # type: ignore[arg-type]
    maps = [run(classifier, images, TARGET).maps[0] for run in runs]
    pairs = [(0, 1), (0, 2), (1, 2)]
    return sum(float(spearman_corrcoef(maps[i].flatten(), maps[j].flatten())) for i, j in pairs) / 3


def test_maps_repeat_where_the_authors_chain_freezes(white: torch.Tensor) -> None:
    """The poster's admission: explanations lack consistency across runs."""
    assert _agreement({}, white) > _agreement({"variant": "authors"}, white) + 0.2


def test_standard_error_predicts_the_spread_over_seeds(dimensions: int, white: torch.Tensor) -> None:
    classifier, settings = planted(lambda share: 0.1 + 0.8 * share, dimensions), {"queries": 256, "baseline": "mean"}
    runs = [MaskEstimation(cells=4, seed=s, **settings)(classifier, white, TARGET) for s in range(REPEATS[dimensions])]  # type: ignore[arg-type]
    maps = torch.stack([run.maps[0] for run in runs])
    errors = torch.stack([run.standard_errors[0] for run in runs])  # type: ignore[index]
    ratio = (maps.var(0).mean() / errors.square().mean()).sqrt()
    assert 0.8 < float(ratio) < 1.2


def test_queries_are_rounded_up_to_whole_steps(dimensions: int, white: torch.Tensor) -> None:
    found = MaskEstimation(queries=100, chains=32)(planted(lambda share: share, dimensions), white, TARGET)
    assert found.queries.tolist() == [128]


def test_authors_variant_is_the_sum_of_their_chain(dimensions: int, white: torch.Tensor) -> None:
    """The literal twin of explainer.py as papers.md 1.3 describes it: one query at a time, cell by cell."""
    classifier, cells = planted(lambda share: 0.2 + 0.6 * share, dimensions), (4,) * dimensions
    settings = MaskEstimation(queries=64, cells=4, variant="authors", baseline="mean", seed=3)
    found = settings(classifier, white, TARGET)
    rng = image_rng(white[0], 3, "mask_estimation")
    geometry = MaskGeometry(cells, (32,) * dimensions)
    mask = (torch.rand(1, *cells, generator=rng) > 0.7).float()
    total, previous = torch.zeros([32] * dimensions), 0.0
    for _ in range(64):
        shift = geometry.draw_shifts(1, rng)
        upsampled = geometry.masks(mask, shift)[0]
        p = float(classifier.scores(white * upsampled)[0, 1])
        total += upsampled
        draws = torch.rand(1, *cells, generator=rng)
        new = torch.zeros(1, *cells)
        for cell in product(range(1), *[range(4)] * dimensions):
            stays = mask[cell] > 0 and draws[cell] < p
            turns_on = mask[cell] == 0 and draws[cell] < 1 - p
            new[cell] = 1.0 if stays or turns_on else 0.0
            if new[cell] > mask[cell]:
                new[cell] = 1 - 0.02 * abs(p - previous)
        mask, previous = new, p
    mean = total / 64
    raised = (mean - mean.mean()).clamp(min=0)
    torch.testing.assert_close(found.maps[0], raised / raised.max())
    assert found.standard_errors is None


def test_a_classifier_that_sees_nothing_gets_a_flat_map(dimensions: int, white: torch.Tensor) -> None:
    found = MaskEstimation(queries=128)(blind(dimensions), white, TARGET)
    assert is_flat(found.maps).tolist() == [True]


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OverpaintError, match="chains=1 must be at least 2"):
        MaskEstimation(chains=1)
    with pytest.raises(OverpaintError, match=r"low=0.9 must be below high=0.1"):
        MaskEstimation(low=0.9, high=0.1)
