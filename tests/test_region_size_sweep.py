"""Acceptance over sizes of the region, judged by a classifier whose rule is known."""

import math
from collections.abc import Sequence

import pytest
import torch
from probe_inputs import MAP, SIDE, bright_region, grey_inpainter, probe_inputs_of, same_probed, small_probe_inputs

from overpaint.core.errors import OverpaintError
from overpaint.probes.region_size_sweep import RegionSizeSweep

LEVELS = [1.0, 0.9, 0.7, 0.2, 0.205]  # the last is a duplicate of the one before
BLACK = torch.zeros(1, 1, SIDE, SIDE)


def test_each_size_by_hand() -> None:
    """In a black image the score is level · (painted pixels of the region) / 6."""
    inputs = probe_inputs_of(grey_inpainter(LEVELS), bright_region(), BLACK, MAP[None], [1])
    (found,) = RegionSizeSweep(fractions=[0.5, 2 / 3, 1.0])(inputs)
    assert found.numbers["accepted_50"] == found.numbers["acceptance_rate_50"] == 0
    assert math.isnan(found.numbers["confidence_50"])
    assert found.numbers["accepted_66.6667"] == 2
    assert found.numbers["acceptance_rate_66.6667"] == pytest.approx(2 / 4)
    assert found.numbers["confidence_66.6667"] == pytest.approx((1.0 + 0.9) * 4 / 6 / 2)
    assert found.numbers["accepted_100"] == 3
    assert found.numbers["different_100"] == 4
    assert found.numbers["acceptance_rate_100"] == pytest.approx(3 / 4)
    assert found.numbers["confidence_100"] == pytest.approx((1.0 + 0.9 + 0.7) / 3)
    assert [found.numbers[f"region_fraction_{p}"] for p in ("50", "66.6667", "100")] == pytest.approx(
        [3 / 36, 4 / 36, 1 / 6]
    )
    for name in ("50", "66.6667", "100"):  # around the region all is black: the loss is the level
        levels = torch.tensor(LEVELS[:4])
        torch.testing.assert_close(found.arrays[f"losses_{name}"], levels)
        assert found.numbers[f"loss_{name}"] == pytest.approx(float(levels.mean()))
        assert found.numbers[f"loss_deviation_{name}"] == pytest.approx(float(levels.std(correction=0)))
    assert found.arrays["shown_accepted_100"].tolist() == [True, True, True, False]
    expected = torch.where(inputs.regions[0], torch.tensor(0.9), BLACK[0])
    assert torch.equal(found.arrays["variants_100"][1], expected)


def test_the_number_of_variants_can_be_another() -> None:
    inputs = probe_inputs_of(grey_inpainter(LEVELS), bright_region(), BLACK, MAP[None], [1])
    (found,) = RegionSizeSweep(fractions=[1.0], num_variants=2)(inputs)
    assert found.numbers["different_100"] == 2
    assert found.numbers["confidence_100"] == pytest.approx(0.95)


def test_a_flat_map_has_no_sizes() -> None:
    maps = torch.stack([torch.ones(SIDE, SIDE), MAP])
    inputs = probe_inputs_of(grey_inpainter(LEVELS), bright_region(), BLACK.expand(2, -1, -1, -1), maps, [1, 1])
    flat, other = RegionSizeSweep()(inputs)
    assert all(math.isnan(number) for number in flat.numbers.values())
    assert flat.arrays == {}
    assert flat.numbers.keys() == other.numbers.keys()
    assert not any(math.isnan(other.numbers[f"acceptance_rate_{p}"]) for p in (50, 60, 70, 80, 90))


def test_a_row_does_not_see_its_batch() -> None:
    inputs, probe = small_probe_inputs(), RegionSizeSweep(fractions=[0.3, 0.6], num_variants=2)
    together = probe(inputs)
    for row in range(3):
        assert same_probed(probe(inputs.rows([row]))[0], together[row])


@pytest.mark.parametrize("fractions", [[], [0.0], [0.5, 1.1], [0.5, 0.5]])
def test_wrong_shares_are_refused(fractions: Sequence[float]) -> None:
    with pytest.raises(OverpaintError, match=r"RegionSizeSweep\.fractions="):
        RegionSizeSweep(fractions=fractions)


def test_a_wrong_count_is_refused() -> None:
    with pytest.raises(OverpaintError, match=r"RegionSizeSweep\.num_variants=0 must be at least 1"):
        RegionSizeSweep(num_variants=0)
