"""Retention by hand, for a classifier that looks at the region and for one that looks elsewhere."""

import dataclasses
import math

import pytest
import torch
from conftest import FunctionClassifier
from painted import MAP, REGION, SIDE, bright_region, grey_maker, small_painting
from torch import Tensor

from overpaint.errors import OverpaintError
from overpaint.metrics.retention import Retention
from overpaint.metrics.rows import Evidence, Subject
from overpaint.perturbation.engine import Engine
from overpaint.region import moved_elsewhere
from overpaint.saliency.rise import Rise
from overpaint.types import Classifier
from overpaint.variants import VariantMaker

LEVELS = [0.9, 0.2, 0.1, 0.205, 0.3]  # the fourth is a duplicate of the second
IMAGE = torch.where(REGION, 0.8, 0.0)[None, None]


def _subject(classifier: Classifier, maker: VariantMaker | None) -> Subject:
    return Subject(Rise(), classifier, Engine(classifier), maker)


def _evidence(images: Tensor, maps: Tensor, maker: VariantMaker, targets: list[int]) -> Evidence:
    return Evidence(images, torch.tensor(targets), maps, maker.rule.salient_region(maps))


def test_a_region_that_decides_is_seldom_accepted() -> None:
    maker = grey_maker(LEVELS)
    metric = Retention(count=5)
    (found,) = metric.measure(_evidence(IMAGE, MAP[None], maker, [1]), _subject(bright_region(), maker))
    assert found.value == pytest.approx((1.5 / 5) / (4.5 / 5))  # 1 of 4 in the region, 4 of 4 elsewhere


def test_a_region_that_does_not_decide_is_accepted_more_often() -> None:
    maker = grey_maker(LEVELS)
    hole = moved_elsewhere(REGION[None], MAP[None])[0]
    classifier = FunctionClassifier(lambda images: 0.8 - 0.2 * images[:, 0, hole].mean(1))
    evidence = _evidence(IMAGE, MAP[None], maker, [1])
    (found,) = Retention(count=5).measure(evidence, _subject(classifier, maker))
    assert found.value == pytest.approx((4.5 / 5) / (4.5 / 5))
    classifier = FunctionClassifier(lambda images: 0.65 - images[:, 0, hole].mean(1))
    (found,) = Retention(count=3).measure(evidence, _subject(classifier, maker))
    assert found.value == pytest.approx((3.5 / 4) / (1.5 / 4))  # elsewhere 0.1 alone is accepted


def test_where_nothing_is_accepted_it_stays_finite() -> None:
    maker = grey_maker(LEVELS)
    classifier = FunctionClassifier(lambda images: 0 * images[:, 0, 0, 0])
    (found,) = Retention(count=5).measure(_evidence(IMAGE, MAP[None], maker, [1]), _subject(classifier, maker))
    assert found.value == 1


def test_without_a_generator_or_a_region_it_is_nan_and_left_out_of_the_mean() -> None:
    maker, metric = grey_maker(LEVELS), Retention(count=5)
    images, maps = IMAGE.expand(3, -1, -1, -1), torch.stack([MAP, torch.ones(SIDE, SIDE), MAP.clone()])
    maps[2, 0, 0] = math.nan
    evidence = _evidence(images, maps, maker, [1, 1, 1])
    assert all(math.isnan(m.value) for m in metric.measure(evidence, _subject(bright_region(), None)))
    values = [m.value for m in metric.measure(evidence, _subject(bright_region(), maker))]
    assert values == pytest.approx([1 / 3, math.nan, math.nan], nan_ok=True)
    metric.update(evidence, _subject(bright_region(), maker))
    assert float(metric.compute()) == pytest.approx(1 / 3)


def test_a_row_does_not_see_its_batch() -> None:
    painting = small_painting()
    evidence = Evidence(painting.images, painting.targets, painting.maps, painting.regions)
    subject, metric = _subject(painting.classifier, painting.maker), Retention(count=3)
    together = metric.measure(evidence, subject)
    for row in range(3):
        (alone,) = metric.measure(evidence.rows([row]), subject)
        assert alone.value == pytest.approx(together[row].value, rel=0, abs=0, nan_ok=True)
    assert not math.isnan(together[0].value)


def test_the_subjects_search_is_kept_but_for_its_count() -> None:
    maker = grey_maker([0.9, 0.8, 0.2])
    evidence = _evidence(IMAGE, MAP[None], maker, [1])
    few, more = (Retention(count=n).measure(evidence, _subject(bright_region(), maker))[0].value for n in (2, 3))
    assert few == pytest.approx(1)  # 0.9 and 0.8
    assert more == pytest.approx((2.5 / 4) / (3.5 / 4))
    assert dataclasses.replace(maker.search) == maker.search


def test_a_wrong_count_is_refused() -> None:
    with pytest.raises(OverpaintError, match=r"metrics\.retention\.count=0"):
        Retention(count=0)
