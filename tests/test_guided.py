"""The guided search on a classifier with gradients whose rule is known."""

import dataclasses
import math

import pytest
import torch
from conftest import frozen_classifier
from probe_inputs import (
    MAP,
    SIDE,
    RegionNetwork,
    bright_network,
    bright_region,
    grey_inpainter,
    probe_inputs_of,
    same_probed,
)
from probe_inputs import small_probe_inputs as painting_of_networks
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.results import Variants
from overpaint.probes.guided import GuidedSearch

DARK = torch.full((1, 1, SIDE, SIDE), 0.3)
"""Its surroundings ask for a dark region, class 1 for a bright one."""


def _values(variants: Variants) -> list[Tensor]:
    return [getattr(variants, field.name).clone() for field in dataclasses.fields(variants)]


def test_guiding_raises_the_confidence_and_its_price_is_said() -> None:
    inpainter = grey_inpainter([0.1, 0.4, 0.9], recipe="adam", steps=200, learning_rate=0.02, patience=0)
    inputs = probe_inputs_of(inpainter, bright_network(), DARK, MAP[None], [1])
    torch.testing.assert_close(inputs.variants.images[0, :, 0, 2, 2], torch.full((3,), 0.3), atol=0.02, rtol=0)
    assert not inputs.variants.accepted.any()
    (weak,), (strong,) = GuidedSearch(weight=0.01)(inputs), GuidedSearch(weight=2.0)(inputs)
    assert weak.numbers["guided_acceptance_rate"] == 0  # a gradient of 0.01 does not outweigh the ring's
    assert strong.numbers["guided_acceptance_rate"] == 1
    assert strong.numbers["guided_confidence"] > 0.9
    assert strong.numbers["guided_loss"] > weak.numbers["guided_loss"] + 0.3
    # The best of z - 0.3 + 2 softplus(-2 (z - 0.5) / 0.25) below 1, where its slope 1 - 16 sigmoid(-8 (z - 0.5)) is 0.
    best = 0.5 + math.log(15) / 8
    torch.testing.assert_close(strong.arrays["variants"][:, 0, 2, 2], torch.full((3,), best), atol=0.02, rtol=0)


def test_guiding_leaves_variants_and_classifier_as_they_were() -> None:
    inputs = painting_of_networks()
    network = inputs.classifier.network
    assert network is not None
    weights = [weight.clone() for weight in network.parameters()]
    before = _values(inputs.variants)
    asked = (inputs.classifier, inputs.images, inputs.targets, inputs.regions)
    guided = GuidedSearch(weight=1.0)(inputs)
    for after in (inputs.variants, inputs.inpainter(*asked), inputs.inpainter(*asked, guidance=0.0)):
        assert all(torch.equal(a.nan_to_num(-7), b.nan_to_num(-7)) for a, b in zip(before, _values(after), strict=True))
    assert not torch.equal(guided[0].arrays["variants"], inputs.variants.images[0])
    assert all(torch.equal(a, b) for a, b in zip(weights, network.parameters(), strict=True))
    assert all(weight.grad is None and not weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("blend", ["paste", "feather", "poisson"])
def test_every_blend_can_be_guided(blend: str) -> None:
    inputs = painting_of_networks()
    inputs = dataclasses.replace(inputs, inpainter=dataclasses.replace(inputs.inpainter, blend=blend))
    found = inputs.inpainter(inputs.classifier, inputs.images, inputs.targets, inputs.regions)
    guided = GuidedSearch(weight=10.0)(inputs)
    different = ~found.duplicate[0]
    assert not torch.equal(guided[0].arrays["variants"], found.images[0])
    assert guided[0].numbers["guided_loss"] != float(found.contextual_losses[0][different].mean())


def test_a_generator_of_another_size_is_guided_at_the_images() -> None:
    inputs = painting_of_networks()
    classifier = frozen_classifier(inputs.classifier.network, 48)
    images = torch.rand(1, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    maps = torch.rand(1, 48, 48, generator=torch.Generator().manual_seed(1))
    larger = probe_inputs_of(inputs.inpainter, classifier, images, maps, [1])
    (found,) = GuidedSearch(weight=5.0)(larger)
    assert found.arrays["variants"].shape == (4, 1, 48, 48)


def test_a_flat_map_has_no_guided_variants() -> None:
    found = GuidedSearch()(painting_of_networks())[-1]
    assert all(math.isnan(number) for number in found.numbers.values())
    assert found.arrays == {}


def test_a_row_does_not_see_its_batch() -> None:
    inputs, probe = painting_of_networks(), GuidedSearch(weight=1.0)
    together = probe(inputs)
    for row in range(3):
        assert same_probed(probe(inputs.rows([row]))[0], together[row])


def test_a_black_box_is_refused() -> None:
    inputs = probe_inputs_of(grey_inpainter([0.9]), bright_region(), DARK, MAP[None], [1])
    with pytest.raises(OverpaintError, match="probes=guided needs a classifier with gradients"):
        GuidedSearch()(inputs)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_a_wrong_weight_is_refused(weight: float) -> None:
    with pytest.raises(OverpaintError, match=r"GuidedSearch\.weight="):
        GuidedSearch(weight=weight)


def test_the_rule_of_the_network_is_what_the_tests_take_it_for() -> None:
    classifier = frozen_classifier(RegionNetwork(), SIDE, 1, 2)
    brightness = torch.tensor([0.0, 0.4, 0.5, 0.8])
    scores = classifier.scores(brightness[:, None, None, None].expand(-1, 1, SIDE, SIDE))
    torch.testing.assert_close(scores[:, 1], torch.sigmoid(8 * (brightness - 0.5)))
