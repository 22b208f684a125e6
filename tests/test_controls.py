"""Controls judged by a classifier whose rule is known, the fills by themselves, and the verdict's cases."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from conftest import FunctionClassifier
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
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.probes.base import ProbeInputs
from overpaint.probes.controls import Controls, decisive, verdict
from overpaint.probes.fills import other_images, smoothed_surroundings

BLACK = torch.zeros(1, 1, SIDE, SIDE)


def _painting(searched: list[float], unsearched: list[float], around: float = 0.0) -> ProbeInputs:
    """The region is 0.8 in an even image; the variants are of other levels than what unsearched latents paint."""
    image = torch.where(REGION, 0.8, around)[None, None]
    inputs = probe_inputs_of(grey_inpainter(searched), bright_region(), image, MAP[None], [1])
    return dataclasses.replace(inputs, inpainter=grey_inpainter(unsearched))


def _others(*levels: float) -> Tensor:
    return (255 * torch.tensor(levels)).round().to(torch.uint8)[:, None, None, None].expand(-1, 1, SIDE, SIDE)


def test_each_control_by_hand() -> None:
    inputs = _painting([0.9, 0.8, 0.6, 0.4], [0.7, 0.3, 0.2, 0.1, 0.105], around=0.2)
    (found,) = Controls(draws=64)(replace(inputs, other_images=_others(0.2, 0.4, 0.8, 0.2)))
    numbers = found.numbers
    assert numbers["acceptance_rate_searched"] == 3 / 4
    assert numbers["score_searched"] == pytest.approx(0.675)
    assert numbers["acceptance_rate_unsearched"] == 1 / 4  # the last level is a duplicate
    assert numbers["score_unsearched"] == pytest.approx((0.7 + 0.3 + 0.2 + 0.1) / 4)
    assert numbers["acceptance_rate_elsewhere"] == 1  # the region is as it was
    assert numbers["score_elsewhere"] == pytest.approx(0.8)
    assert (numbers["acceptance_rate_mean"], numbers["score_mean"]) == (0, 0)
    assert numbers["acceptance_rate_blur"] == 0
    assert numbers["score_blur"] == pytest.approx(0.2)
    noise = found.arrays["images_noise"][:, 0, REGION]
    assert not torch.equal(noise[0], noise[1])
    assert 0.4 < numbers["score_noise"] < 0.6
    assert 0.2 < numbers["acceptance_rate_noise"] < 0.75
    assert numbers["acceptance_rate_patch"] == 0  # 0.8 is of the class, so it is passed over
    assert numbers["score_patch"] == pytest.approx((0.2 + 0.4 + 0.2) / 3, abs=1e-6)
    assert numbers["acceptance_rate_sample"] == 0  # 0.7 is of the class, so it is passed over
    assert 0.1 < numbers["score_sample"] < 0.3
    assert numbers["decisive"] == 1
    for name in ("searched", "unsearched", "mean", "blur", "noise", "patch", "sample"):
        outside = found.arrays[f"images_{name}"][:, :, ~REGION]
        assert torch.equal(outside, torch.full_like(outside, 0.2))
    assert not (found.arrays["elsewhere"] & REGION).any()
    assert int(found.arrays["elsewhere"].sum()) == 6


def test_a_classifier_that_looks_elsewhere_makes_the_region_not_decisive() -> None:
    inputs = _painting([0.9, 0.8], [0.9, 0.8])
    classifier = FunctionClassifier(lambda images: 1 - images[:, 0, 0, 0])
    inputs = probe_inputs_of(inputs.inpainter, classifier, inputs.images, MAP[None], [1])
    (found,) = Controls()(replace(inputs, other_images=_others(1.0, 1.0)))
    for name in ("searched", "unsearched", "mean", "blur", "noise", "patch"):
        assert found.numbers[f"acceptance_rate_{name}"] == 1
    assert found.numbers["decisive"] == 0
    assert "not decisive" in verdict(found.numbers)


RATES = {
    "searched": 0.8,
    "elsewhere": 1.0,
    "unsearched": 0.1,
    "mean": 0.0,
    "blur": 0.0,
    "noise": 0.2,
    "patch": 0.0,
    "sample": 0.0,
}


@pytest.mark.parametrize(
    ("changes", "expected", "words"),
    [
        ({}, 1, "was decisive: 80% of the searched"),
        ({"noise": 0.79}, 1, "was decisive"),
        ({"noise": 0.8}, 0, "not decisive: the classifier accepted noise (80%) in it at least as often"),
        ({"mean": 1.0, "patch": 0.9}, 0, "the mean colour (100%), patches of examples of other classes (90%)"),
        ({"elsewhere": 0.0}, 1, "in a hole elsewhere 0% were"),
        ({"patch": math.nan}, 1, "was decisive"),
        ({"searched": 0.0, "unsearched": 0.0, "noise": 0.0}, 1, "not even the searched variants"),
        (
            {"searched": 0.0},
            0,
            "random latents (10%), noise (20%) in it at least as often as the searched variants (0%)",
        ),
        ({"searched": math.nan}, math.nan, "no salient region"),
    ],
)
def test_the_verdict(changes: dict[str, float], expected: float, words: str) -> None:
    numbers = {f"acceptance_rate_{name}": rate for name, rate in (RATES | changes).items()}
    assert decisive(numbers) == pytest.approx(expected, nan_ok=True)
    assert words in verdict(numbers)
    stored = {name: None if math.isnan(rate) else rate for name, rate in numbers.items()}
    assert verdict(stored) == verdict(numbers)


def test_a_flat_map_has_no_controls() -> None:
    inputs = probe_inputs_of(grey_inpainter([0.9, 0.1]), bright_region(), BLACK, torch.ones(1, SIDE, SIDE), [1])
    (found,) = Controls()(replace(inputs, other_images=_others(0.1)))
    assert all(math.isnan(number) for number in found.numbers.values())
    assert "no salient region" in verdict(found.numbers)


def test_without_other_images_there_is_no_patch() -> None:
    (found,) = Controls()(_painting([0.9], [0.1]))
    assert math.isnan(found.numbers["acceptance_rate_patch"])
    assert found.numbers["decisive"] in (0, 1)
    assert "images_patch" not in found.arrays


def test_a_row_does_not_see_its_batch() -> None:
    inputs = small_probe_inputs()
    inputs = replace(inputs, other_images=(255 * inputs.images).round().to(torch.uint8))
    probe = Controls(draws=3)
    together = probe(inputs)
    for row in range(3):
        assert same_probed(probe(inputs.rows([row]))[0], together[row])


def test_a_control_without_draws_is_refused() -> None:
    with pytest.raises(OverpaintError, match=r"Controls\.draws=0"):
        Controls(draws=0)


def test_patches_come_from_other_images_of_other_classes() -> None:
    levels = [0.1, 0.2, 0.9, 0.3, 0.1, 0.8]
    others, image = _others(*levels), _others(0.1)[0].float() / 255
    seen = set()
    for seed in range(8):
        rng = torch.Generator().manual_seed(seed)
        chosen = other_images(others, image, 1, 2, bright_region(), rng)
        assert sorted({round(float(one.mean()), 1) for one in chosen}) == [0.2, 0.3]
        seen.add(float(chosen[0].mean()))
    assert len(seen) == 2
    rng = torch.Generator().manual_seed(0)
    assert len(other_images(others, image, 0, 9, bright_region(), rng)) == 2  # 0.9 and 0.8
    assert len(other_images(_others(0.1), image, 1, 4, bright_region(), rng)) == 0


@pytest.mark.parametrize("shape", [(7,), (5, 8)])
def test_the_smoothed_surroundings_are_the_slow_ones(shape: tuple[int, ...]) -> None:
    rng = torch.Generator().manual_seed(0)
    image = torch.rand(2, *shape, generator=rng)
    region = torch.rand(shape, generator=rng) < 0.6
    expected = torch.zeros(2, *shape, dtype=torch.float64)
    places = list(itertools.product(*map(range, shape)))
    for here in places:
        total, weights = torch.zeros(2, dtype=torch.float64), 0.0
        for there in places:
            if not region[there]:
                steps = [(a - b) / (0.05 * side) for a, b, side in zip(here, there, shape, strict=True)]
                weight = math.exp(-sum(step * step for step in steps) / 2)
                total, weights = total + weight * image[(slice(None), *there)].double(), weights + weight
        expected[(slice(None), *here)] = total / weights
    torch.testing.assert_close(smoothed_surroundings(image, region), expected.float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("change", [lambda image: 1 - image, torch.zeros_like])
def test_the_smoothed_surroundings_see_nothing_of_the_region(change: Callable[[Tensor], Tensor]) -> None:
    image = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    region = torch.zeros(40, 40, dtype=torch.bool)
    region[4:36, 3:38] = True
    smooth = smoothed_surroundings(image, region)
    assert torch.equal(smoothed_surroundings(torch.where(region, change(image), image), region), smooth)
    assert float(smooth.min()) > 0
    even = smoothed_surroundings(torch.full_like(image, 0.7), region)
    torch.testing.assert_close(even, torch.full_like(image, 0.7))
    assert not smoothed_surroundings(image, torch.ones_like(region)).any()
