"""Charts beyond the acceptable variations: the map's places by hand, and pictures that can be read."""

import math

import numpy as np
import pytest
from conftest import pixels_of
from numpy.typing import NDArray

from overpaint.probes.stability import TRANSFORMS
from overpaint.report.plots.patches import (
    PATCH,
    image_patches,
    patch_map,
    principal_coordinates,
    region_patches,
    without_overlap,
)
from overpaint.report.plots.stability import stability_chart


def _picture(content: bytes) -> NDArray[np.int64]:
    return pixels_of(content).astype(int)


def _has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(picture - np.array(colour)).max(-1) < 12).any())


BLUE, VERMILION = (0, 114, 178), (213, 94, 0)


def test_a_patch_is_the_box_of_the_region_at_its_size() -> None:
    image = np.random.default_rng(0).random((2, 3, 40, 50))
    region = np.zeros((40, 50), dtype=bool)
    region[4:36, 10] = region[20, 2:50] = True
    expected = image[:, :, 4:36, 2:50].reshape(2, 3, PATCH[2][0], 2, PATCH[2][1], 3).mean((3, 5))
    np.testing.assert_allclose(region_patches(image, region), expected)
    single = np.zeros((40, 50), dtype=bool)
    single[7, 9] = True
    np.testing.assert_allclose(region_patches(image, single), np.broadcast_to(image[:, :, 7:8, 9:10], (2, 3, 16, 16)))
    assert region_patches(image, np.zeros_like(region)).shape == (0, 3, 16, 16)


def test_principal_coordinates_of_constructed_rows() -> None:
    long, short = np.array([0.6, 0.8, 0.0]), np.array([-0.8, 0.6, 0.0])
    steps = np.array([[5.0, 1.0], [5.0, -1.0], [-5.0, 1.0], [-5.0, -1.0]])
    found = principal_coordinates(7 + steps @ np.stack([long, short]))
    np.testing.assert_allclose(found[:, 0], steps[:, 0], atol=1e-12)
    np.testing.assert_allclose(np.abs(found[:, 1]), 1)
    np.testing.assert_allclose(found[:, 1], -steps[:, 1], atol=1e-12)  # the largest weight, -0.8, becomes positive
    assert not principal_coordinates(np.ones((3, 4))).any()
    np.testing.assert_allclose(principal_coordinates(np.array([[1.0], [3.0]])), [[-1, 0], [1, 0]])


def test_places_that_overlap_are_thinned() -> None:
    places = np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 0.0], [1.5, 0.9], [0.2, 1.0]])
    assert without_overlap(places, (1.0, 1.0)) == [0, 2, 4]


def test_the_map_frames_accepted_and_flipped_patches() -> None:
    images = np.stack([np.full((1, 8, 8), level) for level in (0.0, 0.3, 0.7, 1.0)])
    region = np.zeros((8, 8), dtype=bool)
    region[2:5, 2:6] = True
    accepted, nothing = np.array([True, True, False, False]), np.zeros(4, dtype=bool)
    both = _picture(patch_map([image_patches(images, region, accepted, nothing)], "a class at $5"))
    assert _has(both, BLUE)
    assert _has(both, VERMILION)
    only = _picture(patch_map([image_patches(images, region, accepted, ~accepted)], "a class"))
    assert _has(only, BLUE)
    assert not _has(only, VERMILION)
    empty = _picture(patch_map([image_patches(images, ~region & region, accepted, nothing)], "a class"))
    assert not _has(empty, BLUE)
    assert not _has(_picture(patch_map([], "no image")), BLUE)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_the_chart_of_stability(count: int) -> None:
    names = [f"{key}_ratio_{name}" for key in ("latent", "picture", "best") for name in TRANSFORMS]
    rows = [{name: 0.1 * (i + row) for i, name in enumerate(names)} | {names[0]: None} for row in range(count)]
    drawn = _picture(stability_chart(rows, "a run"))
    assert _has(drawn, BLUE)  # the legend's, at least
    assert _picture(stability_chart([dict.fromkeys(names, math.nan)], "a run")).std() > 1
