"""Tables in the terminal: the images and the leaderboard of methods."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from overpaint.core.value_range import IMAGES, Noun
from overpaint.metrics.statistics.ranking import Standing
from overpaint.report.plots.comparison import by_metric
from overpaint.report.tables.formatting import shown, value_with_error
from overpaint.report.tables.leaderboard import FAILS, methods_of

MOST_IMAGES = 40
"""So many images are shown at most."""

METRICS_PER_TABLE = 6
"""So many metrics stand side by side, and fewer where the terminal is narrow."""

ARROWS = {True: " ↑", False: " ↓", None: ""}
"""A metric's better side."""


def images_table(
    rows: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], noun: Noun = IMAGES, all_rows: int | None = None
) -> Table:
    """Makes the table of the images: a row for each and one of means.

    Args:
        rows: The images.
        summary: The means of all.
        noun: What they are called.
        all_rows: How many there are where these are some of them; None: these are all.
    """
    headings = {
        "name": noun.one,
        "target": "class",
        "confidence": "score",
        "region_fraction": "region",
        "necessity": "necessity",
        "acceptance_rate": "accepted",
        "diversity": "diversity",
    }
    headings = {name: heading for name, heading in headings.items() if any(row.get(name) is not None for row in rows)}
    table = Table(title=f"{all_rows or len(rows)} explained {noun.several}", show_footer=True)
    if all_rows is not None:
        table.caption = f"the {len(rows)} that deserve a look first; results.csv has all"
    for name, heading in headings.items():
        footer = "mean" if name == "name" else shown(summary.get(f"mean_{name}", ""), "-")
        table.add_column(heading, footer, justify="left" if name in ("name", "target") else "right", overflow="fold")
    for row in rows:
        table.add_row(*[escape(shown(row.get(name), "-")) for name in headings])
    return table


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
    methods = methods_of(standings)
    cells = {(s.metric, s.method): _cell(s) for s in standings}
    room = width - max((len(method) for method in methods), default=0) - 4
    tables = [
        _table({metric: groups[metric] for metric in metrics}, methods, cells, labels)
        for metrics in _spread(groups, cells, room)
    ]
    notes = ["mean ± half of its 95 % interval (bootstrap over all that were explained)"]
    if any(standing.beats_controls is False for standing in standings):
        notes.append(FAILS)
    return Group(*tables, *notes)


def _spread(metrics: Iterable[str], cells: Mapping[tuple[str, str], str], room: int) -> list[list[str]]:
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
    captions = [f"{metric}: {labels[metric]}" for metric in groups if metric in labels]
    table = Table(caption=escape("\n".join(captions)), caption_justify="left")
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
