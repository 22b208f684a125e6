"""Localisation against closed forms, slow twins, and the misses that must not count as hits."""

import itertools
from collections.abc import Callable

import pytest
import torch
from scipy import ndimage
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.base import MapMetric, MetricInputs
from overpaint.metrics.localisation import (
    BestIou,
    EnergyInside,
    EqualAreaIou,
    Iou,
    PointingGame,
    best_iou,
    energy_inside,
    equal_area_iou,
    iou,
    pointing_game,
)

ALL: dict[str, Callable[[], MapMetric]] = {
    "pointing_game": PointingGame,
    "energy_inside": EnergyInside,
    "iou": Iou,
    "best_iou": BestIou,
    "equal_area_iou": EqualAreaIou,
}
every_metric = pytest.mark.parametrize("name", ALL)


def _box(top: int, left: int, height: int = 8, width: int = 8, side: int = 32) -> Tensor:
    box = torch.zeros(1, side, side, dtype=torch.bool)
    box[:, top : top + height, left : left + width] = True
    return box


def _evidence(maps: Tensor, objects: Tensor | None, rule: RegionRule | None = None) -> MetricInputs:
    regions = (rule or RegionRule(fraction=64 / 1024)).salient_region(maps)
    rows, space = len(maps), maps.shape[1:]
    return MetricInputs(torch.zeros(rows, 1, *space), torch.zeros(rows).long(), maps, regions, ground_truth=objects)


def _value(name: str, maps: Tensor, objects: Tensor | None) -> float:
    metric = ALL[name]()
    metric.update(_evidence(maps, objects))
    return float(metric.compute())


def _noise(rows: int, side: int = 12, levels: int | None = None, seed: int = 0) -> Tensor:
    """Maps of noise; with a number of levels they have many ties."""
    draws = torch.rand(rows, side, side, generator=torch.Generator().manual_seed(seed))
    return draws if levels is None else (draws * levels).floor()


def _blobs(rows: int, side: int = 12, seed: int = 1) -> Tensor:
    objects = _noise(rows, side, seed=seed) > 0.8
    objects[:, 3, 4] = True
    return objects


@every_metric
def test_a_map_that_is_the_object_is_perfect(name: str) -> None:
    objects = torch.cat([_box(4, 20), _box(10, 3)])
    assert _value(name, objects.float(), objects) == 1.0


INVERTED = {"pointing_game": 0.0, "energy_inside": 0.0, "iou": 0.0, "best_iou": 64 / 1024, "equal_area_iou": 0.0}


@every_metric
def test_the_inverted_map_is_as_wrong_as_can_be(name: str) -> None:
    objects = _box(14, 14)
    assert _value(name, 1 - objects.float(), objects) == pytest.approx(INVERTED[name])


@pytest.mark.parametrize("shift", [1, 4, 6])
def test_a_shifted_box_overlaps_by_what_is_left_of_it(shift: int) -> None:
    objects, maps = _box(8, 8), _box(8, 8 + shift).float()
    left = 8 * (8 - shift)
    assert _value("energy_inside", maps, objects) == pytest.approx(left / 64)
    for name in ("iou", "best_iou", "equal_area_iou"):
        assert _value(name, maps, objects) == pytest.approx(left / (128 - left))


@every_metric
def test_an_object_that_is_the_whole_image(name: str) -> None:
    expected = 64 / 1024 if name == "iou" else 1.0  # its region has the size that the rule gives it
    assert _value(name, _noise(1, 32), torch.ones(1, 32, 32, dtype=torch.bool)) == pytest.approx(expected)


def test_energy_counts_negative_values_as_nothing() -> None:
    objects = _box(0, 0, 1, 2, 4)
    maps = torch.full((1, 4, 4), -1.0)
    maps[0, 0, 0], maps[0, 3, 3] = 3.0, 1.0
    assert energy_inside(maps, objects).tolist() == [0.75]
    assert energy_inside(-maps.abs(), objects).tolist() == [0.0]


