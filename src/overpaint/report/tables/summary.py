"""The numbers of a run's images: a row for each image and method, and their means."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from overpaint.core.files import write_csv, write_json
from overpaint.data.split import Skipped
from overpaint.report.tables.leaderboard import write_leaderboard
from overpaint.report.tables.scoreboard import Scoreboard

BOOKKEEPING = ("cache_keys", "image", "targets_of_image", "place_of_target", "methods", "metrics", "probes")
"""What of a row's ``result.json`` is no number of the image."""

OF_VARIANTS = (
    "region_decisive",
    "region_queries",
    "fills",
    "fills_left_out",
    "fills_held_out",
    "fills_held_out_lost",
    "necessity",
    "necessity_low",
    "necessity_high",
    "variants",
    "different_variants",
    "accepted",
    "flipped",
    "acceptance_rate",
    "acceptance_low",
    "acceptance_high",
    "mean_confidence",
    "contextual_loss",
    "realism",
    "diversity",
    "search_steps",
)
"""Numbers that belong to the region of the first method's map, which is repainted."""


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
            row |= {f"{probe}_{k}": v for probe, found in result["probes"].items() for k, v in found.items()}
        rows.append(row)
    return rows


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


def summarise_run(board: Scoreboard, skipped: Sequence[Skipped], more: Mapping[str, float | None]) -> dict[str, Any]:
    """Averages the numbers of a run: those of the images, of each method and of each probe.

    Args:
        board: The explained images and their metrics.
        skipped: Files that could not be read.
        more: Further numbers of all images.
    """
    images = [image_row(result) for result in board.results]
    summary = summarise(images) | {"skipped_files": len(skipped)} | dict(more)
    rows = _all_rows(board)
    for method in board.methods:
        own = [{k: v for k, v in row.items() if k not in images[0]} for row in rows if row["method"] == method]
        summary[method] = {name: value for name, value in summarise(own).items() if name != "images"}
    return summary | {probe: _means(found) for probe, found in board.probe_results.items()}


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Averages the numbers of a probe over the rows in which they could be measured."""
    names = dict.fromkeys(name for row in rows for name in row)
    known = {name: [row[name] for row in rows if math.isfinite(row.get(name, math.nan))] for name in names}
    return {name: statistics.fmean(values) for name, values in known.items() if values}


def _all_rows(board: Scoreboard) -> list[dict[str, Any]]:
    return [row for result in board.results for row in method_rows(result, list(board.methods), list(board.metrics))]


def write_tables(folder: Path, board: Scoreboard, summary: Mapping[str, Any], skipped: Sequence[Skipped]) -> None:
    """Writes ``results.csv``, ``leaderboard.csv``, ``pairs.csv``, ``skipped.csv`` and ``summary.json``.

    Args:
        folder: The folder of all explanations.
        board: The explained images and their metrics.
        summary: The means.
        skipped: Files that could not be read.
    """
    write_csv(folder / "results.csv", _all_rows(board))
    write_skipped(folder / "skipped.csv", skipped)
    write_json(folder / "summary.json", summary)
    write_leaderboard(folder, board.standings, board.comparisons, board.labels)


def write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    """Lists the files that could not be read, with the class folder of each."""
    rows = [{"path": s.path, "class": s.class_name or "", "reason": s.reason} for s in skipped]
    write_csv(path, rows, ["path", "class", "reason"])
