"""Intervals of shares."""

import math

from scipy.stats import binomtest


def share_with_interval(count: int, total: int) -> tuple[float, float, float]:
    """Returns a share and its 95 % interval by Wilson's score (1927), which holds near 0 and 1 too; NaN of nothing.

    Args:
        count: How many of them.
        total: How many there are; they count as drawn independently.
    """
    if total == 0:
        return math.nan, math.nan, math.nan
    interval = binomtest(count, total).proportion_ci(0.95, "wilson")
    return count / total, float(interval.low), float(interval.high)
