"""The chart of diversity against fit; what it draws is read back from matplotlib's objects."""

import numpy as np
import pytest
from conftest import pixels_of
from matplotlib.figure import Figure

from overpaint.probes.diversity import Diversity
from overpaint.report.plots.diversity import diversity_chart, mean_diversity_chart
from overpaint.report.plots.intervals import Numbers

SETTINGS = Diversity(values=[0.5, 0.0]).settings

NAMES = ("loss", "diversity", "distinct_fraction", "acceptance_rate")


def _numbers(scale: float) -> Numbers:
    """Those of 0.5 before those of 0, as they might be stored."""
    values = {"0.5": (0.04, 0.2, 1.0, 0.5), "0": (0.02, 0.1, 0.5, 0.75)}
    return {f"{n}_{v}": scale * number for v, own in values.items() for n, number in zip(NAMES, own, strict=True)}


def test_the_trade_of_an_image_and_its_variants(drawn: list[Figure]) -> None:
    arrays = {f"variants_{value}": np.random.default_rng(0).random((3, 1, 8, 8)) for value in ("0", "0.5")}
    with_pictures = pixels_of(diversity_chart(SETTINGS, _numbers(1), arrays, "an image at $5"))
    without = pixels_of(diversity_chart(SETTINGS, _numbers(1), {}, "an image"))
    assert len(without) < len(with_pictures)
    trade, shares, *strips = drawn[0].get_axes()
    np.testing.assert_allclose(trade.lines[0].get_xydata(), [[0.02, 0.1], [0.04, 0.2]])
    assert [text.get_text() for text in trade.texts] == ["0", "0.5"]
    assert [float(bar.get_height()) for bar in shares.patches] == [0.5, 1.0, 0.75, 0.5]
    assert [axes.get_ylabel() for axes in strips] == ["0", "0.5"]


def test_means_over_images_leave_flat_maps_out(drawn: list[Figure]) -> None:
    rows = [_numbers(0.5), _numbers(1.0), dict.fromkeys(_numbers(1))]
    pixels_of(mean_diversity_chart(SETTINGS, rows, "images"))
    trade, _ = drawn[0].get_axes()
    np.testing.assert_allclose(trade.lines[0].get_xydata(), [[0.015, 0.075], [0.03, 0.15]])


@pytest.mark.parametrize("rows", [[], [dict.fromkeys(_numbers(1))]])
def test_a_chart_of_nothing(rows: list[Numbers], drawn: list[Figure]) -> None:
    pixels_of(mean_diversity_chart(SETTINGS, rows, "nothing"))
    pixels_of(diversity_chart(SETTINGS, dict.fromkeys(_numbers(1)), {}, "nothing"))
    assert not drawn[0].get_axes()[0].texts
