"""Charts of probes; what they draw is read back from matplotlib's objects."""

import numpy as np
import pytest
from conftest import pixels_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from overpaint.probes.region_size_sweep import RegionSizeSweep
from overpaint.report.plots.controls import CONTROLS, controls_chart
from overpaint.report.plots.intervals import Numbers
from overpaint.report.plots.region_sizes import mean_sizes_chart, sizes_chart
from overpaint.report.plots.style import DPI, WIDTH

SIZES = RegionSizeSweep(fractions=[0.5, 1.0, 0.9]).settings
SIZE_NUMBERS = ("acceptance_rate", "accepted", "different", "confidence", "loss", "loss_deviation")


def _is_chart(content: bytes) -> None:
    assert pixels_of(content).shape[1] == WIDTH * DPI


def _size_numbers(*columns: tuple[float | None, ...]) -> Numbers:
    """The numbers of each size, one size after the other, the larger ones first."""
    pairs = zip(SIZES, columns, strict=True)
    return {f"{n}_{p}": v for p, column in reversed(list(pairs)) for n, v in zip(SIZE_NUMBERS, column, strict=True)}


ROW = _size_numbers((0.75, 3, 4, 0.9, 0.02, 0.01), (0.5, 2, 4, 0.8, 0.04, 0.02), (0.0, 0, 4, None, 0.05, 0.0))
OTHER = _size_numbers((0.25, 1, 4, 0.7, 0.04, 0.01), (0.5, 2, 4, 0.6, 0.04, 0.02), (0.0, 0, 4, None, 0.05, 0.0))
FLAT = dict.fromkeys(ROW)


def _heights(axes: Axes) -> list[float]:
    return [float(bar.get_height()) for bar in axes.patches]


def test_the_sizes_of_an_image(drawn: list[Figure]) -> None:
    _is_chart(sizes_chart(SIZES, ROW, {"losses_50": np.array([0.01, 0.03])}, "an image at $5"))
    upper, lower = drawn[0].axes
    assert _heights(upper) == [4, 4, 4, 3, 2, 0]
    assert [text.get_text() for text in upper.texts] == ["90.0%", "80.0%", "none accepted"]
    assert [label.get_text() for label in lower.get_xticklabels()] == ["50 %", "90 %", "100 %"]
    assert lower.collections[0].get_offsets()[:, 1].tolist() == [0.01, 0.03]


def test_the_mean_over_images_leaves_flat_maps_out(drawn: list[Figure]) -> None:
    _is_chart(mean_sizes_chart(SIZES, [ROW, OTHER, FLAT], "images"))
    upper, lower = drawn[0].axes
    assert _heights(upper) == pytest.approx([0.5, 0.5, 0])
    assert [text.get_text() for text in upper.texts] == ["80.0%", "70.0%", "none accepted"]
    points = next(c for c in lower.collections if len(c.get_offsets()) == 3)
    assert points.get_offsets()[:, 1].tolist() == pytest.approx([0.03, 0.04, 0.05])


def _control_numbers(rate: float, decisive: float | None) -> dict[str, float | None]:
    rates: dict[str, float | None] = {f"acceptance_rate_{name}": rate / (i + 1) for i, name in enumerate(CONTROLS)}
    return rates | {f"score_{name}": 0.5 for name in CONTROLS} | {"decisive": decisive}


def test_controls_beside_the_variants(drawn: list[Figure]) -> None:
    first, second = _control_numbers(0.9, 1.0), _control_numbers(0.7, 0.0)
    first["acceptance_rate_patch"] = second["acceptance_rate_patch"] = None
    _is_chart(controls_chart([first, second, dict.fromkeys(first)], "images"))
    axes = drawn[0].axes[0]
    widths = [float(bar.get_width()) for bar in axes.patches]
    assert widths == pytest.approx([0.8 / (i + 1) for i in range(6)] + [np.nan, 0.8 / 8], nan_ok=True)
    assert [text.get_text() for text in axes.texts] == ["not measured"]
    assert axes.get_title() == "images; region decisive in 1 of 2"
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CONTROLS.values())


@pytest.mark.parametrize("rows", [[], [dict.fromkeys(_control_numbers(0.5, None))]])
def test_charts_of_nothing(rows: list[Numbers], drawn: list[Figure]) -> None:
    _is_chart(controls_chart(rows, "nothing"))
    _is_chart(mean_sizes_chart(SIZES, [FLAT for _ in rows], "nothing"))
    _is_chart(sizes_chart(SIZES, FLAT, {}, "nothing"))
    assert drawn[0].axes[0].get_title() == "nothing; no salient region"
