"""Insertion and deletion against closed forms, a literal twin of RISE's evaluation, and that evaluation itself."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier, noise_images
from scipy import ndimage
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.core.results import MetricResult
from overpaint.metrics.base import MetricInputs, QueryMetric
from overpaint.metrics.insertion_deletion import Deletion, Insertion, area_under, pixels_a_step
from overpaint.metrics.rank_masks import RankMasks, saliency_ranks
from overpaint.perturbation.baselines import baseline_image
from overpaint.perturbation.engine import Engine
from overpaint.saliency.rise import Rise

KINDS: dict[str, Callable[..., QueryMetric]] = {"ins": Insertion, "del": Deletion}


def _evidence(images: Tensor, targets: Tensor, maps: Tensor) -> MetricInputs:
    return MetricInputs(images, targets, maps, torch.zeros_like(maps, dtype=torch.bool))


def _measured(metric: QueryMetric, classifier: Any, inputs: MetricInputs, **engine: Any) -> list[MetricResult]:
    asks = Engine(classifier, **engine)
    return asks.run([metric.query_task(inputs, row, asks) for row in range(len(inputs.maps))])


def _shuffled_map(*size: int, seed: int = 0) -> Tensor:
    order = torch.randperm(math.prod(size), generator=torch.Generator().manual_seed(seed))
    return order.float().reshape(size)


def _patch(size: tuple[int, ...], pixels: int) -> Tensor:
    """1 for some pixels that lie apart, 0 elsewhere."""
    return (_shuffled_map(*size, seed=7) < pixels).float()


def _linear(patch: Tensor) -> FunctionClassifier:
    return FunctionClassifier(lambda x: (x[:, 0] * patch).flatten(1).sum(1) / patch.sum(), dimensions=patch.ndim)


@pytest.mark.parametrize(
    ("size", "step", "n"), [((8, 8), 4, 16), ((8, 8), None, 8), ((4, 16), 1 / 16, 16), ((64,), None, 64)]
)
def test_a_linear_classifier_has_a_known_area(size: tuple[int, ...], step: Any, n: int) -> None:
    """White over black, the score the share of 16 of 64 pixels that are seen: it rises to 1 over a quarter, or late."""
    patch = _patch(size, 16)
    image, target = torch.ones(1, 1, *size), torch.tensor([1])
    rising = torch.arange(n + 1).mul(64 / n / 16).clamp(max=1)
    late = 1 - rising.flip(0)
    for values, gained in ((patch, rising), (-patch, late)):
        (inserted,) = _measured(Insertion("black", step), _linear(patch), _evidence(image, target, values[None]))
        (deleted,) = _measured(Deletion("black", step), _linear(patch), _evidence(image, target, values[None]))
        expected = 7 / 8 if gained is rising else 1 / 8
        assert inserted.value == pytest.approx(expected, abs=1e-6)
        assert deleted.value == pytest.approx(1 - expected, abs=1e-6)
        torch.testing.assert_close(inserted.curve, gained)
        torch.testing.assert_close(deleted.curve, 1 - gained)
        for measured in (inserted, deleted):
            torch.testing.assert_close(measured.places, torch.arange(n + 1) / n)


def test_the_last_step_is_what_is_left() -> None:
    patch = _patch((5, 5), 5)
    inputs = _evidence(torch.ones(1, 1, 5, 5), torch.tensor([1]), patch[None])
    (measured,) = _measured(Insertion("black", 10), _linear(patch), inputs)
    assert measured.curve is not None
    assert measured.places is not None
    assert measured.curve.tolist() == pytest.approx([0, 1, 1, 1])
    assert measured.places.tolist() == pytest.approx([0, 0.4, 0.8, 1])
    assert measured.value == pytest.approx(2.5 / 3)  # the points are equidistant, as published


def test_masks_keep_the_first_or_the_last() -> None:
    ranks = saliency_ranks(torch.tensor([[0.1, 0.9, 0.5], [0.5, -2.0, 0.9]]))
    assert ranks.tolist() == [[4, 0, 2], [3, 5, 1]]
    growing, shrinking = (RankMasks(ranks, 4, growing=g) for g in (True, False))
    assert growing.masks(slice(1, 3)).tolist() == [[[0, 1, 1], [1, 0, 1]], [[1, 1, 1], [1, 1, 1]]]
    assert torch.equal(shrinking.masks(slice(0, 3)), 1 - growing.masks(slice(0, 3)))
    assert len(growing) == 3


def test_a_step_is_a_row_a_share_or_a_number() -> None:
    assert [pixels_a_step(s, (20, 30)) for s in (None, 0.1, 1e-9, 1, 77)] == [30, 60, 1, 1, 77]
    assert pixels_a_step(None, (50,)) == 1


def _gkern() -> np.ndarray:
    delta = np.zeros((11, 11))
    delta[5, 5] = 1
    return ndimage.gaussian_filter(delta, 5)


def _rise_by_hand(
    kind: str, classifier: NetworkClassifier, image: Tensor, saliency: Tensor, target: int, step: int
) -> list[float]:
    """RISE's protocol, pixel after pixel, on the normalised image."""
    assert classifier.std is not None
    x = ((image - classifier.mean[0]) / classifier.std[0]).numpy().astype(np.float64)
    if kind == "ins":
        now, end = np.stack([ndimage.convolve(channel, _gkern(), mode="constant") for channel in x]), x
    else:
        now, end = x.copy(), np.zeros_like(x)
    pixels = sorted(np.ndindex(*saliency.shape), key=lambda place: -float(saliency[place]))
    scores = []
    for k in range(-(-len(pixels) // step) + 1):
        with torch.no_grad():
            scores.append(float(classifier.network(torch.from_numpy(now).float()[None]).softmax(1)[0, target]))
        for place in pixels[k * step : (k + 1) * step]:
            now[(slice(None), *place)] = end[(slice(None), *place)]
    return scores


class _Sharpened(nn.Module):
    """Makes an untrained network's scores depend on what it sees: its logits from those of one image on, enlarged."""

    def __init__(self, network: nn.Module, first: Tensor) -> None:
        super().__init__()
        self.network, self.offset = network, network(first)

    def forward(self, inputs: Tensor) -> Tensor:
        return 50 * (self.network(inputs) - self.offset)


def _colour_classifier(network: NetworkClassifier, side: int) -> NetworkClassifier:
    """For each side: a classifier does not resize images of its own size."""
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    sharpened = _Sharpened(network.network, noise_images(1, side, 3, seed=9) / 0.25 - 2)
    return NetworkClassifier(sharpened, list("abcd"), side, mean, std).eval().requires_grad_(False)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("side", "step"), [(16, None), (24, 7), (33, 50), (32, 0.05)])
def test_is_rises_evaluation(kind: str, side: int, step: Any, network: NetworkClassifier) -> None:
    classifier, images = _colour_classifier(network, side), noise_images(2, side, 3, seed=side)
    maps = torch.stack([_shuffled_map(side, side, seed=s) for s in range(2)])
    found = _measured(KINDS[kind](step=step), classifier, _evidence(images, torch.tensor([2, 0]), maps))
    pixels = {None: side, 0.05: 51}.get(step, step)
    for row, target in enumerate((2, 0)):
        expected = _rise_by_hand(kind, classifier, images[row], maps[row], target, pixels)
        area = (sum(expected) - expected[0] / 2 - expected[-1] / 2) / (len(expected) - 1)
        assert max(expected) - min(expected) > 0.01
        curve = found[row].curve
        assert curve is not None
        torch.testing.assert_close(curve, torch.tensor(expected), rtol=0, atol=1e-4)
        assert found[row].value == pytest.approx(area, abs=1e-4)


def _rises_own(side: int, classes: int) -> dict[str, Any]:
    """RISE's evaluation.py; its constants and its calls of CUDA are the only things replaced."""
    text = (Path(os.environ["OVERPAINT_RISE"]) / "evaluation.py").read_text()
    for old, new in {
        ".cuda()": "",
        "HW = 224 * 224": f"HW = {side} * {side}",
        "n_classes = 1000": f"n_classes = {classes}",
        "from utils import *": "",
        "scipy.ndimage.filters": "scipy.ndimage",
    }.items():
        assert old in text
        text = text.replace(old, new)
    names: dict[str, Any] = {"np": np, "torch": torch}
    exec(text, names)
    return names


@pytest.mark.skipif("OVERPAINT_RISE" not in os.environ, reason="OVERPAINT_RISE names no clone of RISE")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("side", "rows"), [(24, 1), (32, 8), (33, 5)])
def test_is_rises_own_code(kind: str, side: int, rows: int, network: NetworkClassifier) -> None:
    names, classifier = _rises_own(side, 4), _colour_classifier(network, side)
    kernel = names["gkern"](11, 5)
    substrate = torch.zeros_like if kind == "del" else lambda x: nn.functional.conv2d(x, kernel, padding=5)
    model = nn.Sequential(classifier.network, nn.Softmax(dim=1))
    theirs = names["CausalMetric"](model, kind, side * rows, substrate)
    images, maps = noise_images(3, side, 3, seed=1), torch.stack([_shuffled_map(side, side, seed=s) for s in range(3)])
    targets = classifier.scores(images).argmax(1)
    inputs = (images - classifier.mean) / classifier.std  # type: ignore[operator]
    found = _measured(KINDS[kind](step=side * rows), classifier, _evidence(images, targets, maps))
    batch = theirs.evaluate(inputs, maps.numpy(), 3)
    for row, measured in enumerate(found):
        scores = theirs.single_run(inputs[row : row + 1].clone(), maps[row].numpy())
        assert measured.curve is not None
        np.testing.assert_allclose(measured.curve.numpy(), scores, rtol=0, atol=1e-4)
        np.testing.assert_allclose(measured.curve.numpy(), batch[:, row], rtol=0, atol=1e-4)
        assert measured.value == pytest.approx(names["auc"](scores), abs=1e-4)


