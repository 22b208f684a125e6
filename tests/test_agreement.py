"""Agreement over seeds against scipy and closed forms; flat maps agree with nothing."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from skimage.metrics import structural_similarity
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.agreement import (
    RegionAgreement,
    SpearmanAgreement,
    SsimAgreement,
    TopKAgreement,
    spearman,
    ssim,
    top_k,
)
from overpaint.metrics.base import MapMetric, MetricInputs

ALL: dict[str, Callable[[], MapMetric]] = {
    "spearman": SpearmanAgreement,
    "ssim": SsimAgreement,
    "top_k": TopKAgreement,
    "region": RegionAgreement,
}
every_metric = pytest.mark.parametrize("name", ALL)


def _noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def _evidence(repeats: Tensor) -> MetricInputs:
    """MetricInputs of (seed, row, *space) maps."""
    regions = torch.stack([RegionRule().salient_region(maps) for maps in repeats])
    images = torch.zeros(repeats.shape[1], 1, *repeats.shape[2:])
    targets = torch.zeros(repeats.shape[1]).long()
    return MetricInputs(images, targets, repeats[0], regions[0], repeats=repeats, repeated_regions=regions)


def _rows(name: str, inputs: MetricInputs) -> Tensor:
    metric = ALL[name]()
    metric.update(inputs)
    return torch.cat(metric.values)


@every_metric
def test_equal_maps_agree(name: str) -> None:
    maps = _noise(1, 3, 32, 32).expand(4, -1, -1, -1)
    torch.testing.assert_close(_rows(name, _evidence(maps)), torch.ones(3))


@every_metric
def test_it_is_the_mean_over_the_pairs_of_seeds(name: str) -> None:
    """Two equal maps and a third that is theirs upside down: one of three pairs agrees."""
    ramp = torch.arange(1024.0).reshape(1, 1, 32, 32)
    found = _rows(name, _evidence(torch.cat([ramp, ramp, -ramp])))
    pair = _rows(name, _evidence(torch.cat([ramp, -ramp])))
    torch.testing.assert_close(found, (1 + 2 * pair) / 3)
    assert float(pair) == pytest.approx({"spearman": -1.0, "top_k": 0.0, "region": 0.0}.get(name, float(pair)))
    assert float(pair) < 0.1


@pytest.mark.parametrize("levels", [None, 6, 2])
def test_rank_correlation_is_scipys(levels: int | None) -> None:
    first, second = _noise(5, 20, 24, seed=1), _noise(5, 20, 24, seed=2)
    second = 0.5 * first + second
    if levels is not None:
        first, second = ((maps * levels).floor() for maps in (first, second))
    expected = [stats.spearmanr(a.flatten(), b.flatten()).statistic for a, b in zip(first, second, strict=True)]
    assert max(expected) > 0.2
    np.testing.assert_allclose(spearman(first, second), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("shape", "boxes"), [((56,), 1), ((57,), 2), ((112, 60), 2), ((113, 113), 3), ((9, 60, 5), (1, 2, 1))]
)
def test_large_maps_are_averaged_first(shape: tuple[int, ...], boxes: int | tuple[int, ...]) -> None:
    first, second = _noise(2, *shape, seed=1).double(), _noise(2, *shape, seed=2).double()
    second = second + first
    pool = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[len(shape)]
    small = [pool(maps[:, None], boxes).flatten(1) for maps in (first, second)]  # type: ignore[operator]
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(*small, strict=True)]
    np.testing.assert_allclose(spearman(first, second), expected, rtol=1e-10)


def test_rank_correlation_knows_only_the_order() -> None:
    first, second = _noise(3, 32, 32, seed=1), _noise(3, 32, 32, seed=2)
    torch.testing.assert_close(spearman(first, second), spearman((4 * first).exp(), second.square()))
    torch.testing.assert_close(spearman(first, second), -spearman(first, -second))


@pytest.mark.parametrize("side", [11, 24])
def test_ssim_is_skimages(side: int) -> None:
    first, second = _noise(3, side, side, seed=1), _noise(3, side, side, seed=2) + _noise(3, side, side, seed=1)
    expected = []
    for pair in zip(first.double().numpy(), second.double().numpy(), strict=True):
        # The image is mirrored at its border, as torchmetrics does.
        a, b = (np.pad((m - m.min()) / (m.max() - m.min()), 5, mode="reflect") for m in pair)
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
        _, image = structural_similarity(a, b, full=True, **settings)
        expected.append(image[5:-5, 5:-5].mean())
    np.testing.assert_allclose(ssim(first, second), expected, atol=1e-5)


@pytest.mark.parametrize("side", [3, 4, 7, 10])
def test_ssim_of_small_maps(side: int) -> None:
    first, second = _noise(4, side, side, seed=1), _noise(4, side, side, seed=2)
    torch.testing.assert_close(ssim(first, first), torch.ones(4))
    assert bool((ssim(first, second) < 0.9).all())


@pytest.mark.parametrize("shape", [(32,), (6, 6, 6), (2, 32)])
def test_ssim_is_measured_only_where_it_is_defined(shape: tuple[int, ...]) -> None:
    assert ssim(_noise(2, *shape), _noise(2, *shape)).isnan().all()


def test_ssim_does_not_know_the_range() -> None:
    first, second = _noise(3, 16, 16, seed=1), _noise(3, 16, 16, seed=2)
    torch.testing.assert_close(ssim(first, second), ssim(300 * first - 20, second / 1000))


def test_top_pixels_in_common_are_counted() -> None:
    first, second = torch.arange(100.0).reshape(1, 100), torch.arange(100.0).roll(3).reshape(1, 100)
    # Of the ten largest, 90 to 99, the second map has 93 to 99 and 0 to 2 in its own top ten.
    assert top_k(first, second, 0.1).tolist() == [pytest.approx(0.7)]
    assert top_k(first, second, 0.001).tolist() == [0.0]
    assert top_k(first, second, 1.0).tolist() == [1.0]


def test_ties_at_the_top_are_taken_in_reading_order() -> None:
    first = torch.ones(1, 10)
    first[0, 9] = 0
    second = torch.tensor([[9.0, 8, 7, 0, 0, 0, 0, 0, 0, 0]])
    assert top_k(first, second, 0.3).tolist() == [1.0]


def test_regions_agree_by_their_overlap() -> None:
    regions = torch.zeros(2, 2, 8, 8, dtype=torch.bool)
    regions[0, 0, :4], regions[1, 0, 2:6] = True, True  # the other row is empty in both
    maps = _noise(2, 2, 8, 8)
    inputs = MetricInputs(
        torch.zeros(2, 1, 8, 8), torch.zeros(2).long(), maps[0], regions[0], repeats=maps, repeated_regions=regions
    )
    assert _rows("region", inputs).tolist() == [pytest.approx(1 / 3), 0.0]


@every_metric
@pytest.mark.parametrize("value", [0.0, 2.0, torch.nan, torch.inf])
def test_a_map_that_says_nothing_agrees_with_nothing(name: str, value: float) -> None:
    maps = _noise(1, 2, 32, 32).repeat(2, 1, 1, 1)
    maps[:, 0] = value
    torch.testing.assert_close(_rows(name, _evidence(maps)), torch.tensor([0.0, 1.0]))
    maps = _noise(1, 1, 32, 32).repeat(2, 1, 1, 1)
    if value in (0.0, 2.0):
        maps[1, 0] = value
    else:
        maps[1, 0, 0, 0] = value
    assert _rows(name, _evidence(maps)).tolist() == [0.0]


def test_contrast_only_below_the_resolution_is_none() -> None:
    board = (torch.arange(112)[:, None] + torch.arange(112)).remainder(2).float()[None]
    assert spearman(board, board).tolist() == [0.0]


@every_metric
def test_without_repeats_nothing_is_measured(name: str) -> None:
    inputs = _evidence(_noise(2, 3, 16, 16))
    single = _evidence(_noise(1, 3, 16, 16))
    none = MetricInputs(inputs.images, inputs.targets, inputs.maps, inputs.regions)
    for unmeasured in (single, none):
        assert _rows(name, unmeasured).isnan().tolist() == [True] * 3


@every_metric
def test_a_row_does_not_depend_on_the_others(name: str) -> None:
    inputs = _evidence(_noise(3, 4, 32, 32))
    apart = torch.cat([_rows(name, inputs.rows([row])) for row in range(4)])
    torch.testing.assert_close(_rows(name, inputs), apart)


def test_a_share_out_of_range_is_refused() -> None:
    for share in (0.0, 1.5):
        with pytest.raises(OverpaintError, match=r"TopKAgreement.fraction=.* must lie in \(0, 1\]"):
            TopKAgreement(fraction=share)
