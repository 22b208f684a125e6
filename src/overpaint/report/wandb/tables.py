"""Weights & Biases tables: the images, the leaderboard of methods, the differences of each pair."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import wandb
from PIL import Image

from overpaint.core.files import read_arrays
from overpaint.metrics.statistics.ranking import Comparison, Standing
from overpaint.pipeline.artifacts import map_artifact
from overpaint.report.attention import attention
from overpaint.report.plots.images import enlarge, map_picture, outlined, picture_grid, to_picture
from overpaint.report.run import RunReport
from overpaint.report.tables.leaderboard import field_names, rows_of
from overpaint.report.tables.scoreboard import Scoreboard

SHOWN = 16
"""So many accepted, and so many flipped variants are shown of an image."""


def images_table(board: Scoreboard, rows: Sequence[int]) -> wandb.Table:
    """Makes a W&B table with a row for each image: the pictures and the numbers.

    Args:
        board: All rows.
        rows: The numbers of those that are shown.
    """
    table, numbers = None, board.numbers
    for row in rows:
        cells = _pictures(board.folders[row], list(board.methods)) | numbers.images.row(row)
        for method in board.methods:
            own = numbers.methods[method].row(row) | numbers.metrics[method].row(row)
            cells |= {f"{method}_{name}": own[name] for name in ("queries", "relative_error", *board.metrics)}
        if table is None:
            table = wandb.Table(columns=list(cells))
        table.add_data(*[cells.get(str(name)) for name in table.columns])
    return table if table is not None else wandb.Table(columns=["name"])


def _pictures(folder: Path, methods: Sequence[str]) -> dict[str, Any]:
    """Returns the pictures of a row by the names of their columns."""
    arrays = read_arrays(folder / "saliency.npz")
    picture = to_picture(arrays["image"])
    cells: dict[str, Any] = {"image": wandb.Image(enlarge(picture))}
    for name in map(map_artifact, methods):
        if name in arrays:
            cells[name] = wandb.Image(enlarge(map_picture(arrays[name])))
    cells["region"] = wandb.Image(enlarge(outlined(picture, arrays["region"])))
    if (folder / "variants.npz").is_file():
        variants = read_arrays(folder / "variants.npz")
        for word, chosen in (("accepted", variants["accepted"]), ("flipped", ~variants["accepted"])):
            shown = variants["images"][chosen & ~variants["duplicate"]][:SHOWN]
            cells[f"{word}_variants"] = wandb.Image(enlarge(picture_grid(shown)))
    return cells


def leaderboard_table(standings: Sequence[Standing]) -> wandb.Table:
    """Makes a W&B table with a row for each metric and method."""
    return _table(Standing, standings)


def pairs_table(comparisons: Sequence[Comparison]) -> wandb.Table:
    """Makes a W&B table with a row for each metric and pair of methods."""
    return _table(Comparison, comparisons)


def _table(kind: type[Standing | Comparison], found: Sequence[Standing] | Sequence[Comparison]) -> wandb.Table:
    columns: list[str | int] = [*field_names(kind)]
    return wandb.Table(columns=columns, data=[list(row.values()) for row in rows_of(found)])


def picture(content: bytes) -> wandb.Image:
    """Makes a W&B picture of a PNG file's content."""
    return wandb.Image(Image.open(io.BytesIO(content)))


def log_report(run: Any, report: RunReport, max_images: int) -> str:
    """Logs a report to a W&B run.

    Args:
        run: The run.
        report: The report.
        max_images: Rows of the table of images at most, those that deserve a look first; 0: all.

    Returns:
        What is to be said of images that are left out; empty where there are none.
    """
    board = report.board
    order, count = attention(board.numbers, board.controls).order, len(board.folders)
    shown = sorted(order[: max_images or count])
    run.log({"explanations": images_table(board, shown)})
    run.log(
        {
            "leaderboard": leaderboard_table(board.standings),
            "pairs": pairs_table(board.comparisons),
        }
    )
    run.log({f"charts/{plot.name}": picture(plot.picture) for plot in report.plots})
    left_out = count - len(shown)
    run.summary.update(dict(report.summary) | {"explanations_logged": len(shown), "explanations_left_out": left_out})
    if not left_out:
        return ""
    return (
        f"W&B: the table of explanations has the {len(shown)} of {count} rows that deserve a look first; "
        "logger.max_images=0 logs all"
    )
