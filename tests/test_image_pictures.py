"""Pictures of maps on one scale, laid over images, with outlines, and of standard errors."""

import numpy as np

from overpaint.report.plots.images import (
    REGION_COLOUR,
    blended,
    colour_scale,
    error_picture,
    largest_of,
    map_picture,
    with_outline,
)


def test_maps_on_one_scale_have_one_colour_for_one_value() -> None:
    small, large = np.array([[0.5, 0.0]]), np.array([[0.5, -1.0]])
    assert largest_of(small) == 0.5
    assert np.array_equal(map_picture(small, 1.0)[0, 0], map_picture(large, 1.0)[0, 0])
    assert not np.array_equal(map_picture(small)[0, 0], map_picture(large)[0, 0])
    assert np.array_equal(colour_scale()[0, -1], map_picture(np.array([[1.0]]))[0, 0])


def test_colours_are_laid_over_a_picture() -> None:
    black, white = np.zeros((2, 2, 3), dtype=np.uint8), np.full((2, 2, 3), 255, dtype=np.uint8)
    assert blended(black, white, 0.0).max() == 0
    assert blended(black, white, 1.0).min() == 255
    assert np.unique(blended(black, white, 0.2)).tolist() == [51]


def test_an_outline_goes_around_a_region_and_leaves_its_inside() -> None:
    region = np.zeros((8, 8), dtype=bool)
    region[2:6, 2:6] = True
    drawn = with_outline(np.zeros((64, 64, 3), dtype=np.uint8), region)
    amber = np.array([int(REGION_COLOUR[i : i + 2], 16) for i in (1, 3, 5)])
    coloured = (drawn == amber).all(2)
    assert coloured[16, 16:48].all()
    assert not coloured[17:47, 17:47].any()
    assert not coloured[:16].any()


def test_errors_go_from_white_to_black() -> None:
    picture = error_picture(np.array([[0.0, 0.5, 1.0, 9.0, np.nan]]), 1.0)
    assert picture[0, :, 0].tolist() == [255, 128, 0, 0, 0]
