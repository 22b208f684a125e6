"""Plots of probes belong to the probe's class, whatever it is called; a new probe has a chart of its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from conftest import pixels_of
from matplotlib.figure import Figure

from overpaint.core.results import ProbeResult
from overpaint.probes.base import Probe, ProbeInputs, number_name
from overpaint.probes.controls import Controls
from overpaint.probes.region_size_sweep import RegionSizeSweep
from overpaint.report.plots.controls import CONTROLS
from overpaint.report.plots.numbers import numbers_chart
from overpaint.report.probe_plots import probe_image_plots, probe_plots, sentences

SIZES = ("acceptance_rate", "accepted", "different", "confidence", "loss", "loss_deviation")


@dataclass(frozen=True)
class NewProbe(Probe):
    """Asks something that the report has never heard of, such as ``x``.

    And more of it.
    """

    def __call__(self, inputs: ProbeInputs) -> Sequence[ProbeResult]:
        return []


def test_a_renamed_probe_keeps_its_plots_and_its_sentence(drawn: list[Figure]) -> None:
    probes = {"halves": RegionSizeSweep(fractions=(0.5,)), "beside": Controls(), "controls": NewProbe()}
    halves = {number_name(name, "50"): 0.5 for name in SIZES}
    beside = {f"{key}_{name}": 0.5 for key in ("acceptance_rate", "score") for name in CONTROLS} | {"decisive": 0.0}
    found = {"halves": halves, "beside": beside, "controls": {"value": 0.5}}
    pictures = probe_image_plots(probes, {name: (numbers, {}) for name, numbers in found.items()}, "an image", [])
    assert list(pictures) == ["probe_halves.png", "probe_beside.png"]
    assert all(pixels_of(picture).size for picture in pictures.values())
    assert drawn[0].axes[0].get_title() == "halves: an image"
    assert [label.get_text() for label in drawn[0].axes[1].get_xticklabels()] == ["50 %"]
    plots = probe_plots(probes, {name: [numbers] for name, numbers in found.items()})
    assert [(plot.name, plot.caption) for plot in plots] == [
        ("probe_halves", "Acceptance over the size of the region"),
        ("probe_beside", "Acceptance of the variants beside controls"),
        ("probe_controls", "Asks something that the report has never heard of, such as x."),
    ]
    (said,) = sentences(probes, found)
    assert said.startswith("The region was not decisive")
    assert probe_plots(probes, {name: [] for name in probes}) == []


def test_numbers_of_any_probe_are_means_with_shares_apart(drawn: list[Figure]) -> None:
    rows = [{"rate": 0.2, "distance": 3.0, "never": None}, {"rate": 0.6, "distance": None, "never": None}]
    pixels_of(numbers_chart(rows, "a probe at $5"))
    shares, others = drawn[0].axes
    assert [label.get_text() for label in shares.get_yticklabels()] == ["rate", "never"]
    assert [float(bar.get_width()) for bar in shares.patches] == [
        pytest.approx(0.4),
        pytest.approx(np.nan, nan_ok=True),
    ]
    assert [text.get_text() for text in shares.texts] == ["not measured"]
    assert shares.get_xlim() == pytest.approx((0, 1.02))
    assert [float(bar.get_width()) for bar in others.patches] == [3.0]


@pytest.mark.parametrize("rows", [[], [{}], [{"value": None}]])
def test_a_chart_of_no_numbers(rows: list[dict[str, float | None]]) -> None:
    pixels_of(numbers_chart(rows, "nothing"))
