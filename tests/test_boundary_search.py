"""FlippedVariants of classifiers whose boundary is known, the filing rules by hand, and PGD inside a region."""

import math
from typing import Any

import pytest
import torch
from conftest import FunctionClassifier
from probe_inputs import (
    MAP,
    REGION,
    SIDE,
    bright_network,
    bright_region,
    grey_inpainter,
    probe_inputs_of,
    same_probed,
    small_probe_inputs,
)
from torch import Tensor

from overpaint.core.decision import Decision
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.probes.base import ProbeInputs
from overpaint.probes.boundary_search import BoundarySearch
from overpaint.probes.descent import bisect, descend_pixels, distances_between
from overpaint.probes.flip_taxonomy import COUNTERFACTUAL, NATURAL, UNKNOWN, UNREALISTIC, FlipTaxonomy

GREY = torch.full((1, 1, SIDE, SIDE), 0.5)


def _painting(
    levels: list[float], classifier: Classifier, oracle: Classifier | None = None, **search: Any
) -> ProbeInputs:
    """The region of an even image; what is painted is as bright as its latent, which D finds the more real for it."""
    return probe_inputs_of(grey_inpainter(levels, **search), classifier, GREY, MAP[None], [1], oracle)


def test_the_bisection_finds_a_known_boundary() -> None:
    near, far = torch.tensor([[[0.0, 0.0], [0.6, 0.0]]]), torch.tensor([[[1.0, 0.0], [0.9, 0.4]]])
    last, first = bisect(lambda latents: latents[..., 0] > 0.7, near, far, 20)
    expected = torch.tensor([[[0.7, 0.0], [0.7, 0.4 / 3]]])
    torch.testing.assert_close(first, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(last, expected, atol=1e-5, rtol=0)
    assert bool((last[..., 0] <= 0.7).all() and (first[..., 0] > 0.7).all())


def test_a_black_box_is_followed_to_its_boundary() -> None:
    (found,) = BoundarySearch(bisection_steps=20)(_painting([0.9, 0.7, 0.2, 0.1], bright_region(0.6)))
    numbers = found.numbers
    assert numbers["success_rate"] == 0.5
    assert numbers["boundary_rate"] == 1
    # From 0.9 and 0.7 the way to 0.2 leads over 0.6, and a picture is as bright as its latent.
    assert numbers["latent_distance"] == pytest.approx(0.2, abs=1e-5)
    assert numbers["picture_distance"] == pytest.approx(0.2, abs=1e-5)
    assert (numbers["flips_searched"], numbers["flips_boundary"]) == (2, 2)
    assert math.isnan(numbers["pgd_rate"])
    assert math.isnan(numbers["flips_pgd"])
    shown = [found.arrays[key] for key in found.arrays if key.startswith("flipped_")]
    inside = torch.cat(shown)[:, 0, REGION]
    torch.testing.assert_close(inside, torch.full_like(inside, 0.6), atol=1e-5, rtol=0)


def test_the_margin_leads_the_search_to_the_other_class() -> None:
    inputs = _painting([0.9, 0.8, 0.75], bright_network(), steps=60, learning_rate=0.5)
    bright = torch.full_like(GREY, 0.8)
    inputs = probe_inputs_of(inputs.inpainter, bright_network(), bright, MAP[None], [1])
    assert inputs.variants.accepted.all()
    (blind,) = BoundarySearch(gradients=False)(inputs)
    (found,) = BoundarySearch(weight=2.0, margin=0.5, bisection_steps=20)(inputs)
    assert blind.numbers["success_rate"] == blind.numbers["boundary_rate"] == 0
    assert math.isnan(blind.numbers["latent_distance"])
    assert found.numbers["success_rate"] == found.numbers["boundary_rate"] == 1
    start = float(inputs.variants.latents[0, 0, 0])
    assert found.numbers["latent_distance"] == pytest.approx(start - 0.5, abs=0.02)
    assert found.numbers["pgd_rate"] == 1
    assert found.numbers["pgd_distance"] >= found.numbers["picture_distance"] - 1e-4  # steps of 0.01, and the margin


def test_the_filing_rules_by_hand() -> None:
    rule = FlipTaxonomy(contextual=0.2, realism=-1.0)
    losses, realism = torch.tensor([0.2, 0.1, 0.21, 0.1, 0.1]), torch.tensor([-1.0, 3.0, 5.0, -1.1, 0.0])
    answers = torch.tensor([4, 7, 4, 4, 4])
    expected = [NATURAL, COUNTERFACTUAL, UNREALISTIC, UNREALISTIC, NATURAL]
    assert rule(losses, realism, answers, 4).tolist() == expected
    assert rule(losses, realism, None, 4).tolist() == [UNKNOWN, UNKNOWN, UNREALISTIC, UNREALISTIC, UNKNOWN]


def test_the_rule_is_met_by_all_but_a_twentieth_of_the_accepted() -> None:
    rule = FlipTaxonomy.of(torch.arange(101) / 100, torch.arange(101) / 10)
    assert (rule.contextual, rule.realism) == (pytest.approx(0.95), pytest.approx(0.5))
    alone = FlipTaxonomy.of(torch.tensor([0.3]), torch.tensor([2.0]))
    assert alone(torch.tensor([0.3]), torch.tensor([2.0]), None, 1).tolist() == [UNKNOWN]


def _oracle(answer: float) -> FunctionClassifier:
    return FunctionClassifier(lambda images: torch.full((len(images),), answer))


@pytest.mark.parametrize(
    ("oracle", "kind"), [(_oracle(1.0), "natural"), (_oracle(0.0), "counterfactual"), (None, "unknown")]
)
def test_flips_are_filed_by_the_oracle(oracle: Classifier | None, kind: str) -> None:
    # Class 1 is a dark region here, so that the flips, brighter, look more real than the accepted ones.
    dark = FunctionClassifier(lambda images: 1 - images[:, 0, REGION].mean(1))
    (found,) = BoundarySearch(bisection_steps=20)(_painting([0.3, 0.6], dark, oracle))
    # The surroundings are 0.5: 0.3 is 0.2 away from them, and the flips no more than 0.1.
    assert found.numbers[f"{kind}_searched"] == found.numbers[f"{kind}_fraction_searched"] == 1
    assert found.numbers[f"{kind}_boundary"] == 1
    assert found.numbers["unrealistic_boundary"] == 0
    assert found.arrays[f"predictions_{kind}"].tolist() == [0]
    assert float(found.arrays[f"accepted_{kind}"][0, 0, 2, 2]) == pytest.approx(0.3)


def test_darker_flips_are_unrealistic_to_a_discriminator_that_likes_light() -> None:
    (found,) = BoundarySearch()(_painting([0.6, 0.4], bright_region(), _oracle(1.0)))
    assert found.numbers["unrealistic_searched"] == found.numbers["unrealistic_boundary"] == 1
    assert found.numbers["natural_searched"] == 0


def test_pixels_are_changed_inside_the_region_and_stay_in_range() -> None:
    images = torch.rand(5, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    classifier = bright_network()

    def loss(logits: Tensor) -> Tensor:
        return Decision().margins(logits, torch.ones(5, dtype=torch.long), None, 100.0)

    attacked = descend_pixels(classifier, images, REGION, loss, 200, 0.01)
    assert torch.equal(attacked[:, :, ~REGION], images[:, :, ~REGION])
    assert bool((attacked[:, :, REGION] == 0).all())  # as dark as can be, and not darker
    assert bool((classifier.scores(attacked).argmax(1) == 0).all())
    assert torch.equal(descend_pixels(classifier, images, REGION, lambda logits: 0 * loss(logits), 3, 0.1), images)


def test_pixels_stay_where_the_margin_is_reached() -> None:
    images = torch.full((1, 1, SIDE, SIDE), 0.8)

    def loss(logits: Tensor) -> Tensor:
        return Decision().margins(logits, torch.ones(1, dtype=torch.long), None, 0.0)

    attacked = descend_pixels(bright_network(), images, REGION, loss, 200, 0.01)
    assert float(distances_between(attacked, images, REGION)) == pytest.approx(0.3, abs=0.011)


def test_margins_by_hand() -> None:
    logits, targets = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]]), torch.tensor([0, 0])
    assert Decision().margins(logits, targets, None, 0.5).tolist() == [1.5, 0.0]
    assert Decision().margins(logits, targets, 1, 0.5).tolist() == [2.5, 0.0]
    assert Decision().margins(logits, targets, 2, 0.0).tolist() == [1.0, 4.0]


