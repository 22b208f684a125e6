"""The leaderboard of methods, and the differences of each pair, as rows and as files."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from overpaint.core.files import write_csv
from overpaint.metrics.statistics.ranking import Comparison, Standing

FAILS = "†: not surely better than each control, a map that knows nothing of the classifier (95 %, paired)"


def field_names(kind: type[Standing | Comparison]) -> list[str]:
    """Returns the names of the fields of a standing or a comparison."""
    return [field.name for field in fields(kind)]


def rows_of(found: Sequence[Standing] | Sequence[Comparison]) -> list[dict[str, Any]]:
    """Returns a row for each standing or comparison, with None in place of what is not finite."""
    return [
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(one).items()}
        for one in found
    ]


def methods_of(standings: Sequence[Standing]) -> list[str]:
    """Returns the methods in their order, controls last."""
    control = {standing.method: standing.control for standing in standings}
    return sorted(control, key=lambda method: control[method])


def write_leaderboard(
    folder: Path, standings: Sequence[Standing], comparisons: Sequence[Comparison], labels: Mapping[str, str]
) -> None:
    """Writes ``leaderboard.csv`` and ``pairs.csv``; what is not known is an empty cell.

    Args:
        folder: Where they go.
        standings: A row each, with the metric's label.
        comparisons: A row each.
        labels: What each metric measures, with its unit.
    """
    rows = [row | {"label": labels.get(row["metric"], "")} for row in rows_of(standings)]
    write_csv(folder / "leaderboard.csv", rows, [*field_names(Standing), "label"])
    write_csv(folder / "pairs.csv", rows_of(comparisons), field_names(Comparison))
