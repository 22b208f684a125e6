"""Tables by column and stored curves return what was put in."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from overpaint.core.files import write_csv
from overpaint.report.plots.intervals import columns_of
from overpaint.report.spread import spread
from overpaint.report.tables.columns import as_columns
from overpaint.report.tables.curve_store import CurveStore

ROWS: list[dict[str, Any]] = [
    {"name": "a", "flat": False, "count": 3, "share": 0.1},
    {"name": "b", "flat": True, "count": None, "share": None, "late": 2},
    {"name": None, "count": 5, "share": 1, "late": 0.5},
    {},
]


def test_a_table_by_column_returns_the_rows_that_it_was_given() -> None:
    table = as_columns(ROWS)
    names = ["name", "flat", "count", "share", "late"]
    assert table.names == names
    assert list(table.rows()) == [{name: row.get(name) for name in names} for row in ROWS]
    assert [type(value) for value in table.row(0).values()] == [str, bool, int, float, type(None)]
    np.testing.assert_array_equal(table.numbers("late"), [np.nan, 2, 0.5, np.nan])
    assert table.texts("name") == ["a", "b", None, None]
    assert table.kind("name") is None
    assert table.kind("late") is float


def test_a_table_by_column_is_written_as_its_rows_are(tmp_path: Path) -> None:
    table = as_columns(ROWS[:2])
    write_csv(tmp_path / "columns.csv", table.rows(), table.names)
    write_csv(tmp_path / "rows.csv", ROWS[:2])
    assert (tmp_path / "columns.csv").read_text() == (tmp_path / "rows.csv").read_text()
    assert len(list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text())))) == 2


def test_charts_take_rows_and_columns_alike() -> None:
    rows: list[dict[str, float | None]] = [{"x": 1.0, "y": None}, {"y": 2.0}]
    for given in (rows, as_columns(rows)):
        np.testing.assert_array_equal(columns_of(given, ["x", "y", "z"]), [[1, np.nan, np.nan], [np.nan, 2, np.nan]])
    assert columns_of(rows, []).shape == (2, 0)


def test_stored_curves_end_with_the_shortest_and_know_their_rows() -> None:
    store = CurveStore()
    store.append(0, {"a": np.array([[1.0, 2.0, 3.0], [0.0, 0.5, 1.0]]), "b": np.zeros((2, 1))})
    store.append(1, {"b": np.ones((2, 4))})
    store.append(2, {"a": np.array([[5.0, np.nan], [0.0, 1.0]])})
    found = store.read("a")
    assert found is not None
    assert found.rows == [0, 2]
    np.testing.assert_array_equal(found.values, [[1, 2], [5, np.nan]])
    np.testing.assert_array_equal(found.places, [0, 0.75])
    assert store.read("c") is None


@pytest.mark.parametrize(("count", "most"), [(3, 5), (5, 5), (100, 7), (1000, 999)])
def test_a_few_of_many_are_spread_evenly(count: int, most: int) -> None:
    found = spread(range(count), most)
    assert found[0] == 0
    assert len(found) == min(count, most)
    gaps = np.diff([*found, count])
    assert gaps.max() - gaps.min() <= 1
