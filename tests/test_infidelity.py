"""Infidelity against its formula with the same squares, and maps whose infidelity is known."""

import math
from collections.abc import Callable

import pytest
import torch
from conftest import FunctionClassifier, noise_images
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.metrics.base import MetricContext, MetricInputs
from overpaint.metrics.infidelity import Infidelity
from overpaint.perturbation.baselines import baseline_image
from overpaint.perturbation.engine import Engine
from overpaint.saliency.rise import Rise

WEIGHTS = noise_images(1, 16, seed=7)[0, 0] / 256
LINEAR = FunctionClassifier(lambda images: (images[:, 0] * WEIGHTS).sum((1, 2)))
IMAGE = noise_images(1, 16)


def _evidence(images: Tensor, targets: list[int], maps: Tensor) -> MetricInputs:
    return MetricInputs(images, torch.tensor(targets), maps, torch.zeros_like(maps, dtype=torch.bool))


def _values(
    metric: Infidelity, classifier: FunctionClassifier | NetworkClassifier, inputs: MetricInputs
) -> list[float]:
    context = MetricContext(Rise(), classifier, Engine(classifier, batch_size=8))
    return [measured.value for measured in metric.measure(inputs, context)]


def _written_out(metric: Infidelity, classifier: NetworkClassifier, image: Tensor, target: int, own: Tensor) -> float:
    """The formula, square by square."""
    squares = metric.squares_of(image)
    fill = baseline_image(metric.baseline, classifier, image, metric.seed)
    sums, changes = [], []
    for start, stop in zip(squares.starts.tolist(), squares.stops.tolist(), strict=True):
        box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        removed = image.clone()
        removed[:, *box] = fill[:, *box]
        scores = classifier.scores(torch.stack([image, removed]))[:, target].double()
        changes.append(float(scores[0] - scores[1]))
        sums.append(float(own[box].double().sum()))
    predicted, change = torch.tensor(sums).double(), torch.tensor(changes).double()
    factor = (predicted * change).mean() / predicted.square().mean()
    return float((factor * predicted - change).square().mean())


@pytest.mark.parametrize("baseline", ["mean", "noise"])
def test_it_is_the_formula_for_each_class_of_each_image(baseline: str, network: NetworkClassifier) -> None:
    metric = Infidelity(samples=20, squares=[4, 0.5], baseline=baseline, seed=3)  # type: ignore[arg-type]
    images = noise_images(2, 32, 3).repeat_interleave(2, 0)
    targets, maps = [0, 2, 3, 1], noise_images(4, 32, seed=5)[:, 0] - 0.3
    found = _values(metric, network, _evidence(images, targets, maps))
    expected = [_written_out(metric, network, *row) for row in zip(images, targets, maps, strict=True)]
    assert found == pytest.approx(expected, rel=1e-4)
    assert min(expected) > 0


def test_the_contributions_of_a_linear_classifier_are_right_in_any_unit() -> None:
    contributions = IMAGE[:, 0] * WEIGHTS
    nothing, right, scaled, turned, wrong = (
        _values(Infidelity(), LINEAR, _evidence(IMAGE, [1], maps))[0]
        for maps in (torch.zeros(1, 16, 16), contributions, 1e-22 * contributions, -contributions, IMAGE[:, 0].flip(1))
    )
    assert right < 1e-9 * nothing
    assert scaled < 1e-9 * nothing
    assert turned < 1e-9 * nothing
    assert 1e-3 * nothing < wrong < nothing


@pytest.mark.parametrize("flat", [0.0, 0.7, math.nan])
def test_a_flat_map_has_that_of_explaining_nothing(flat: float) -> None:
    metric = Infidelity(samples=30)
    found = _values(metric, LINEAR, _evidence(IMAGE, [1], torch.full((1, 16, 16), flat)))
    masks = metric.squares_of(IMAGE[0]).masks(slice(None))
    changes = LINEAR.scores(IMAGE)[:, 1] - LINEAR.scores(IMAGE * masks[:, None])[:, 1]
    assert found == pytest.approx([float(changes.square().mean())])


def test_squares_lie_everywhere_inside_and_have_the_sides_asked_for() -> None:
    image = noise_images(1, 16)[0, :, :8]
    squares = Infidelity(samples=2000, squares=[3, 0.25]).squares_of(image)
    sides = squares.stops - squares.starts
    assert sorted(set(map(tuple, sides.tolist()))) == [(2, 4), (3, 3)]
    assert squares.starts.amin(0).tolist() == [0, 0]
    assert squares.stops.amax(0).tolist() == [8, 16]
    first = squares.starts[sides[:, 0] == 3][:, 0]
    assert torch.bincount(first).float().std() < 0.15 * len(first) / 6  # 6 places, as likely


def test_squares_belong_to_the_image_and_the_seed() -> None:
    starts: Callable[[int, Tensor], list[list[int]]] = lambda seed, image: (  # noqa: E731
        Infidelity(samples=10, seed=seed).squares_of(image).starts.tolist()
    )
    assert starts(0, IMAGE[0]) == starts(0, IMAGE[0])
    assert starts(0, IMAGE[0]) != starts(1, IMAGE[0])
    assert starts(0, IMAGE[0]) != starts(0, IMAGE[0].flip(1))


def test_a_series_is_measured_too() -> None:
    weights = torch.linspace(0, 0.05, 20)
    series = FunctionClassifier(lambda images: (images[:, 0] * weights).sum(1), dimensions=1)
    images = torch.ones(1, 1, 20)
    right, wrong = (
        _values(Infidelity(), series, _evidence(images, [1], maps[None])) for maps in (weights, weights.flip(0))
    )
    assert right[0] < 1e-9 < 1e-4 < wrong[0]


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OverpaintError, match=r"Infidelity\.samples=0 must be at least 1"):
        Infidelity(samples=0)
    with pytest.raises(OverpaintError, match=r"squares=\[-1\]"):
        Infidelity(squares=[-1])
    with pytest.raises(OverpaintError, match="infidelity: squares=17 must be"):
        _values(Infidelity(squares=[17]), LINEAR, _evidence(IMAGE, [1], IMAGE[:, 0]))