def test_pointing_game_is_the_distance_to_the_object() -> None:
    """The slow twin asks scipy how far each pixel lies from the object."""
    maps, objects = _noise(60, 24, seed=2), _noise(60, 24, seed=3) > 0.985
    for tolerance in (0.0, 1.0, 2.5, 0.1, 0.3):
        reach = tolerance * 24 if tolerance < 1 else tolerance
        expected = [
            float(ndimage.distance_transform_edt(~own.numpy()).flat[int(one.argmax())] <= reach)
            for one, own in zip(maps, objects, strict=True)
        ]
        assert 0 < sum(expected) < 60 or tolerance == 0
        assert pointing_game(maps, objects, tolerance).tolist() == expected


def test_pointing_game_in_one_and_three_dimensions() -> None:
    line, objects = torch.zeros(2, 20), torch.zeros(2, 20, dtype=torch.bool)
    line[0, 7], line[1, 8], objects[:, 3:6] = 1, 1, True
    assert pointing_game(line, objects, 2.0).tolist() == [1.0, 0.0]
    cube, corner = torch.zeros(1, 4, 5, 6), torch.zeros(1, 4, 5, 6, dtype=torch.bool)
    cube[0, 1, 1, 1], corner[0, 0, 0, 0] = 1, True
    assert pointing_game(cube, corner, 1.8).tolist() == [1.0]  # the square root of 3
    assert pointing_game(cube, corner, 1.7).tolist() == [0.0]


def test_the_default_tolerance_is_15_of_224_pixels() -> None:
    maps, objects = torch.zeros(2, 224, 224), torch.zeros(2, 224, 224, dtype=torch.bool)
    objects[:, 100, 100] = True
    maps[0, 100, 115], maps[1, 100, 116] = 1.0, 1.0
    metric = PointingGame()
    metric.update(_evidence(maps, objects))
    assert torch.cat(metric.values).tolist() == [1.0, 0.0]


def test_of_several_peaks_the_first_in_reading_order_counts() -> None:
    maps = torch.zeros(1, 8, 8)
    maps[0, 2, 6] = maps[0, 5, 1] = 1.0
    first, second = _box(2, 6, 1, 1, 8), _box(5, 1, 1, 1, 8)
    assert pointing_game(maps, first, 0.0).tolist() == [1.0]
    assert pointing_game(maps, second, 0.0).tolist() == [0.0]


def _iou_by_hand(region: Tensor, own: Tensor) -> float:
    return float((region & own).sum() / (region | own).sum())


@pytest.mark.parametrize("levels", [None, 5, 2])
def test_best_iou_is_the_best_of_every_threshold(levels: int | None) -> None:
    maps, objects = _noise(20, levels=levels), _blobs(20)
    expected = [max(_iou_by_hand(one >= t, own) for t in one.unique()) for one, own in zip(maps, objects, strict=True)]
    torch.testing.assert_close(best_iou(maps, objects).float(), torch.tensor(expected))


def test_best_iou_takes_ties_together() -> None:
    """By reading order the object's four pixels come first; no threshold can tell them from the other twelve."""
    maps = torch.zeros(1, 4, 5)
    maps[0, :, :4] = 1
    objects = torch.zeros(1, 4, 5, dtype=torch.bool)
    objects[0, 0, :4] = True
    assert best_iou(maps, objects).tolist() == [4 / 16]
    assert equal_area_iou(maps, objects).tolist() == [1.0]


@pytest.mark.parametrize("levels", [None, 3])
def test_equal_area_iou_is_that_of_as_many_pixels(levels: int | None) -> None:
    maps, objects = _noise(20, levels=levels), _blobs(20)
    expected = []
    for one, own in zip(maps, objects, strict=True):
        order = sorted(range(144), key=lambda i: -float(one.flatten()[i]))  # sorted keeps the order of equal ones
        region = torch.zeros(144, dtype=torch.bool)
        region[order[: int(own.sum())]] = True
        expected.append(_iou_by_hand(region.reshape(12, 12), own))
    torch.testing.assert_close(equal_area_iou(maps, objects).float(), torch.tensor(expected))


