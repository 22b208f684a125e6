"""Average drop and increase against their closed forms, a slow twin, and maps without contrast."""

import math
from typing import Any

import pytest
import torch
from conftest import FunctionClassifier, noise_images
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.metrics.average_drop import AverageDrop, Increase, unit_range
from overpaint.metrics.base import MetricInputs, QueryMetric
from overpaint.perturbation.engine import Engine


def _left(dimensions: int = 2) -> Tensor:
    """1 on the left half of an image or a series."""
    return (torch.arange(8).expand([8] * dimensions) < 4).float()


def _evidence(images: Tensor, maps: Tensor, target: int = 1) -> MetricInputs:
    return MetricInputs(images, torch.full((len(maps),), target), maps, torch.zeros_like(maps, dtype=torch.bool))


def _values(metric: QueryMetric, classifier: Any, inputs: MetricInputs) -> list[float]:
    engine = Engine(classifier)
    asked = [metric.query_task(inputs, row, engine) for row in range(len(inputs.maps))]
    return [measured.value for measured in engine.run(asked)]


def _left_less_right(dimensions: int = 2) -> FunctionClassifier:
    """0.5, more for what is seen on the left, less for what is seen on the right."""

    def score(images: Tensor) -> Tensor:
        left, right = (half.flatten(1).mean(1) for half in (images[:, 0, ..., :4], images[:, 0, ..., 4:]))
        return 0.5 + 0.3 * left - 0.2 * right

    return FunctionClassifier(score, dimensions=dimensions)


def test_a_linear_classifier_has_known_values(dimensions: int) -> None:
    """White over black: Y = .6; the left alone has .8, the right alone .3, and the whole at half strength .55."""
    left, classifier = _left(dimensions), _left_less_right(dimensions)
    spread = torch.where(torch.arange(8).expand(left.shape) % 2 == 0, 1.0, 0.0)
    inputs = _evidence(torch.ones(3, 1, *left.shape), torch.stack([left, -3 * left, 5 * spread - 9]))
    drops, increases = (_values(metric, classifier, inputs) for metric in (AverageDrop(), Increase()))
    assert drops == pytest.approx([0, 0.3 / 0.6, 0.05 / 0.6], abs=1e-6)
    assert increases == [1, 0, 0]


def test_the_mean_over_rows_is_the_papers_rate(dimensions: int) -> None:
    left, engine = _left(dimensions), Engine(_left_less_right(dimensions))
    inputs = _evidence(torch.ones(2, 1, *left.shape), torch.stack([left, -left]))
    for metric, expected in ((AverageDrop(), 0.25), (Increase(), 0.5)):
        metric.update(inputs, engine)
        assert float(metric.compute()) == pytest.approx(expected)


@pytest.mark.parametrize("baseline", ["black", "mean"])
def test_equals_a_pixel_by_pixel_twin(network: NetworkClassifier, baseline: Any) -> None:
    images, rng = noise_images(3, 32, 3), torch.Generator().manual_seed(1)
    maps = torch.randn(3, 32, 32, generator=rng)
    fill = [0.0] * 3 if baseline == "black" else network.mean.flatten().tolist()
    drops = _values(AverageDrop(baseline), network, _evidence(images, maps, 2))
    increases = _values(Increase(baseline), network, _evidence(images, maps, 2))
    for image, saliency, drop, increase in zip(images, maps, drops, increases, strict=True):
        low, high = float(saliency.min()), float(saliency.max())
        left = image.clone()
        for row in range(32):
            for column in range(32):
                keep = (float(saliency[row, column]) - low) / (high - low)
                for channel in range(3):
                    value = float(image[channel, row, column])
                    left[channel, row, column] = fill[channel] + keep * (value - fill[channel])
        before, after = (float(network.scores(x[None])[0, 2]) for x in (image, left))
        assert drop == pytest.approx(max(0.0, before - after) / before, abs=1e-5)
        assert increase == float(after > before)


def test_shift_and_scale_of_a_map_do_not_matter() -> None:
    maps = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(unit_range(1e-20 * maps), unit_range(maps))
    torch.testing.assert_close(unit_range(8 * maps - 40), unit_range(maps), rtol=0, atol=1e-5)
    assert float(unit_range(maps).min()) == 0
    assert float(unit_range(maps).max()) == 1


def test_a_flat_or_broken_map_leaves_nothing_and_is_no_increase() -> None:
    """The classifier prefers black, but maps that point nowhere get no credit for that."""
    darkness = FunctionClassifier(lambda images: 1 - 0.5 * images[:, 0].mean((1, 2)))
    brightness = FunctionClassifier(lambda images: images[:, 0].mean((1, 2)))
    broken = _left()
    broken[0, 0] = torch.inf
    inputs = _evidence(torch.ones(2, 1, 8, 8), torch.stack([torch.full((8, 8), 0.4), broken]))
    assert _values(AverageDrop(), brightness, inputs) == [1, 1]
    assert _values(Increase(), brightness, inputs) == [0, 0]
    assert _values(Increase(), darkness, inputs) == [0, 0]
    assert _values(Increase(), darkness, _evidence(torch.ones(1, 1, 8, 8), _left()[None])) == [1]


def test_a_score_of_nothing_can_not_drop() -> None:
    blind = FunctionClassifier(lambda images: torch.zeros(len(images)))
    inputs = _evidence(torch.ones(1, 1, 8, 8), _left()[None])
    assert math.isnan(_values(AverageDrop(), blind, inputs)[0])
    assert _values(Increase(), blind, inputs) == [0]
    metric, engine = AverageDrop(), Engine(_left_less_right())
    metric.update(inputs, Engine(blind))
    metric.update(_evidence(torch.ones(1, 1, 8, 8), -_left()[None]), engine)
    assert float(metric.compute()) == pytest.approx(0.5)  # the row that can't be measured is left out


def test_one_dimension_works() -> None:
    classifier = FunctionClassifier(lambda x: x[:, 0, 2:4].mean(1), dimensions=1)
    saliency = torch.tensor([0.0, 1, 4, 3, 1, 0])
    (drop,) = _values(AverageDrop(), classifier, _evidence(torch.ones(1, 1, 6), saliency[None]))
    assert drop == pytest.approx(1 / 8)


def test_a_baseline_of_noise_has_a_seed(network: NetworkClassifier) -> None:
    inputs = _evidence(noise_images(1, 32, 3), torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0)))
    one, again, other = (_values(AverageDrop("noise", seed=s), network, inputs) for s in (1, 1, 2))
    assert one == again != other
