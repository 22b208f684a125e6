"""LIME against scikit-learn and captum, on planted evidence, and its standard error."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr import Lime as CaptumLime
from conftest import (
    PATCH,
    REPEATS,
    SATURATED,
    blind,
    noise_images,
    planted,
    points_to_patch,
    weighing,
)
from torch import Tensor
from torch.nn.functional import cosine_similarity

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.core.rng import image_rng
from overpaint.inpainting.region import is_flat
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import relative_errors
from overpaint.perturbation.segments import segments_of
from overpaint.saliency.lime import Lime, similarity

TARGET = torch.tensor([[1]])


def _samples(image: Tensor, queries: int, segments: int, seed: int = 0) -> Tensor:
    kept = (torch.rand(queries, segments, generator=image_rng(image, seed, "lime")) < 0.5).float()
    kept[0] = 1
    return kept


@pytest.mark.parametrize("kind", ["slic", "grid"])
def test_agrees_with_captum_on_the_same_samples(kind: Any, network: NetworkClassifier) -> None:
    image = noise_images(1, 32, 3)
    found = Lime(queries=128, segments=kind, ridge=0.5)(network, image, torch.tensor([[2, 0]]))
    segments = segments_of(image[0], kind, 50)
    kept = _samples(image[0], 128, int(segments.max()) + 1)

    def replay(*_: Any, **__: Any) -> Iterator[Tensor]:
        yield from kept[:, None]

    def weight(_original: Tensor, _perturbed: Tensor, sample: Tensor, **_: Any) -> Tensor:
        distance = 1 - cosine_similarity(sample, torch.ones_like(sample))
        return torch.exp(-(distance**2) / 0.25**2).sqrt()  # as lime_image.py and lime_base.py have it

    for row, target in enumerate([2, 0]):
        captum = CaptumLime(
            network.scores,
            interpretable_model=SkLearnRidge(alpha=0.5),
            similarity_func=weight,
            perturb_func=replay,
        )
        expected = captum.attribute(
            image,
            target=target,
            feature_mask=segments[None, None],
            baselines=network.mean.expand_as(image),
            n_samples=128,
            perturbations_per_eval=16,
        )
        torch.testing.assert_close(found.maps[row], expected[0, 0], rtol=1e-3, atol=1e-5)


def test_a_linear_classifier_gives_the_sums_of_its_segments(dimensions: int, white: Tensor) -> None:
    """For f = Σ w x on white over black the score is linear in the kept segments: β = the segment's sum of w."""
    weights = torch.rand([32] * dimensions, generator=torch.Generator().manual_seed(0)) / 1000
    method = Lime(queries=256, segments="grid", num_segments=4**dimensions, ridge=1e-6, baseline="mean")
    found = method(weighing(weights), white, TARGET)
    pool = {1: torch.nn.functional.avg_pool1d, 2: torch.nn.functional.avg_pool2d}[dimensions]
    corners = (slice(None, None, 8),) * dimensions
    torch.testing.assert_close(found.maps[0][corners], pool(weights[None], 8)[0] * 8**dimensions, rtol=1e-4, atol=1e-6)
    assert float(found.standard_errors.max()) < 1e-6  # type: ignore[union-attr]


def test_the_weight_falls_with_the_hidden_share() -> None:
    kept = torch.tensor([[1.0, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]])
    expected = torch.exp(-(torch.tensor([0, 0.5, 1.0]).double() ** 2) / 2 / 0.25**2)
    torch.testing.assert_close(similarity(kept, 0.25), expected)


@pytest.mark.parametrize(("kind", "of"), [("slic", 2), ("grid", 2), ("grid", 1), ("change_points", 1)])
@pytest.mark.parametrize("shape", SATURATED)
def test_planted_evidence_is_found_also_where_the_score_is_saturated(shape: str, kind: Any, of: int) -> None:
    """The patch is visible: SLIC can't follow what is not, and a segment across its border would be one plateau."""
    images = torch.full((1, 1, *[32] * of), 0.3)
    images[(slice(None), slice(None), *PATCH[-of:])] = 1
    found = Lime(segments=kind, baseline="mean")(planted(SATURATED[shape], of), images, TARGET)
    assert points_to_patch(found.maps[0])