@pytest.mark.parametrize("size", [(20, 30), (4, 7), (50,), (6, 14, 9)])
def test_the_blur_is_rises_in_any_number_of_dimensions(size: tuple[int, ...]) -> None:
    image = torch.rand(2, *size, generator=torch.Generator().manual_seed(0))
    classifier = FunctionClassifier(lambda images: images.flatten(1).mean(1), 2, len(size))
    classifier.mean = torch.tensor([0.3, 0.6]).reshape(1, 2, *[1] * len(size))
    delta = np.zeros((11,) * len(size))
    delta[(5,) * len(size)] = 1
    kernel = ndimage.gaussian_filter(delta, 5)
    deviations = (image - classifier.mean[0]).double().numpy()
    expected = np.stack([ndimage.convolve(channel, kernel, mode="constant") for channel in deviations])
    found = baseline_image("rise_blur", classifier, image, 0)
    torch.testing.assert_close(found, classifier.mean[0] + torch.from_numpy(expected).float(), rtol=0, atol=1e-6)


def test_a_method_takes_the_blur_too(network: NetworkClassifier) -> None:
    images, targets = noise_images(1, 32, 3), torch.tensor([[0]])
    blurred = baseline_image("rise_blur", network, images[0], 0)
    found = Rise(queries=40, baseline="rise_blur")(network, images, targets)
    assert torch.equal(found.maps, Rise(queries=40, baseline=blurred)(network, images, targets).maps)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_order_of_the_pixels_matters(kind: str, network: NetworkClassifier) -> None:
    saliency = _shuffled_map(32, 32) / 1024 - 0.5
    maps = torch.stack([saliency, 100 * saliency + 3, saliency.double().mul(8).exp().float(), saliency**3])
    inputs = _evidence(noise_images(1, 32, 3).expand(4, -1, -1, -1), torch.zeros(4, dtype=torch.long), maps)
    first, *others = _measured(KINDS[kind](), network, inputs, batch_size=64)
    for other in others:
        assert other.value == first.value


