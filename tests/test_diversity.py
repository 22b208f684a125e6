"""What variants that differ more cost: sets by hand, and the same sets as the search itself would keep."""

import math
from collections.abc import Sequence
from dataclasses import fields

import pytest
import torch
from probe_inputs import MAP, SIDE, bright_region, grey_inpainter, probe_inputs_of, same_probed, small_probe_inputs

from overpaint.core.errors import OverpaintError
from overpaint.probes.diversity import Diversity

BLACK = torch.zeros(1, 1, SIDE, SIDE)
LEVELS = [0.9, 0.3, 0.105, 0.6, 0.1, 1.0]  # in a black image the loss is the level; 0.105 is a duplicate of 0.1


def test_each_value_by_hand() -> None:
    inputs = probe_inputs_of(grey_inpainter(LEVELS, num_variants=3), bright_region(), BLACK, MAP[None], [0])
    (found,) = Diversity(values=[0.0, 100.0])(inputs)
    numbers = found.numbers
    # 0 keeps 0.1, 0.105 and 0.3; of the first two one counts, and all are dark, which is class 0
    assert numbers["loss_0"] == pytest.approx((0.1 + 0.3) / 2)
    assert numbers["distinct_fraction_0"] == pytest.approx(2 / 3)
    assert numbers["acceptance_rate_0"] == 1
    assert numbers["diversity_0"] == pytest.approx(0.2)
    assert numbers["confidence_0"] == pytest.approx(1 - (0.1 + 0.3) / 2)
    # 100 keeps 0.1, the farthest from it, 1.0, and what is farthest from both, 0.6
    assert numbers["loss_100"] == pytest.approx((0.1 + 1.0 + 0.6) / 3)
    assert numbers["distinct_fraction_100"] == 1
    assert numbers["acceptance_rate_100"] == pytest.approx(1 / 3)
    assert math.isnan(numbers["diversity_100"])
    assert numbers["realism_100"] == pytest.approx(3 * (1.7 / 3) / 6)  # D is 3 times the mean; B is a sixth
    assert torch.equal(found.arrays["variants_100"][1], torch.where(inputs.regions[0], 1.0, BLACK[0]))


@pytest.mark.parametrize("size", [32, 48])
def test_the_sets_are_those_of_the_search(size: int) -> None:
    inputs = small_probe_inputs(3)
    images = torch.nn.functional.interpolate(inputs.images, (size, size))
    regions = torch.nn.functional.interpolate(inputs.regions[:, None].float(), (size, size))[:, 0] > 0
    asked = (inputs.classifier, images, inputs.targets, regions)
    kept = inputs.inpainter.for_diversities(*asked, [0.05, 3.0])
    for value, mine in zip([0.05, 3.0], kept, strict=True):
        other = inputs.inpainter.with_search(diversity=value)(*asked)
        for field in fields(mine):
            ours, theirs = getattr(mine, field.name), getattr(other, field.name)
            assert torch.equal(ours.float().nan_to_num(-7), theirs.float().nan_to_num(-7)), field.name
    assert not torch.equal(kept[0].latents, kept[1].latents)


def test_a_flat_map_has_no_numbers() -> None:
    *_, flat = Diversity()(small_probe_inputs())
    assert len(flat.numbers) == 6 * 5
    assert all(math.isnan(number) for number in flat.numbers.values())
    assert flat.arrays == {}


def test_a_row_does_not_see_its_batch() -> None:
    inputs, probe = small_probe_inputs(), Diversity([0.0, 0.5])
    together = probe(inputs)
    for row in range(3):
        assert same_probed(probe(inputs.rows([row]))[0], together[row])
    assert Diversity()(inputs.rows([])) == []


@pytest.mark.parametrize("values", [[], [-0.1], [0.1, 0.1], [math.nan], [math.inf]])
def test_wrong_values_are_refused(values: Sequence[float]) -> None:
    with pytest.raises(OverpaintError, match=r"Diversity\.values="):
        Diversity(values=values)
