"""ROAD: the imputation against a literal dense solve, the value against planted evidence, and its settings."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier, noise_images
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.core.results import MetricResult
from overpaint.core.rng import image_rng
from overpaint.metrics.base import MetricInputs
from overpaint.metrics.rank_masks import saliency_ranks
from overpaint.metrics.road import Imputations, Road, imputed
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.tasks import ImageBatch


def _evidence(images: Tensor, maps: Tensor, target: int = 1) -> MetricInputs:
    return MetricInputs(images, torch.full((len(maps),), target), maps, torch.zeros_like(maps, dtype=torch.bool))


def _measured(metric: Road, classifier: Any, inputs: MetricInputs, **engine: Any) -> list[MetricResult]:
    asks = Engine(classifier, **engine)
    return asks.run([metric.query_task(inputs, row, asks) for row in range(len(inputs.maps))])


def _random_map(*size: int, seed: int = 0) -> Tensor:
    return torch.rand(size, generator=torch.Generator().manual_seed(seed))


def _imputed_by_hand(image: Tensor, missing: Tensor) -> np.ndarray:
    """One equation for each missing pixel, in a dense matrix."""
    places = [tuple(p) for p in missing.nonzero().tolist()]
    matrix, right = np.zeros((len(places), len(places))), np.zeros((len(places), len(image)))
    for equation, (row, column) in enumerate(places):
        neighbours = {
            (row + dy, column + dx): 1 / 6 if dy * dx == 0 else 1 / 12
            for dy, dx in product((-1, 0, 1), repeat=2)
            if (dy, dx) != (0, 0) and 0 <= row + dy < missing.shape[0] and 0 <= column + dx < missing.shape[1]
        }
        matrix[equation, equation] = 1
        for place, weight in neighbours.items():
            share = weight / sum(neighbours.values())
            if missing[place]:
                matrix[equation, places.index(place)] -= share
            else:
                right[equation] += share * image[:, place[0], place[1]].double().numpy()
    return np.linalg.solve(matrix, right).T


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("size", [(9, 12), (2, 15), (1, 20)])
def test_imputation_is_the_dense_solve(size: tuple[int, int], share: float) -> None:
    image = torch.rand(3, *size, generator=torch.Generator().manual_seed(1))
    missing = saliency_ranks(_random_map(*size)) < round(share * math.prod(size))
    found = imputed(image, missing)
    np.testing.assert_allclose(found.numpy(), _imputed_by_hand(image, missing), rtol=0, atol=1e-12)


def test_what_is_missing_is_not_looked_at() -> None:
    image, missing = noise_images(1, 8, 3)[0], _random_map(8, 8) < 0.5
    changed = torch.where(missing, torch.full_like(image, torch.nan), image)
    assert torch.equal(imputed(image, missing), imputed(changed, missing))


def test_a_hole_in_a_series_is_bridged_by_a_line() -> None:
    series = torch.tensor([[0.2, 9.0, 9.0, 9.0, 1.0, 9.0, 9.0]])
    missing = torch.tensor([False, True, True, True, False, True, True])
    assert imputed(series, missing)[0].tolist() == pytest.approx([0.4, 0.6, 0.8, 1, 1])


@pytest.mark.parametrize("size", [(6, 7), (4, 5, 6)])
def test_a_plane_is_imputed_as_it_was_in_any_number_of_dimensions(size: tuple[int, ...]) -> None:
    """Away from the border the mean of the neighbours of a linear function is the function."""
    axes = torch.meshgrid(*[torch.arange(float(n)) for n in size], indexing="ij")
    plane = sum(0.1 * (i + 1) * axis for i, axis in enumerate(axes))[None]  # type: ignore[index]
    inside = torch.stack([(a > 0) & (a < n - 1) for a, n in zip(axes, size, strict=True)]).all(0)
    torch.testing.assert_close(imputed(plane, inside)[0], plane[0, inside].double(), rtol=0, atol=1e-6)


def test_pictures_lack_the_most_and_the_least_salient_in_turn() -> None:
    image, ranks = noise_images(1, 8, 3)[0], saliency_ranks(_random_map(8, 8))
    pictures = Imputations(image, ranks, [0, 6, 48], noise=0.8, seed=4)
    assert isinstance(pictures, ImageBatch)
    noise = 0.8 * torch.randn(image.shape, generator=image_rng(image, 4, "road"))
    found = pictures.images(slice(0, 6))
    assert torch.equal(found[:2], image.expand(2, -1, -1, -1))
    for row, missing in {2: ranks < 6, 3: ranks >= 58, 4: ranks < 48, 5: ranks >= 16}.items():
        expected = image.clone()
        expected[:, missing] = torch.from_numpy(_imputed_by_hand(image, missing)).float() + noise[:, missing]
        torch.testing.assert_close(found[row], expected.clamp(0, 1))
        assert bool((expected != expected.clamp(0, 1)).any())
        assert torch.equal(pictures.images(slice(row, row + 1))[0], found[row])


def _planted() -> tuple[FunctionClassifier, Tensor]:
    """A white patch on black, a sixteenth of the image; the score is its brightness."""
    image = torch.zeros(1, 1, 16, 16)
    image[..., 4:8, 8:12] = 1
    return FunctionClassifier(lambda images: images[:, 0, 4:8, 8:12].mean((1, 2))), image


def test_planted_evidence_is_rewarded_and_its_inverse_punished() -> None:
    """Without the patch its hole is filled with black; without what is least salient it stands."""
    classifier, image = _planted()
    saliency = image[0, 0] + 0.1 * _random_map(16, 16)
    inputs = _evidence(image.expand(2, -1, -1, -1), torch.stack([saliency, -saliency]))
    right, wrong = _measured(Road([10, 50, 90], noise=0.0), classifier, inputs)
    assert right.curve is not None
    assert right.places is not None
    assert right.curve.tolist() == pytest.approx([0.5, 0.5, 0.5], abs=0.02)
    assert right.places.tolist() == [25 / 256, 128 / 256, 230 / 256]
    assert right.value == pytest.approx(float(right.curve.mean()))
    assert wrong.value == pytest.approx(-right.value)


def test_is_the_mean_of_half_differences(network: NetworkClassifier) -> None:
    images, maps = noise_images(1, 32, 3), _random_map(1, 32, 32)
    (found,) = _measured(Road(seed=2), network, _evidence(images, maps, 3))
    pictures = Imputations(images[0], saliency_ranks(maps[0]), [102, 204, 307, 409, 512, 614, 716, 819, 921], 0.01, 2)
    scores = network.scores(pictures.images(slice(0, 18)))[:, 3]
    torch.testing.assert_close(found.curve, (scores[1::2] - scores[::2]) / 2)
    assert found.value == pytest.approx(float((scores[1::2] - scores[::2]).mean() / 2), abs=1e-7)


def test_only_the_order_of_the_pixels_and_the_seed_matter(network: NetworkClassifier) -> None:
    saliency = torch.randperm(1024, generator=torch.Generator().manual_seed(0)).reshape(32, 32).float()
    maps = torch.stack([saliency, saliency.square() / 100 - 7])
    inputs = _evidence(noise_images(1, 32, 3).expand(2, -1, -1, -1), maps)
    one, other = _measured(Road([30, 60], noise=0.1), network, inputs, batch_size=8)
    assert one.value == other.value
    (alone,) = _measured(Road([30, 60], noise=0.1), network, inputs.rows([0]), batch_size=32)
    assert alone.value == one.value
    (reseeded,) = _measured(Road([30, 60], noise=0.1, seed=1), network, inputs.rows([0]))
    assert reseeded.value != one.value
    ordered, turned = (_measured(Road(shares), network, inputs)[0] for shares in ([30, 60], [60, 30]))
    assert torch.equal(ordered.curve, turned.curve)  # type: ignore[arg-type]
    assert torch.equal(ordered.places, turned.places)  # type: ignore[arg-type]


def test_flat_and_broken_maps_are_at_0_and_ask_nothing() -> None:
    classifier, image = _planted()
    broken = _random_map(16, 16)
    broken[3, 3] = torch.nan
    inputs = _evidence(image.expand(2, -1, -1, -1), torch.stack([torch.full((16, 16), 0.2), broken]))
    metric, engine = Road(), Engine(classifier)
    metric.update(inputs, engine)
    assert metric.compute() == 0
    assert classifier.rows == []
    (flat, _) = _measured(metric, classifier, inputs)
    assert flat.curve is not None
    assert flat.curve.tolist() == [0] * 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"percentiles": []}, r"percentiles=\[\] must hold at least one entry"),
        ({"percentiles": [10, 100]}, r"percentiles=\[10, 100\] must lie in \(0, 100\)"),
        ({"percentiles": [0, 10]}, r"percentiles=\[0, 10\] must lie in \(0, 100\)"),
        ({"percentiles": [math.nan]}, r"percentiles=\[nan\] must be"),
        ({"noise": -0.1}, "noise=-0.1 must not be negative"),
        ({"noise": math.nan}, "noise=nan must be a finite number"),
    ],
)
def test_settings_out_of_range_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        Road(**settings)
