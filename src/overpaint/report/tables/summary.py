"""Tables of explained images: results.csv, summary.json, and the table in the terminal."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from overpaint.core.files import write_csv, write_json
from overpaint.data.base import Skipped
from overpaint.pipeline.cache import read_result
from overpaint.report.tables.leaderboard import write_leaderboard
from overpaint.report.tables.scoreboard import Scoreboard

BOOKKEEPING = ("cache_keys", "image", "targets_of_image", "place_of_target", "methods", "metrics", "probes")
"""What of an image's numbers says nothing of the image."""

OF_VARIANTS = (
    "variants",
    "different_variants",
    "accepted",
    "flipped",
    "acceptance_rate",
    "mean_confidence",
    "contextual_loss",
    "realism",
    "diversity",
    "search_steps",
)
"""Numbers that belong to the region of the first method's map."""


def shown(value: Any, absent: str = "–") -> str:
    """Writes a number to three digits, and ``absent`` for None."""
    if value is None:
        return absent
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def write_tables(
    folder: Path, board: Scoreboard, skipped: Sequence[Skipped], more: Mapping[str, float | None]
) -> dict[str, Any]:
    """Writes the tables and ``summary.json``.

    Args:
        folder: The folder of all explanations.
        board: The explained images and their metrics.
        skipped: Files that could not be read.
        more: Further numbers of all images.

    Returns:
        The summary.
    """
    metrics = list(board.metrics)
    of_methods = [row for result in board.results for row in method_rows(result, board.methods, metrics)]
    images = [image_row(result) for result in board.results]
    summary = summarise(images) | {"skipped_files": len(skipped)} | dict(more)
    for method in board.methods:
        own = summarise(
            [{k: v for k, v in row.items() if k not in images[0]} for row in of_methods if row["method"] == method]
        )
        summary[method] = {name: value for name, value in own.items() if name != "images"}
    summary |= {probe: _means(rows) for probe, rows in board.probe_results.items()}
    write_csv(folder / "results.csv", of_methods)
    write_skipped(folder / "skipped.csv", skipped)
    write_json(folder / "summary.json", summary)
    write_leaderboard(folder, board.standings, board.comparisons, board.labels)
    return summary


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Averages the numbers of a probe over the rows in which they could be measured."""
    names = dict.fromkeys(name for row in rows for name in row)
    known = {name: [row[name] for row in rows if math.isfinite(row.get(name, math.nan))] for name in names}
    return {name: statistics.fmean(values) for name, values in known.items() if values}


def image_row(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what was found out about an image, whatever the method."""
    return {name: value for name, value in result.items() if name not in BOOKKEEPING}


def method_rows(result: Mapping[str, Any], methods: Sequence[str], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Returns a row for each method of an image; the first one's, whose region was repainted, has the variants'."""
    rows = []
    for place, method in enumerate(methods):
        own = result["methods"][method]
        row = {k: v for k, v in image_row(result).items() if place == 0 or k not in OF_VARIANTS}
        row |= {"method": method, "queries": own["queries"], "flat_map": own["flat"]}
        row |= {"relative_error": own.get("relative_error")} | own["measures"]
        row |= {name: result["metrics"].get(method, {}).get(name) for name in metrics}
        if place == 0:
            row |= {f"{probe}_{k}": v for probe, own in result["probes"].items() for k, v in own.items()}
        rows.append(row)
    return rows


def write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    """Lists the files that could not be read."""
    write_csv(path, [{"path": s.path, "reason": s.reason} for s in skipped], ["path", "reason"])


def summarise(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Averages the numbers over the images; those that an image does not have are left out."""
    summary: dict[str, Any] = {"images": len(rows)}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row[name] for row in rows if isinstance(row.get(name), int | float)]
        if values and not isinstance(values[0], bool):
            summary[f"mean_{name}"] = statistics.fmean(values)
    if any("flat_map" in row for row in rows):
        summary["flat_maps"] = sum(bool(row["flat_map"]) for row in rows)
    return summary


def terminal_table(explained: Sequence[Path], summary: Mapping[str, Any]) -> Table:
    """Makes the summary table for the terminal: a row for each image and one of means."""
    rows = [image_row(read_result(path)) for path in explained]
    headings = {
        "name": "image",
        "target": "class",
        "confidence": "score",
        "region_fraction": "region",
        "acceptance_rate": "accepted",
        "mean_confidence": "their score",
        "diversity": "diversity",
    }
    headings = {name: heading for name, heading in headings.items() if any(name in row for row in rows)}
    table = Table(title=f"{len(rows)} explained images", show_footer=True)
    for name, heading in headings.items():
        footer = "mean" if name == "name" else shown(summary.get(f"mean_{name}", ""), "-")
        table.add_column(heading, footer, justify="left" if name in ("name", "target") else "right", overflow="fold")
    for row in rows:
        table.add_row(*[shown(row.get(name), "-") for name in headings])
    return table