@pytest.mark.parametrize("name", [name for name in ALL if name != "energy_inside"])
@pytest.mark.parametrize("rescaling", [lambda m: 100 * m - 7, lambda m: (m * 3).exp(), lambda m: -1 / (m + 0.5)])
def test_only_the_order_of_the_values_counts(name: str, rescaling: Callable[[Tensor], Tensor]) -> None:
    maps, objects = _noise(8, 32, levels=50) / 50, _blobs(8, 32)
    assert _value(name, rescaling(maps), objects) == _value(name, maps, objects)


def test_energy_keeps_under_a_factor_and_not_under_an_offset() -> None:
    maps, objects = _noise(8, 32), _blobs(8, 32)
    assert _value("energy_inside", 64 * maps, objects) == _value("energy_inside", maps, objects)
    assert _value("energy_inside", 1 + maps, objects) != _value("energy_inside", maps, objects)


def _pointless() -> Tensor:
    """Maps without contrast or with values that are not finite, brightest on the object where they can be."""
    maps = torch.cat([torch.zeros(1, 32, 32), torch.ones(1, 32, 32), *[_box(0, 0).float() for _ in range(3)]])
    maps[2, 20, 20], maps[3, 0, 0], maps[4] = torch.nan, torch.inf, torch.nan
    return maps


@every_metric
def test_a_map_that_points_nowhere_is_a_miss(name: str) -> None:
    objects = _box(0, 0).expand(5, -1, -1)
    metric = ALL[name]()
    metric.update(_evidence(_pointless(), objects))
    assert torch.cat(metric.values).tolist() == [0.0] * 5
    everything = torch.ones(5, 32, 32, dtype=torch.bool)
    assert _value(name, _pointless(), everything) == 0.0


def test_the_functions_know_pointless_maps_by_themselves() -> None:
    objects = _box(0, 0).expand(5, -1, -1)
    for function in (best_iou, equal_area_iou, energy_inside, lambda m, o: pointing_game(m, o, 0.1)):
        assert function(_pointless(), objects).tolist() == [0.0] * 5
    assert iou(torch.zeros(1, 32, 32, dtype=torch.bool), _box(0, 0)).tolist() == [0.0]


def test_a_region_of_a_flat_map_is_no_hit() -> None:
    metric, box = Iou(), _box(0, 0)
    metric.update(
        MetricInputs(torch.zeros(1, 1, 32, 32), torch.tensor([0]), torch.ones(1, 32, 32), box, ground_truth=box)
    )
    assert float(metric.compute()) == 0.0


@every_metric
def test_where_nothing_is_annotated_nothing_is_measured(name: str) -> None:
    none = torch.zeros(1, 32, 32, dtype=torch.bool)
    for maps in (_noise(1, 32), *_pointless().split(1)):
        assert torch.isnan(torch.tensor(_value(name, maps, none)))
        assert torch.isnan(torch.tensor(_value(name, maps, None)))
    metric, box = ALL[name](), _box(14, 14)
    metric.update(_evidence(torch.cat([box.float(), _noise(1, 32)]), torch.cat([box, none])))
    assert torch.cat(metric.values).isnan().tolist() == [False, True]
    assert float(metric.compute()) == 1.0


@every_metric
def test_a_row_does_not_depend_on_the_others(name: str) -> None:
    maps, objects = _noise(6, 32, levels=9), _blobs(6, 32)
    together, apart = ALL[name](), ALL[name]()
    together.update(_evidence(maps, objects))
    for i, j in itertools.pairwise(range(7)):
        apart.update(_evidence(maps[i:j], objects[i:j]))
    assert torch.equal(torch.cat(together.values), torch.cat(apart.values))


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(OverpaintError, match=r"PointingGame.tolerance=-0.1 must not be negative"):
        PointingGame(tolerance=-0.1)