@pytest.mark.parametrize("shape", ["linear", "sure only with 80 % of it"])
def test_standard_error_predicts_the_spread_over_seeds(shape: str, dimensions: int, white: Tensor) -> None:
    classifier, number = planted(SATURATED[shape], dimensions), 4**dimensions
    runs = [
        Lime(queries=256, num_segments=number, segments="grid", baseline="mean", seed=s)
        for s in range(REPEATS[dimensions])
    ]
    found = [run(classifier, white, TARGET) for run in runs]
    maps = torch.stack([f.maps[0] for f in found])
    errors = torch.stack([f.standard_errors[0] for f in found])  # type: ignore[index]
    assert 0.8 < float((maps.var(0).mean() / errors.square().mean()).sqrt()) < 1.25


def test_sampling_ends_at_the_wanted_error(dimensions: int, white: Tensor) -> None:
    classifier = planted(SATURATED["sure only with 80 % of it"], dimensions)
    method = Lime(queries=4000, stop_at=0.05, baseline="mean")
    found = Engine(classifier, batch_size=32).run_methods({"": method}, white, TARGET)[""]
    spent = int(found.queries[0])
    assert spent == sum(classifier.rows) < 4000
    assert found.standard_errors is not None
    assert float(relative_errors(found.maps, found.standard_errors)) < 0.05
    assert torch.equal(Lime(queries=spent, baseline="mean")(classifier, white, TARGET).maps, found.maps)


def test_maps_are_the_same_to_the_bit_whatever_is_asked_beside_them(network: NetworkClassifier) -> None:
    images, targets, method = noise_images(3, 32, 3), torch.tensor([[0, 2], [1, 3], [2, 0]]), Lime(queries=100)
    together = method(network, images, targets)
    again = Engine(network, batch_size=40).run_methods({"": method}, images, targets)[""]
    assert torch.equal(again.maps, together.maps)
    for i in range(3):
        alone = method(network, images[i : i + 1], targets[i : i + 1])
        assert torch.equal(alone.maps, together.maps[2 * i : 2 * i + 2])
        assert torch.equal(alone.standard_errors, together.standard_errors[2 * i : 2 * i + 2])  # type: ignore[index,arg-type]
        one = method(network, images[i : i + 1], targets[i : i + 1, 1:])
        assert torch.equal(one.maps[0], together.maps[2 * i + 1])


def test_the_other_class_has_the_opposite_map(dimensions: int, white: Tensor) -> None:
    classifier = planted(lambda share: share, dimensions)
    found = Lime(queries=100, baseline="mean")(classifier, white, torch.tensor([[1, 0]]))
    assert bool(found.maps.any())
    torch.testing.assert_close(found.maps[0], -found.maps[1])


def test_a_classifier_that_sees_nothing_gets_a_map_of_zeros(dimensions: int, white: Tensor) -> None:
    found = Lime(queries=100)(blind(dimensions), white, TARGET)
    assert not found.maps.any()
    assert is_flat(found.maps).tolist() == [True]


def test_slic_follows_colour_and_numbers_all_segments() -> None:
    image = torch.rand(3, 1, 1, generator=torch.Generator().manual_seed(0)).expand(3, 64, 64).clone()
    image[:, :, 30:] = 1 - image[:, :, 30:]
    segments = segments_of(image, "slic", 20)
    assert not set(segments[:, :30].unique().tolist()) & set(segments[:, 30:].unique().tolist())
    assert segments.unique().tolist() == list(range(int(segments.max()) + 1))
    assert 10 <= int(segments.max()) < 30


@pytest.mark.parametrize(("size", "expected"), [((8, 8), 4), ((28, 28), 49), ((224, 224), 49), ((64,), 16)])
def test_small_images_have_fewer_segments(size: tuple[int, ...], expected: int) -> None:
    assert segments_of(torch.zeros(1, *size), "grid", 50).unique().tolist() == list(range(expected))


def test_series_have_no_segments_of_slic() -> None:
    with pytest.raises(OverpaintError, match=r"segments=slic is for .* two dimensions, not \(1, 64\)"):
        Lime(segments="slic")(blind(1), torch.ones(1, 1, 64), TARGET)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"queries": 63}, "queries=63 must be at least 64"),
        ({"num_segments": 1}, "num_segments=1 must be at least 2"),
        ({"ridge": 0.0}, "ridge=0.0 must be above 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        Lime(**settings)
