"""The charts of a series that the report, W&B, Python and the page share."""

from typing import Any

import numpy as np
import pytest
from conftest import pixels_of
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from numpy.typing import NDArray

from overpaint.report.plots.images import CURVE_SIZE, SHADE, curve_picture
from overpaint.report.plots.series_charts import accepted_chart, change_chart, flipped_chart, map_chart, series_chart
from overpaint.report.plots.series_panels import draw_accepted, draw_change, draw_flipped, draw_method

LENGTH = 32


def _arrays(channels: int = 1) -> dict[str, NDArray[Any]]:
    steps = np.arange(LENGTH)
    image = np.stack([0.5 + 0.4 * np.sin(steps / 4 + channel) for channel in range(channels)])
    region = (steps >= 8) & (steps < 16)
    scale = np.array([[10.0] * channels, [30.0] * channels])
    return {"image": image, "region": region, "scale": scale, "map_m": np.cos(steps / 5), "error_m": 0.1 + 0 * steps}


def _variants(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    images = np.repeat(arrays["image"][None], 5, axis=0)
    images[..., 8:16] += np.linspace(-0.2, 0.2, 5)[:, None, None]
    flags = {"accepted": [True, True, False, False, False], "duplicate": [False, False, False, False, True]}
    return {"images": images, "predictions": np.array([0, 0, 1, 2, 1])} | {k: np.array(v) for k, v in flags.items()}


@pytest.mark.parametrize("channels", [1, 3])
def test_every_chart_is_a_picture(channels: int) -> None:
    arrays, variants = _arrays(channels), _variants(_arrays(channels))
    charts = [
        map_chart(arrays, "m"),
        map_chart(arrays, "m", 3.0),
        series_chart(arrays),
        accepted_chart(arrays, variants, "said"),
        flipped_chart(arrays, variants, ["a", "b", "c"], "said"),
        change_chart(arrays, variants["images"][0], "said"),
    ]
    assert len(set(charts)) == len(charts)
    assert all(pixels_of(content).std() > 1 for content in charts)


def test_maps_on_one_scale_have_its_colours_and_its_axis() -> None:
    figure, arrays = Figure(), _arrays()
    draw_method(figure, GridSpec(1, 1, figure=figure)[0], arrays, "m", 4.0)
    curve, strip, band = figure.axes
    assert strip.images[0].get_clim() == (-4, 4)
    assert curve.collections[0].get_clim() == (-4, 4)
    assert band.get_ylim() == pytest.approx((-4.2, 4.2))
    assert curve.get_title() == "m · salient region 25%"
    np.testing.assert_allclose(curve.lines[0].get_ydata(), 10 + 20 * arrays["image"][0])


def test_duplicates_are_left_out_and_flipped_ones_are_coloured_by_class() -> None:
    arrays, variants = _arrays(), _variants(_arrays())
    left, right = Figure().subplots(1, 2)
    draw_accepted(left, arrays, variants, "")
    draw_flipped(right, arrays, variants, ["a", "b", "c"], "")
    assert len(left.lines) == 2 + 1  # and the series
    assert len(right.lines) == 2 + 1
    assert len({line.get_color() for line in right.lines}) == 3
    legend = right.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["b", "c"]


def test_a_change_is_drawn_around_0_for_each_channel() -> None:
    axes = Figure().add_subplot()
    draw_change(axes, np.array([[1.0, -1.0], [0.5, 0.0]]))
    assert [line.get_ydata().tolist() for line in axes.lines[1:]] == [[1, -1], [0.5, 0]]  # type: ignore[union-attr]


def test_a_small_curve_has_its_region_shaded_and_what_it_varies_behind_it() -> None:
    series, region = np.full((1, 4), 0.5), np.array([False, True, False, False])
    picture = curve_picture(series, region=region)
    assert picture.shape == (*CURVE_SIZE, 3)
    amber = np.rint(255 * np.array(to_rgb(SHADE))).astype(int)
    width = CURVE_SIZE[1]
    assert picture[2, width * 3 // 8].tolist() == amber.tolist()
    assert picture[2, width // 8].tolist() == picture[2, width * 7 // 8].tolist() == [255, 255, 255]
    with_grey = curve_picture(series, np.full((1, 4), 1.0))
    (rows,) = np.nonzero((with_grey[:, width // 2] < 250).any(1))
    assert (rows < CURVE_SIZE[0] // 4).any()
    assert (rows > CURVE_SIZE[0] // 4).any()
    assert curve_picture(series, times=2).shape == (2 * CURVE_SIZE[0], 2 * width, 3)
    np.testing.assert_array_equal(curve_picture(10 * series, ends=(0.0, 10.0)), curve_picture(series))
