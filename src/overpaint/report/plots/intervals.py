"""The numbers of probes as columns with intervals, for charts."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from overpaint.metrics.statistics.bootstrap import Bootstrap, Interval

Numbers = Mapping[str, float | None]
"""The numbers of a row that a probe found; None is NaN, as in the stored files."""


def columns_of(rows: Sequence[Numbers], names: Sequence[str]) -> Float[np.ndarray, "row name"]:
    """Returns the named numbers of each row; NaN where a row has none."""
    values = [[np.nan if row.get(name) is None else row[name] for name in names] for row in rows]
    return np.array(values, dtype=np.float64).reshape(len(rows), len(names))


def interval_of(rows: Sequence[Numbers], names: Sequence[str]) -> Interval:
    """Returns the means of the named numbers over the rows, with their 95 % intervals."""
    return Bootstrap().interval(columns_of(rows, names))


def reach_of(interval: Interval) -> Float[np.ndarray, "2 column"]:
    """Returns how far the interval reaches below and above each mean; 0 where there is none."""
    reach = np.stack([interval.mean - interval.low, interval.high - interval.mean])
    known: Float[np.ndarray, "2 column"] = np.where(np.isfinite(reach), reach, 0)
    return known
