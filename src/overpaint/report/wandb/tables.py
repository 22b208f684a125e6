"""Weights & Biases tables: the images, the leaderboard of methods, the differences of each pair."""

import io
from collections.abc import Sequence
from typing import Any

import wandb
from PIL import Image

from overpaint.core.files import read_arrays
from overpaint.metrics.statistics.ranking import Comparison, Standing
from overpaint.pipeline.artifacts import map_artifact
from overpaint.report.plots.images import enlarge, map_picture, outlined, picture_grid, to_picture
from overpaint.report.run import RunReport
from overpaint.report.tables.leaderboard import field_names, rows_of
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.summary import image_row, method_rows

SHOWN = 16
"""So many accepted, and so many flipped variants are shown of an image."""


def images_table(board: Scoreboard) -> wandb.Table:
    """Makes a W&B table with a row for each image: the pictures and the numbers."""
    table, methods, metrics = None, list(board.methods), list(board.metrics)
    for path, result in zip(board.folders, board.results, strict=True):
        arrays = read_arrays(path / "saliency.npz")
        picture = to_picture(arrays["image"])
        cells: dict[str, Any] = {"image": wandb.Image(enlarge(picture))}
        for name in map(map_artifact, methods):
            if name in arrays:
                cells[name] = wandb.Image(enlarge(map_picture(arrays[name])))
        cells["region"] = wandb.Image(enlarge(outlined(picture, arrays["region"])))
        if (path / "variants.npz").is_file():
            variants = read_arrays(path / "variants.npz")
            for word, chosen in (("accepted", variants["accepted"]), ("flipped", ~variants["accepted"])):
                shown = variants["images"][chosen & ~variants["duplicate"]][:SHOWN]
                cells[f"{word}_variants"] = wandb.Image(enlarge(picture_grid(shown)))
        cells |= image_row(result)
        for row in method_rows(result, methods, metrics):
            cells |= {f"{row['method']}_{name}": row[name] for name in ("queries", "relative_error", *metrics)}
        if table is None:
            table = wandb.Table(columns=list(cells))
        table.add_data(*[cells.get(str(name)) for name in table.columns])
    return table if table is not None else wandb.Table(columns=["name"])


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


def log_report(run: Any, report: RunReport) -> None:
    """Logs a report to a W&B run."""
    board = report.board
    run.log({"explanations": images_table(board)})
    run.log(
        {
            "leaderboard": leaderboard_table(board.standings),
            "pairs": pairs_table(board.comparisons),
        }
    )
    run.log({f"charts/{plot.name}": picture(plot.picture) for plot in report.plots})
    run.summary.update(dict(report.summary))
