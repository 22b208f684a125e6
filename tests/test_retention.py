"""Retention by hand, for a classifier that looks at the region and for one that looks elsewhere."""

import dataclasses
import math

import pytest
import torch
from conftest import FunctionClassifier
from probe_inputs import MAP, REGION, SIDE, bright_region, grey_inpainter, small_probe_inputs
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.region import moved_elsewhere
from overpaint.metrics.base import MetricContext, MetricInputs
from overpaint.metrics.retention import Retention
from overpaint.perturbation.engine import Engine
from overpaint.saliency.rise import Rise

LEVELS = [0.9, 0.2, 0.1, 0.205, 0.3]  # the fourth is a duplicate of the second
IMAGE = torch.where(REGION, 0.8, 0.0)[None, None]


def _subject(classifier: Classifier, inpainter: Inpainter | None) -> MetricContext:
    return MetricContext(Rise(), classifier, Engine(classifier), inpainter)


def _evidence(images: Tensor, maps: Tensor, inpainter: Inpainter, targets: list[int]) -> MetricInputs:
    return MetricInputs(images, torch.tensor(targets), maps, inpainter.rule.salient_region(maps))


def test_a_region_that_decides_is_seldom_accepted() -> None:
    inpainter = grey_inpainter(LEVELS)
    metric = Retention(num_variants=5)
    (found,) = metric.measure(_evidence(IMAGE, MAP[None], inpainter, [1]), _subject(bright_region(), inpainter))
    assert found.value == pytest.approx((1.5 / 5) / (4.5 / 5))  # 1 of 4 in the region, 4 of 4 elsewhere


def test_a_region_that_does_not_decide_is_accepted_more_often() -> None:
    inpainter = grey_inpainter(LEVELS)
    hole = moved_elsewhere(REGION[None], MAP[None])[0]
    classifier = FunctionClassifier(lambda images: 0.8 - 0.2 * images[:, 0, hole].mean(1))
    inputs = _evidence(IMAGE, MAP[None], inpainter, [1])
    (found,) = Retention(num_variants=5).measure(inputs, _subject(classifier, inpainter))
    assert found.value == pytest.approx((4.5 / 5) / (4.5 / 5))
    classifier = FunctionClassifier(lambda images: 0.65 - images[:, 0, hole].mean(1))
    (found,) = Retention(num_variants=3).measure(inputs, _subject(classifier, inpainter))
    assert found.value == pytest.approx((3.5 / 4) / (1.5 / 4))  # elsewhere 0.1 alone is accepted


def test_where_nothing_is_accepted_it_stays_finite() -> None:
    inpainter = grey_inpainter(LEVELS)
    classifier = FunctionClassifier(lambda images: 0 * images[:, 0, 0, 0])
    (found,) = Retention(num_variants=5).measure(
        _evidence(IMAGE, MAP[None], inpainter, [1]), _subject(classifier, inpainter)
    )
    assert found.value == 1


def test_without_a_generator_or_a_region_it_is_nan_and_left_out_of_the_mean() -> None:
    inpainter, metric = grey_inpainter(LEVELS), Retention(num_variants=5)
    images, maps = IMAGE.expand(3, -1, -1, -1), torch.stack([MAP, torch.ones(SIDE, SIDE), MAP.clone()])
    maps[2, 0, 0] = math.nan
    inputs = _evidence(images, maps, inpainter, [1, 1, 1])
    assert all(math.isnan(m.value) for m in metric.measure(inputs, _subject(bright_region(), None)))
    values = [m.value for m in metric.measure(inputs, _subject(bright_region(), inpainter))]
    assert values == pytest.approx([1 / 3, math.nan, math.nan], nan_ok=True)
    metric.update(inputs, _subject(bright_region(), inpainter))
    assert float(metric.compute()) == pytest.approx(1 / 3)


def test_a_row_does_not_see_its_batch() -> None:
    painted = small_probe_inputs()
    inputs = MetricInputs(painted.images, painted.targets, painted.maps, painted.regions)
    context, metric = _subject(painted.classifier, painted.inpainter), Retention(num_variants=3)
    together = metric.measure(inputs, context)
    for row in range(3):
        (alone,) = metric.measure(inputs.rows([row]), context)
        assert alone.value == pytest.approx(together[row].value, rel=0, abs=0, nan_ok=True)
    assert not math.isnan(together[0].value)


def test_the_subjects_search_is_kept_but_for_its_count() -> None:
    inpainter = grey_inpainter([0.9, 0.8, 0.2])
    inputs = _evidence(IMAGE, MAP[None], inpainter, [1])
    few, more = (
        Retention(num_variants=n).measure(inputs, _subject(bright_region(), inpainter))[0].value for n in (2, 3)
    )
    assert few == pytest.approx(1)  # 0.9 and 0.8
    assert more == pytest.approx((2.5 / 4) / (3.5 / 4))
    assert dataclasses.replace(inpainter.search) == inpainter.search


def test_a_wrong_count_is_refused() -> None:
    with pytest.raises(OverpaintError, match=r"Retention\.num_variants=0"):
        Retention(num_variants=0)
