"""Stability of what is found: copies that are none, distances by hand, and transforms of known pictures."""

import math
from typing import Any

import pytest
import torch
from probe_inputs import (
    MAP,
    REGION,
    SIDE,
    bright_region,
    grey_inpainter,
    probe_inputs_of,
    same_probed,
    small_probe_inputs,
)

from overpaint.core.errors import OverpaintError
from overpaint.probes.stability import TRANSFORMS, Stability, set_distance


def test_a_copy_that_is_none_has_ratio_0() -> None:
    inputs = small_probe_inputs(2).rows([0])
    inputs.images.copy_((inputs.images + inputs.images.flip(-1)) / 2)
    inputs.regions.copy_(inputs.regions | inputs.regions.flip(-1))
    (found,) = Stability(rotation=0.0, scaling=1.0, shear=0.0, unrelated=2)(inputs)
    for name in TRANSFORMS:
        for key in ("latent", "picture", "best"):
            assert found.numbers[f"{key}_ratio_{name}"] == 0
    assert min(found.numbers[f"{key}_distance_unrelated"] for key in ("latent", "picture", "best")) > 0
    assert found.arrays["copies"].shape == found.arrays["painted"].shape == (5, 1, 32, 32)


def test_what_depends_on_the_brightness_alone_does_not_move() -> None:
    # Each search finds the grey of its surroundings: 0.3 for image and copies, a level for an unrelated sample.
    inpainter = grey_inpainter([0.5, 0.9], steps=60, num_candidates=0, recipe="adam", learning_rate=0.02)
    image = torch.full((1, 1, SIDE, SIDE), 0.3)
    inputs = probe_inputs_of(inpainter, bright_region(), image, MAP[None], [0])
    (found,) = Stability(unrelated=2)(inputs)
    for name in TRANSFORMS:
        assert found.numbers[f"latent_ratio_{name}"] < 0.05
        assert found.numbers[f"picture_ratio_{name}"] < 0.05
    assert found.numbers["latent_distance_unrelated"] == pytest.approx((0.2 + 0.6) / 2, abs=0.03)
    assert found.numbers["picture_distance_unrelated"] == pytest.approx((0.2 + 0.6) / 2, abs=0.03)


def test_the_distance_of_two_sets_by_hand() -> None:
    ones, others = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [5.0]])
    assert set_distance(ones, others) == pytest.approx(((1 + 0) / 2 + (0 + 4) / 2) / 2)
    assert set_distance(others, ones) == set_distance(ones, others)
    assert set_distance(ones, ones.flip(0)) == 0


def test_transforms_of_known_pictures() -> None:
    image = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(0))
    region = image[0] > 0.6
    turned, moved = Stability(rotation=90.0).transformed(image, region, "rotation")
    torch.testing.assert_close(turned, image.rot90(1, (1, 2)), atol=1e-5, rtol=0)
    assert torch.equal(moved, region.rot90(1, (0, 1)))
    mirrored, moved = Stability().transformed(image, region, "inversion")
    assert torch.equal(mirrored, image.flip(2))
    assert torch.equal(moved, region.flip(1))
    ramp = torch.linspace(-0.875, 0.875, 8).expand(1, 8, 8) / 2 + 0.5
    larger, _ = Stability(scaling=2.0).transformed(ramp, region, "scaling")
    torch.testing.assert_close(larger, (ramp - 0.5) / 2 + 0.5, atol=1e-5, rtol=0)
    leaning, _ = Stability(shear=45.0).transformed(ramp, region, "shear")
    middle = (ramp + ramp.transpose(1, 2) - 0.5)[:, 2:6, 2:6]
    torch.testing.assert_close(leaning[:, 2:6, 2:6], middle, atol=1e-5, rtol=0)


def test_a_turn_of_an_oblong_picture_keeps_its_shapes() -> None:
    square = torch.zeros(1, 12, 24)
    square[:, 3:9, 9:15] = 1
    turned, moved = Stability(rotation=90.0).transformed(square, square[0] > 0, "rotation")
    torch.testing.assert_close(turned, square, atol=1e-4, rtol=0)
    assert torch.equal(moved, square[0] > 0)


def test_a_flat_map_and_a_lost_region_are_not_measured() -> None:
    image = REGION[None, None].float()
    inputs = probe_inputs_of(grey_inpainter([0.9]), bright_region(), image, torch.ones(1, SIDE, SIDE), [1])
    assert all(math.isnan(number) for number in Stability()(inputs)[0].numbers.values())
    corner = MAP.roll((-2, -2), (0, 1))
    inputs = probe_inputs_of(grey_inpainter([0.9, 0.2]), bright_region(), image, corner[None], [1])
    (found,) = Stability(scaling=10.0, unrelated=2)(inputs)
    assert math.isnan(found.numbers["latent_ratio_scaling"])
    assert not math.isnan(found.numbers["latent_distance_rotation"])


def test_a_row_does_not_see_its_batch() -> None:
    inputs, probe = small_probe_inputs(), Stability(unrelated=1)
    together = probe(inputs)
    assert len({frozenset(one.numbers) for one in together}) == 1
    for row in range(3):
        assert same_probed(probe(inputs.rows([row]))[0], together[row])


@pytest.mark.parametrize("setting", [{"rotation": 200.0}, {"scaling": 0.0}, {"shear": 90.0}, {"unrelated": 0}])
def test_wrong_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(OverpaintError, match=next(iter(setting))):
        Stability(**setting)