@pytest.mark.parametrize("into", [0, "other"])
def test_a_given_class_is_reached(into: int | str) -> None:
    inputs = _painting([0.9, 0.2], bright_region())
    assert BoundarySearch(into=into)(inputs)[0].numbers["success_rate"] == 0.5
    own = BoundarySearch(into="wanted")(inputs)[0]
    assert all(math.isnan(number) for number in own.numbers.values())
    assert own.arrays == {}


def test_without_accepted_variants_or_with_a_flat_map_nothing_is_measured() -> None:
    refused = _painting([0.2, 0.1], bright_region())
    flat = probe_inputs_of(grey_inpainter([0.9, 0.1]), bright_region(), GREY, torch.ones(1, SIDE, SIDE), [1])
    for inputs in (refused, flat):
        (found,) = BoundarySearch()(inputs)
        assert all(math.isnan(number) for number in found.numbers.values())
        assert found.arrays == {}


@pytest.mark.parametrize("gradients", [True, False])
def test_a_row_does_not_see_its_batch(gradients: bool) -> None:
    inputs, probe = (
        small_probe_inputs(),
        BoundarySearch(gradients=gradients, weight=5.0, bisection_steps=4, pgd_steps=3, pgd_step=0.1),
    )
    together = probe(inputs)
    assert len({frozenset(one.numbers) for one in together}) == 1
    for row in range(3):
        assert same_probed(probe(inputs.rows([row]))[0], together[row])
    assert probe(inputs.rows([])) == []


@pytest.mark.parametrize(
    "setting", [{"weight": 0.0}, {"pgd_step": 0.0}, {"margin": -1.0}, {"bisection_steps": 0}, {"pgd_steps": 0}]
)
def test_wrong_settings_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(OverpaintError, match=next(iter(setting))):
        BoundarySearch(**setting)


@pytest.mark.parametrize("into", [2, -1, "cat"])
def test_an_unknown_class_is_refused(into: int | str) -> None:
    with pytest.raises(OverpaintError, match=rf"probes\.boundary_search\.into={into} is no class"):
        BoundarySearch(into=into)(_painting([0.9], bright_region()))
