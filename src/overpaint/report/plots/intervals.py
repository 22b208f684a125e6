"""The numbers of probes as columns with intervals, for charts."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from overpaint.metrics.statistics.bootstrap import Bootstrap, Interval
from overpaint.report.tables.columns import Columns, as_columns

Numbers = Mapping[str, float | None]
"""The numbers of a row that a probe found; None is NaN, as in the stored files."""

RowsOfNumbers = Sequence[Numbers] | Columns
"""The numbers of several rows."""


def as_table(rows: RowsOfNumbers) -> Columns:
    """Returns rows of numbers by column."""
    return rows if isinstance(rows, Columns) else as_columns(rows)


def columns_of(rows: RowsOfNumbers, names: Sequence[str]) -> Float[np.ndarray, "row name"]:
    """Returns the named numbers of each row; NaN where a row has none."""
    table = as_table(rows)
    values = [table.numbers(name) for name in names]
    return np.stack(values, axis=1) if values else np.empty((len(table), 0))


def interval_of(rows: RowsOfNumbers, names: Sequence[str]) -> Interval:
    """Returns the means of the named numbers over the rows, with their 95 % intervals."""
    return Bootstrap().interval(columns_of(rows, names))


def reach_of(interval: Interval) -> Float[np.ndarray, "2 column"]:
    """Returns how far the interval reaches below and above each mean; 0 where there is none."""
    reach = np.stack([interval.mean - interval.low, interval.high - interval.mean])
    known: Float[np.ndarray, "2 column"] = np.where(np.isfinite(reach), reach, 0)
    return known
