"""The leaderboard of methods on the page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from overpaint.metrics.statistics.ranking import Standing
from overpaint.report.plots.comparison import by_metric
from overpaint.report.plots.style import direction
from overpaint.report.tables.formatting import value_with_error
from overpaint.report.tables.leaderboard import FAILS, methods_of


def leaderboard_view(
    standings: Sequence[Standing], labels: Mapping[str, str], methods: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Prepares what ``leaderboard.html.j2`` shows, under the name ``leaderboard`` there.

    Args:
        standings: What is shown.
        labels: What each metric measures.
        methods: What each method does.
    """
    groups = by_metric(standings)
    found = {(s.metric, s.method): s for s in standings}
    return {
        "metrics": [
            {"name": metric, "text": labels.get(metric, metric), "better": direction(group[0].higher_is_better)}
            for metric, group in groups.items()
        ],
        "methods": [
            {
                "name": method,
                "text": (methods or {}).get(method, method),
                "control": any(s.control for s in standings if s.method == method),
                "cells": [_cell(found.get((metric, method))) for metric in groups],
            }
            for method in methods_of(standings)
        ],
        "fails": FAILS if any(s.beats_controls is False for s in standings) else "",
    }


def _cell(standing: Standing | None) -> dict[str, Any]:
    if standing is None or math.isnan(standing.mean):
        return {"mean": "–", "interval": "", "rank": None, "fails": False}
    ends = (standing.low, standing.high)
    return {
        "mean": value_with_error(standing.mean, *ends).split(" ")[0],
        "interval": "" if math.isnan(standing.low) else "{:.3g} to {:.3g}".format(*ends),
        "rank": standing.rank,
        "fails": standing.beats_controls is False,
    }
