"""A second classifier whose rule is known judges the variants of the first."""

import dataclasses
import math

import pytest
import torch
from conftest import FunctionClassifier, frozen_classifier
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
from overpaint.probes.oracle import Oracle

IMAGE = torch.full((1, 1, SIDE, SIDE), 0.35)


class ThreeClasses(FunctionClassifier):
    """Dark, middle or bright, by two thresholds of the region's brightness."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(lambda images: images[:, 0, 0, 0])
        self.class_names, self.low, self.high = ["dark", "middle", "bright"], low, high

    def scores(self, images: Tensor) -> Tensor:
        self.rows.append(len(images))
        brightness = images[:, 0, REGION].mean(1)
        answers = (brightness > self.low).long() + (brightness > self.high).long()
        return 0.1 + 0.7 * torch.nn.functional.one_hot(answers, 3).float()


def test_what_the_oracle_says_by_hand() -> None:
    """The first calls 0.3 to 0.6 middle, the oracle 0.4 to 0.8."""
    levels = [0.35, 0.45, 0.55, 0.65, 0.9, 0.1, 0.105]  # the last is a duplicate
    oracle = ThreeClasses(0.4, 0.8)
    inputs = probe_inputs_of(grey_inpainter(levels), ThreeClasses(0.3, 0.6), IMAGE, MAP[None], [1], oracle)
    (found,) = Oracle()(inputs)
    assert found.numbers == pytest.approx(
        {
            "oracle_acceptance_rate": 3 / 6,  # 0.45, 0.55 and 0.65
            "oracle_agrees_on_accepted": 2 / 3,  # not on 0.35
            "oracle_agrees_on_flipped": 2 / 3,  # 0.9 and 0.1
            "oracle_keeps_class_on_flipped": 1 / 3,  # 0.65
            "oracle_confidence": 0.1,
            "oracle_agrees_on_image": 0,
        }
    )
    assert found.arrays["predictions"].tolist() == [0, 1, 1, 1, 2, 0, 0]
    torch.testing.assert_close(found.arrays["confidences"], torch.tensor([0.1, 0.8, 0.8, 0.8, 0.1, 0.1, 0.1]))
    assert oracle.rows == [1, 7]


def test_the_classifier_agrees_with_itself() -> None:
    inputs = probe_inputs_of(
        grey_inpainter([0.9, 0.7, 0.2]), bright_region(), IMAGE + 0.3, MAP[None], [1], oracle=bright_region()
    )
    (found,) = Oracle()(inputs)
    assert found.numbers["oracle_acceptance_rate"] == pytest.approx(float(inputs.variants.acceptance_rates[0]))
    assert found.numbers["oracle_agrees_on_accepted"] == found.numbers["oracle_agrees_on_flipped"] == 1
    assert found.numbers["oracle_keeps_class_on_flipped"] == 0
    assert found.numbers["oracle_agrees_on_image"] == 1


def test_what_there_is_none_of_is_nan() -> None:
    inputs = probe_inputs_of(grey_inpainter([0.9, 0.7]), bright_region(), IMAGE, MAP[None], [1], oracle=bright_region())
    (found,) = Oracle()(inputs)
    assert math.isnan(found.numbers["oracle_agrees_on_flipped"])
    assert found.numbers["oracle_agrees_on_accepted"] == 1
    flat = probe_inputs_of(
        grey_inpainter([0.9, 0.7]), bright_region(), IMAGE, torch.ones(1, SIDE, SIDE), [1], oracle=bright_region()
    )
    (found,) = Oracle()(flat)
    assert math.isnan(found.numbers["oracle_acceptance_rate"])
    assert math.isnan(found.numbers["oracle_agrees_on_flipped"])
    assert found.numbers["oracle_confidence"] == pytest.approx(0.35)


def test_without_an_oracle_it_says_how_to_name_one() -> None:
    inputs = probe_inputs_of(grey_inpainter([0.9]), bright_region(), IMAGE, MAP[None], [1])
    with pytest.raises(OverpaintError, match=r"probes=oracle asks a second classifier.*oracle="):
        Oracle()(inputs)


def test_a_row_does_not_see_its_batch() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = torch.nn.Sequential(torch.nn.Conv2d(1, 5, 7, 5), torch.nn.ReLU(), torch.nn.Flatten())
        network.append(torch.nn.Linear(180, 3))
    inputs = dataclasses.replace(small_probe_inputs(), oracle=frozen_classifier(network, 32))
    together = Oracle()(inputs)
    for row in range(3):
        assert same_probed(Oracle()(inputs.rows([row]))[0], together[row])
