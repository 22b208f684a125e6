"""The leaderboard of methods as files, as a table in the terminal, as HTML and in W&B."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from overpaint.core.files import write_csv
from overpaint.metrics.statistics.ranking import Comparison, Standing
from overpaint.report.plots.comparison import by_metric
from overpaint.report.plots.style import direction

METRICS_PER_TABLE = 6
"""So many metrics stand side by side in the terminal, and fewer where it is narrow."""

ARROWS = {True: " ↑", False: " ↓", None: ""}
"""A metric's better side."""

FAILS = "†: not surely better than each control, a map that knows nothing of the classifier (95 %, paired)"


def value_with_error(mean: float, low: float, high: float) -> str:
    """Writes a mean and half of its interval, to two digits of that half; without an interval, to three digits."""
    half = (high - low) / 2
    if not math.isfinite(mean):
        return "–"
    if not half > 0 or not math.isfinite(half):
        return f"{mean:.3g}"
    decimals = min(6, max(0, 1 - math.floor(math.log10(half))))
    return f"{mean:.{decimals}f} ±{half:.{decimals}f}"


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
    rows = [known_values(asdict(standing)) | {"label": labels.get(standing.metric, "")} for standing in standings]
    write_csv(folder / "leaderboard.csv", rows, [*(field.name for field in fields(Standing)), "label"])
    pairs = [known_values(asdict(comparison)) for comparison in comparisons]
    write_csv(folder / "pairs.csv", pairs, [field.name for field in fields(Comparison)])


def known_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """Puts None in place of what is not finite."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def leaderboard_table(standings: Sequence[Standing], labels: Mapping[str, str], width: int = 120) -> Group:
    """Makes tables for the terminal: a row for each method, a column for each metric, the best value bold.

    Args:
        standings: What is shown.
        labels: What each metric measures, with its unit; said below the table.
        width: The terminal's columns, by which the metrics are spread over several tables.

    Returns:
        The tables, one below the other.
    """
    groups = by_metric(standings)
    methods = _controls_last(standings)
    cells = {(s.metric, s.method): _cell(s) for s in standings}
    room = width - max((len(method) for method in methods), default=0) - 4
    tables = [
        _table({metric: groups[metric] for metric in metrics}, methods, cells, labels)
        for metrics in _side_by_side(groups, cells, room)
    ]
    said = ["mean ± half of its 95 % interval (bootstrap over images)"]
    if any(standing.beats_controls is False for standing in standings):
        said.append(FAILS)
    return Group(*tables, *said)


def _side_by_side(metrics: Iterable[str], cells: Mapping[tuple[str, str], str], room: int) -> list[list[str]]:
    """Spreads metrics over tables, none wider than ``room`` unless a single metric is."""
    tables: list[list[str]] = []
    left = 0
    for metric in metrics:
        width = 3 + max(len(metric) + 2, *(len(text) for (of, _), text in cells.items() if of == metric))
        if not tables or width > left or len(tables[-1]) == METRICS_PER_TABLE:
            tables.append([])
            left = room
        tables[-1].append(metric)
        left -= width
    return tables


def _controls_last(standings: Sequence[Standing]) -> list[str]:
    control = {standing.method: standing.control for standing in standings}
    return sorted(control, key=lambda method: control[method])


def _cell(standing: Standing) -> str:
    dagger = "†" if standing.beats_controls is False else ""
    return value_with_error(standing.mean, standing.low, standing.high) + dagger


def _table(
    groups: Mapping[str, Sequence[Standing]],
    methods: Sequence[str],
    cells: Mapping[tuple[str, str], str],
    labels: Mapping[str, str],
) -> Table:
    """Makes the table of some metrics; what they measure is its caption."""
    said = [f"{metric}: {labels[metric]}" for metric in groups if metric in labels]
    table = Table(caption=escape("\n".join(said)), caption_justify="left")
    table.add_column("method", overflow="fold")
    for metric, group in groups.items():
        table.add_column(escape(metric + ARROWS[group[0].higher_is_better]), justify="right", overflow="fold")
    best = {(s.metric, s.method) for group in groups.values() for s in group if s.rank == 1}
    control = {s.method for group in groups.values() for s in group if s.control}
    for method in methods:
        row = [cells.get((metric, method), "–") for metric in groups]
        marked = [f"[bold]{text}[/]" if (m, method) in best else text for m, text in zip(groups, row, strict=True)]
        table.add_row(escape(method), *marked, style="dim" if method in control else None)
    return table


def leaderboard_view(standings: Sequence[Standing], labels: Mapping[str, str]) -> dict[str, Any]:
    """Prepares what ``leaderboard.html.j2`` shows, under the name ``leaderboard`` there.

    Args:
        standings: What is shown.
        labels: What each metric measures, with its unit.
    """
    groups = by_metric(standings)
    found = {(s.metric, s.method): s for s in standings}
    return {
        "metrics": [
            {"name": metric, "label": labels.get(metric, metric), "better": direction(group[0].higher_is_better)}
            for metric, group in groups.items()
        ],
        "methods": [
            {
                "name": method,
                "control": any(s.control for s in standings if s.method == method),
                "cells": [_html_cell(found.get((metric, method))) for metric in groups],
            }
            for method in _controls_last(standings)
        ],
        "fails": FAILS if any(s.beats_controls is False for s in standings) else "",
    }


def _html_cell(standing: Standing | None) -> dict[str, Any]:
    if standing is None or math.isnan(standing.mean):
        return {"mean": "–", "interval": "", "rank": None, "fails": False, "rows": 0}
    ends = (standing.low, standing.high)
    return {
        "mean": value_with_error(standing.mean, *ends).split(" ")[0],
        "interval": "" if math.isnan(standing.low) else "{:.3g} to {:.3g}".format(*ends),
        "rank": standing.rank,
        "fails": standing.beats_controls is False,
        "rows": standing.rows,
    }
