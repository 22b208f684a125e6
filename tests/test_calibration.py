"""Calibration on simulated maps whose error is known."""

import pytest
import torch
from torch import Tensor

from overpaint.metrics.base import MetricInputs
from overpaint.metrics.calibration import Calibration


def _rows(repeats: Tensor | None, errors: Tensor | None, rows: int = 3) -> Tensor:
    maps = torch.rand(rows, 16, 16, generator=torch.Generator().manual_seed(0)) if repeats is None else repeats[0]
    regions = torch.zeros_like(maps, dtype=torch.bool)
    inputs = MetricInputs(
        torch.zeros(rows, 1, 16, 16),
        torch.zeros(rows).long(),
        maps,
        regions,
        standard_errors=errors,
        repeats=repeats,
        repeated_regions=None if repeats is None else regions.expand(len(repeats), -1, -1, -1),
    )
    metric = Calibration()
    metric.update(inputs)
    return torch.cat(metric.values)


def _simulated(seeds: int) -> tuple[Tensor, Tensor]:
    """Maps that scatter by a known error around a known map; the error differs from pixel to pixel."""
    rng = torch.Generator().manual_seed(1)
    truth, errors = (torch.rand(3, 16, 16, generator=rng) for _ in range(2))
    return truth + errors * torch.randn(seeds, 3, 16, 16, generator=rng), errors


@pytest.mark.parametrize("seeds", [2, 5, 40])
@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_it_is_the_spread_in_units_of_the_reported_error(seeds: int, factor: float) -> None:
    repeats, errors = _simulated(seeds)
    found = _rows(repeats, factor * errors)
    # 256 pixels, of unequal error, each with seeds - 1 degrees of freedom: a relative deviation of about .06 at two.
    torch.testing.assert_close(found, torch.full((3,), 1 / factor), rtol=0.15, atol=0.0)


def test_two_seeds_by_hand() -> None:
    """Maps 0 and 2 have a variance of 2 everywhere; a reported error of 1 on half of the pixels and 3 on the others."""
    repeats = torch.stack([torch.zeros(1, 16, 16), torch.full((1, 16, 16), 2.0)])
    errors = torch.cat([torch.full((1, 8, 16), 1.0), torch.full((1, 8, 16), 3.0)], dim=1)
    assert float(_rows(repeats, errors, 1)) == pytest.approx((2 / 5) ** 0.5)


def test_the_unit_of_the_map_does_not_matter() -> None:
    repeats, errors = _simulated(3)
    torch.testing.assert_close(_rows(1000 * repeats + 5000, 1000 * errors), _rows(repeats, errors), rtol=1e-3, atol=0.0)


def test_without_errors_or_repeats_nothing_is_measured() -> None:
    repeats, errors = _simulated(3)
    for given in ((None, errors), (repeats, None), (repeats[:1], errors)):
        assert _rows(*given).isnan().tolist() == [True] * 3


def test_broken_maps_and_errors_are_not_measured_and_no_error_is_infinitely_wrong() -> None:
    repeats, errors = _simulated(3)
    repeats[1, 0, 0, 0], errors[1, 0, 0], errors[2] = torch.nan, torch.inf, 0.0
    assert _rows(repeats, errors).tolist() == pytest.approx([torch.nan, torch.nan, torch.inf], nan_ok=True)
    still = torch.zeros(3, 3, 16, 16)
    assert _rows(still, torch.zeros(3, 16, 16)).isnan().all()


def test_more_is_neither_better_nor_worse() -> None:
    assert Calibration.higher_is_better is None
    assert Calibration.bounds == (0.0, float("inf"))