@pytest.mark.parametrize("kind", KINDS)
def test_equal_pixels_and_flat_or_broken_maps_come_in_reading_order(kind: str, network: NetworkClassifier) -> None:
    reading = -torch.arange(1024.0).reshape(32, 32)
    coarse = torch.where(_shuffled_map(32, 32) < 300, 1.0, 0.0)
    broken = torch.full((32, 32), 0.3)
    broken[4, 5] = torch.nan
    maps = torch.stack([reading, torch.full((32, 32), 0.7), broken, coarse, coarse * 2000 + reading])
    inputs = _evidence(noise_images(1, 32, 3).expand(5, -1, -1, -1), torch.ones(5, dtype=torch.long), maps)
    values = [m.value for m in _measured(KINDS[kind](), network, inputs, batch_size=64)]
    assert values[0] == values[1] == values[2]
    assert values[3] == values[4] != values[0]


def test_a_value_does_not_depend_on_what_is_asked_beside_it(network: NetworkClassifier) -> None:
    images, targets = noise_images(3, 32, 3), torch.tensor([0, 3, 1])
    maps = torch.stack([_shuffled_map(32, 32, seed=s) for s in range(3)])
    inputs, engine = _evidence(images, targets, maps), Engine(network, batch_size=40)
    metrics = [Insertion(), Deletion("noise", step=100, seed=3)]
    together = engine.run([m.query_task(inputs, row, engine) for m in metrics for row in range(3)])
    for place, metric in enumerate(metrics):
        for row in (2, 0, 1):
            (alone,) = _measured(metric, network, inputs.rows([row]), batch_size=16)
            assert alone.value == together[3 * place + row].value
        metric.update(inputs, engine)
        assert float(metric.compute()) == pytest.approx(sum(m.value for m in together[3 * place : 3 * place + 3]) / 3)


def test_the_queries_are_those_of_the_curve(network: NetworkClassifier) -> None:
    inputs = _evidence(noise_images(1, 32, 3), torch.tensor([0]), _shuffled_map(32, 32)[None])
    output_geometry: list[tuple[int, int]] = []
    engine = Engine(network, on_batch=lambda count, planned: output_geometry.append((count, planned)))
    engine.run([Insertion(step=100).query_task(inputs, 0, engine)])
    assert output_geometry == [(12, 12)]


def test_the_area_is_the_trapezoids() -> None:
    scores = torch.tensor([0.2, 0.9, 0.4, 0.5])
    assert area_under(scores) == pytest.approx(float(torch.trapezoid(scores, dx=1 / 3)))


@pytest.mark.parametrize("step", [0, -1, 2.5, math.inf, math.nan])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_out_of_range_are_refused(kind: str, step: Any) -> None:
    with pytest.raises(OverpaintError, match=rf"step={step} must be a (whole number of pixels|finite number)"):
        KINDS[kind](step=step)


def test_a_step_beyond_the_image_is_refused(network: NetworkClassifier) -> None:
    inputs = _evidence(noise_images(1, 32, 3), torch.tensor([0]), _shuffled_map(32, 32)[None])
    with pytest.raises(OverpaintError, match=r"step=1025 exceeds the pixels of an image of \(32, 32\)"):
        Insertion(step=1025).update(inputs, Engine(network))
