"""Ranks, paired differences and controls on constructed scores; the leaderboard's files and tables."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from overpaint.core.errors import OverpaintError
from overpaint.core.files import read_csv
from overpaint.core.value_range import IMAGES
from overpaint.metrics.calibration import Calibration
from overpaint.metrics.insertion_deletion import Insertion
from overpaint.metrics.statistics.bootstrap import Bootstrap
from overpaint.metrics.statistics.ranking import Comparison, Standing, comparisons, standings
from overpaint.report.html.leaderboard import leaderboard_view
from overpaint.report.html.page import page_environment
from overpaint.report.tables.formatting import value_with_error
from overpaint.report.tables.leaderboard import write_leaderboard
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.terminal import leaderboard_table
from overpaint.report.wandb import tables as wandb_tables
from overpaint.saliency.rise import Rise


def _noise(seed: int, rows: int = 80) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(0, 0.1, rows)


def _of(found: Sequence[Standing], method: str, metric: str = "m") -> Standing:
    (standing,) = (s for s in found if (s.metric, s.method) == (metric, method))
    return standing


def test_equal_means_share_the_best_of_their_ranks() -> None:
    scores = {"m": {name: np.full(5, value) for name, value in (("a", 0.2), ("b", 0.5), ("c", 0.5), ("d", 0.9))}}
    assert [s.rank for s in standings(scores, {"m": True})] == [4, 2, 2, 1]
    assert [s.rank for s in standings(scores, {"m": False})] == [1, 2, 2, 4]
    assert [s.rank for s in standings(scores, {"m": None})] == [None] * 4


def test_what_was_not_measured_has_no_rank_and_shifts_none() -> None:
    scores = {"m": {"a": np.array([0.1, 0.2]), "b": np.array([np.nan, np.nan]), "c": np.array([0.5, np.nan])}}
    a, b, c = standings(scores, {"m": True}, controls=["c"])
    assert (a.rank, b.rank, c.rank) == (2, None, 1)
    assert (a.rows, b.rows, c.rows) == (2, 0, 1)
    assert np.isnan(b.mean)
    assert c.mean == 0.5
    assert np.isnan([c.low, c.high]).all()  # one image has no interval
    assert b.beats_controls is None


def test_a_method_beats_the_controls_if_it_beats_each() -> None:
    base = np.random.default_rng(0).normal(0.5, 1, 80)  # images differ far more than methods
    scores = {
        "m": {
            "better": base + 0.2 + _noise(1),
            "between": base + _noise(2),
            "equal": base + 0.1,
            "worse": base - 0.3 + _noise(3),
            "random": base - 0.1 + _noise(4),
            "center": base + 0.1,
        }
    }
    controls = ["random", "center", "edges"]  # no edges were measured
    found = standings(scores, {"m": True}, controls)
    assert [s.beats_controls for s in found] == [True, False, False, False, None, None]
    assert [s.control for s in found] == [False] * 4 + [True] * 2
    downwards = standings({"m": {k: -v for k, v in scores["m"].items()}}, {"m": False}, controls)
    assert [s.beats_controls for s in downwards] == [s.beats_controls for s in found]
    assert _of(standings(scores, {"m": True}, ["random"]), "between").beats_controls is True
    # The means' own intervals overlap: only the paired difference tells.
    assert _of(found, "better").low < _of(found, "center").high


def test_nothing_is_beaten_without_controls_direction_or_images() -> None:
    scores = {"m": {"a": np.array([0.9, 0.8]), "random": np.array([0.1, 0.2])}}
    assert _of(standings(scores, {"m": True}), "a").beats_controls is None
    assert _of(standings(scores, {"m": None}, ["random"]), "a").beats_controls is None
    assert _of(standings(scores, {"m": True}, ["random"], ["one", "one"]), "a").beats_controls is None
    assert _of(standings(scores, {"m": True}, ["random"]), "a").beats_controls is True
    unmeasured = {"m": scores["m"] | {"random": np.full(2, np.nan)}}
    assert _of(standings(unmeasured, {"m": True}, ["random"]), "a").beats_controls is None


def test_the_same_method_twice_differs_by_exactly_nothing() -> None:
    values = _noise(0) + 0.3
    (found,) = comparisons({"m": {"a": values, "b": values.copy()}})
    assert (found.difference, found.low, found.high, found.rows) == (0, 0, 0, 80)


def test_a_difference_is_over_the_rows_measured_for_both() -> None:
    a, b, c = _noise(1), _noise(2), np.full(80, np.nan)
    a[:10], b[5:20] = np.nan, np.nan
    ab, ac, bc = comparisons({"m": {"a": a, "b": b, "c": c}})
    both = a[20:] - b[20:]
    assert (ab.first, ab.second, ab.rows) == ("a", "b", 60)
    assert ab.difference == pytest.approx(both.mean())
    half = 1.96 * both.std() / 60**0.5
    np.testing.assert_allclose([ab.low, ab.high], both.mean() + np.array([-half, half]), atol=0.1 * half)
    assert ac.rows == bc.rows == 0
    assert np.isnan([ac.difference, ac.low, ac.high]).all()


def test_differences_are_paired_with_the_standings_resamples() -> None:
    """Without gaps the difference of two means moves as the mean of the differences: one constant apart is exact."""
    values = _noise(0)
    scores = {"m": {"a": values + 0.25, "b": values}}
    (difference,) = comparisons(scores)
    np.testing.assert_allclose([difference.low, difference.high], 0.25, rtol=1e-12)
    a, b = standings(scores, {"m": True})
    assert a.low - b.low == pytest.approx(0.25)
    assert a.high - b.high == pytest.approx(0.25)


def test_the_order_of_methods_and_metrics_changes_nothing() -> None:
    scores = {m: {name: _noise(i + j) for i, name in enumerate("abc")} for j, m in enumerate(("m", "n"))}
    better: dict[str, bool | None] = {"m": True, "n": False}
    turned = {m: dict(reversed(of.items())) for m, of in reversed(scores.items())}
    there, back = standings(scores, better, ["c"]), standings(turned, better, ["c"])
    for s in there:
        other = _of(back, s.method, s.metric)
        assert (s.rank, s.beats_controls, s.rows) == (other.rank, other.beats_controls, other.rows)
        np.testing.assert_allclose([s.mean, s.low, s.high], [other.mean, other.low, other.high], atol=1e-15)
    assert there == standings(scores, better, ["c"])
    assert there != standings(scores, better, ["c"], bootstrap=Bootstrap(seed=1))


def test_rows_that_no_method_has_change_nothing() -> None:
    scores = {"m": {"a": _noise(0), "random": _noise(1)}}
    gaps = {"m": {name: np.insert(values, [0, 7, 80], np.nan) for name, values in scores["m"].items()}}
    groups = [i // 2 for i in range(80)]
    wider = ["new", *groups[:7], 3, *groups[7:], "another"]
    assert standings(gaps, {"m": True}, ["random"]) == standings(scores, {"m": True}, ["random"])
    assert comparisons(gaps, wider) == comparisons(scores, groups)


def test_infinity_counts_as_not_measured() -> None:
    scores = {"m": {"a": np.array([1.0, np.inf, 3.0]), "b": np.array([np.inf, np.inf, 1.0])}}
    assert _of(standings(scores, {"m": True}, ["b"]), "a").mean == 2
    assert comparisons(scores)[0].difference == 2


def test_methods_of_a_metric_have_the_same_rows() -> None:
    with pytest.raises(OverpaintError, match=r"insertion: all methods must be measured on the same rows.*'b': 2"):
        standings({"insertion": {"a": np.zeros(3), "b": np.zeros(2)}}, {"insertion": True})
    with pytest.raises(OverpaintError, match="'groups': 2"):
        comparisons({"m": {"a": np.zeros(3)}}, ["x", "y"])


def test_nothing_measured_stands_nowhere() -> None:
    assert standings({"m": {}}, {"m": True}) == []
    (alone,) = standings({"m": {"a": np.empty(0)}}, {"m": True}, ["a"])
    assert (alone.rank, alone.rows) == (None, 0)
    assert comparisons({"m": {"a": np.empty(0)}}) == []


def _example() -> tuple[list[Standing], list[Comparison]]:
    base = np.linspace(0, 1, 40)
    scores = {
        "insertion": {"rise": base + 0.3 + _noise(0, 40), "lime": base + _noise(1, 40), "random": base + 0.001},
        "calibration": {"rise": base, "lime": np.full(40, np.nan), "random": np.full(40, np.nan)},
    }
    found = standings(scores, {"insertion": True, "calibration": None}, ["random"])
    return found, comparisons(scores)


LABELS = {"insertion": "area under <the> curve [score]"}


def test_files_hold_what_was_found_and_leave_empty_what_was_not(tmp_path: Path) -> None:
    found, pairs = _example()
    write_leaderboard(tmp_path, found, pairs, LABELS)
    rows = read_csv(tmp_path / "leaderboard.csv")
    assert [(row["metric"], row["method"]) for row in rows] == [(s.metric, s.method) for s in found]
    assert float(rows[0]["mean"]) == found[0].mean
    columns = ("rank", "rows", "beats_controls", "higher_is_better", "control", "label")
    assert [rows[0][name] for name in columns] == ["1", "40", "True", "True", "False", LABELS["insertion"]]
    assert [rows[3][name] for name in columns] == ["", "40", "", "", "False", ""]
    assert (rows[4]["mean"], rows[4]["rank"], rows[4]["rows"]) == ("", "", "0")
    differences = read_csv(tmp_path / "pairs.csv")
    assert list(differences[0]) == ["metric", "first", "second", "difference", "low", "high", "rows"]
    assert [float(row["difference"]) for row in differences[:3]] == [c.difference for c in pairs[:3]]
    assert differences[3]["difference"] == ""


def test_files_of_nothing_have_their_columns(tmp_path: Path) -> None:
    write_leaderboard(tmp_path, [], [], {})
    assert (tmp_path / "leaderboard.csv").read_text().startswith("metric,method,mean,low,high,rank,rows")
    assert read_csv(tmp_path / "pairs.csv") == []


def test_a_value_has_as_many_digits_as_its_interval_allows() -> None:
    nan = float("nan")
    assert value_with_error(0.53217, 0.511, 0.553) == "0.532 ±0.021"
    assert value_with_error(1234.4, 1000.0, 1500.0) == "1234 ±250"
    assert value_with_error(-0.5, -0.6, -0.4) == "-0.50 ±0.10"
    assert value_with_error(0.53217, nan, nan) == "0.532"
    assert value_with_error(1.0, 1.0, 1.0) == "1"
    assert value_with_error(nan, nan, nan) == "–"


def _printed(found: Sequence[Standing], width: int, labels: dict[str, str]) -> str:
    console = Console(file=io.StringIO(), record=True, width=width, force_terminal=True, color_system="standard")
    console.print(leaderboard_table(found, labels, width))
    return console.export_text(styles=True)


def test_the_terminal_table_marks_the_best_and_those_that_controls_match() -> None:
    found, _ = _example()
    text = _printed(found, 120, LABELS)
    rise, lime, random = (next(line for line in text.splitlines() if name in line) for name in ("rise", "lime", "rand"))
    assert f"\x1b[1m{value_with_error(found[0].mean, found[0].low, found[0].high)}" in rise
    assert "†" not in rise
    assert "†" in lime
    assert "\x1b[1m" not in lime
    assert "–" in lime
    assert "†" not in random
    assert "insertion ↑" in text
    assert LABELS["insertion"] in text  # its brackets are no markup
    assert "†: not surely better" in text
    without = _printed([s for s in found if s.method == "rise"], 120, {})
    assert "†" not in without


@pytest.mark.parametrize("width", [60, 80, 200])
def test_many_metrics_are_spread_over_tables_that_fit(width: int) -> None:
    scores = {f"metric_number_{i}": {"a_method": _noise(i), "random": _noise(i + 1)} for i in range(9)}
    found = standings(scores, dict.fromkeys(scores, True), ["random"])
    text = _printed(found, width, {}).replace("\x1b", "")
    assert all(f"metric_number_{i} ↑" in text for i in range(9))  # none is broken
    tables = text.count("┏")
    assert tables == {60: 5, 80: 3, 200: 2}[width]


def test_the_page_shows_means_intervals_and_ranks() -> None:
    found, _ = _example()
    html = (
        page_environment()
        .get_template("leaderboard.html.j2")
        .render(leaderboard=leaderboard_view(found, LABELS), noun=IMAGES)
    )
    first = found[0]
    assert f"<b>{value_with_error(first.mean, first.low, first.high).split(' ')[0]}</b>" in html
    assert f"{first.low:.3g} to {first.high:.3g}" in html
    assert "random (control)" in html
    assert html.count("#1") == 1
    assert html.count("†") == 2  # lime, and what the sign means
    assert "area under &lt;the&gt; curve" in html
    assert "higher is better" in html


def test_wandb_table_has_a_row_for_each_standing() -> None:
    found, _ = _example()
    table = wandb_tables.leaderboard_table(found)
    assert len(table.data) == len(found)
    assert dict(zip(table.columns, table.data[0], strict=True))["mean"] == found[0].mean
    assert dict(zip(table.columns, table.data[4], strict=True))["mean"] is None
    assert wandb_tables.leaderboard_table([]).data == []


def test_metrics_that_were_measured_nowhere_are_named_with_what_they_need() -> None:
    assert Scoreboard([], {"a": Rise()}, {}).unmeasured == ""
    said = Scoreboard([], {"a": Rise()}, {"insertion": Insertion(), "calibration": Calibration()}).unmeasured
    assert said == "Not measured: insertion, calibration (it needs seeds=2 or more)."
