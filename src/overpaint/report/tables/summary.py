"""The numbers of a run's images: a row for each image and method, and their means."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overpaint.core.files import write_csv, write_json
from overpaint.data.split import Skipped
from overpaint.report.tables.columns import Columns
from overpaint.report.tables.leaderboard import write_leaderboard
from overpaint.report.tables.run_numbers import RunNumbers
from overpaint.report.tables.scoreboard import Scoreboard

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
    "search_improved",
)
"""Numbers that belong to the region of the first method's map, which is repainted."""


def result_rows(numbers: RunNumbers) -> Iterator[dict[str, Any]]:
    """Yields a row for each image and method; the first method's, whose region was repainted, has the variants'."""
    for index in range(len(numbers.images)):
        image = numbers.images.row(index)
        for place, method in enumerate(numbers.methods):
            row = {k: v for k, v in image.items() if place == 0 or k not in OF_VARIANTS}
            row |= {"method": method} | numbers.methods[method].row(index) | numbers.metrics[method].row(index)
            if place == 0:
                row |= _named_numbers(numbers, index)
            yield row


def _named_numbers(numbers: RunNumbers, index: int) -> dict[str, Any]:
    """Returns the numbers of all probes of a row by the names of their columns."""
    return {f"{probe}_{k}": v for probe, found in numbers.probes.items() for k, v in found.row(index).items()}


def _result_columns(numbers: RunNumbers) -> list[str]:
    """Returns the columns of all of `result_rows`: those of the first method, then what only others have."""
    names = [*numbers.images.names, "method"]
    for place, method in enumerate(numbers.methods):
        names += [*numbers.methods[method].names, *numbers.metrics[method].names]
        if place == 0:
            names += [f"{probe}_{name}" for probe, found in numbers.probes.items() for name in found.names]
    return list(dict.fromkeys(names))


def summarise(columns: Columns) -> dict[str, Any]:
    """Averages the numbers over the rows; those that a row does not have are left out."""
    summary: dict[str, Any] = {}
    for name in columns.names:
        if columns.kind(name) in (int, float) and (known := _known(columns, name)):
            summary[f"mean_{name}"] = statistics.fmean(known)
    if "flat_map" in columns.names:
        summary["flat_maps"] = int(sum(_known(columns, "flat_map")))
    return summary


def _known(columns: Columns, name: str) -> list[float]:
    values = columns.numbers(name)
    known: list[float] = values[np.isfinite(values)].tolist()
    return known


def summarise_run(board: Scoreboard, skipped: Sequence[Skipped], more: Mapping[str, float | None]) -> dict[str, Any]:
    """Averages the numbers of a run: those of the images, of each method and of each probe.

    Args:
        board: The explained images and their metrics.
        skipped: Files that could not be read.
        more: Further numbers of all images.
    """
    numbers = board.numbers
    summary = {"images": len(numbers.images)} | summarise(numbers.images) | {"skipped_files": len(skipped)}
    if troubled := sum(text is not None for text in numbers.images.texts("trouble")):
        summary["troubled_images"] = troubled
    summary |= dict(more)
    for method in board.methods:
        summary[method] = summarise(numbers.methods[method]) | summarise(numbers.metrics[method])
    for probe, found in board.probe_results.items():
        known = {name: _known(found, name) for name in found.names}
        summary[probe] = {name: statistics.fmean(values) for name, values in known.items() if values}
    return summary


def write_tables(folder: Path, board: Scoreboard, summary: Mapping[str, Any], skipped: Sequence[Skipped]) -> None:
    """Writes ``results.csv``, ``leaderboard.csv``, ``pairs.csv``, ``skipped.csv`` and ``summary.json``.

    Args:
        folder: The folder of all explanations.
        board: The explained images and their metrics.
        summary: The means.
        skipped: Files that could not be read.
    """
    write_csv(folder / "results.csv", result_rows(board.numbers), _result_columns(board.numbers))
    write_skipped(folder / "skipped.csv", skipped)
    write_json(folder / "summary.json", summary)
    write_leaderboard(folder, board.standings, board.comparisons, board.labels)


def write_skipped(path: Path, skipped: Sequence[Skipped]) -> None:
    """Lists the files that could not be read, with the class folder of each."""
    rows = [{"path": s.path, "class": s.class_name or "", "reason": s.reason} for s in skipped]
    write_csv(path, rows, ["path", "class", "reason"])
