"""W&B tables and pictures of explained images and of the leaderboard."""

import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import wandb
from PIL import Image

from overpaint.core.files import read_arrays
from overpaint.metrics.statistics.ranking import Comparison, Standing
from overpaint.pipeline.cache import read_result
from overpaint.report.plots.images import enlarge, map_picture, outlined, picture_grid, to_picture
from overpaint.report.run import RunReport
from overpaint.report.tables.leaderboard import known_values
from overpaint.report.tables.summary import image_row, method_rows

SHOWN = 16
"""Variants of each kind in a picture at most."""


def wandb_table(explained: Sequence[Path], methods: Sequence[str], metrics: Sequence[str]) -> wandb.Table:
    """Makes a W&B table with a row for each image: the pictures and the numbers."""
    table = None
    for path in explained:
        result = read_result(path)
        arrays = read_arrays(path / "saliency.npz")
        picture = to_picture(arrays["image"])
        cells: dict[str, Any] = {"image": wandb.Image(enlarge(picture))}
        for name, values in arrays.items():
            if name.removeprefix("map_") in methods and name.startswith("map_"):
                cells[name] = wandb.Image(enlarge(map_picture(values)))
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


def log_report(run: Any, report: RunReport) -> None:
    """Logs a report to a W&B run."""
    board = report.board
    run.log({"explanations": wandb_table(report.folders, board.methods, list(board.metrics))})
    run.log({"leaderboard": wandb_leaderboard(board.standings), "pairs": wandb_pairs(board.comparisons)})
    run.log({f"charts/{plot.name}": wandb_picture(plot.picture) for plot in report.plots})
    run.summary.update(dict(report.summary))


def wandb_picture(picture: bytes) -> wandb.Image:
    """Makes a W&B picture of a PNG file's content."""
    return wandb.Image(Image.open(io.BytesIO(picture)))


def wandb_leaderboard(standings: Sequence[Standing]) -> wandb.Table:
    """Makes a W&B table with a row for each metric and method."""
    columns: list[str | int] = [field.name for field in fields(Standing)]
    return wandb.Table(columns=columns, data=[list(known_values(asdict(s)).values()) for s in standings])


def wandb_pairs(comparisons: Sequence[Comparison]) -> wandb.Table:
    """Makes a W&B table with a row for each metric and pair of methods."""
    columns: list[str | int] = [field.name for field in fields(Comparison)]
    return wandb.Table(columns=columns, data=[list(known_values(asdict(c)).values()) for c in comparisons])
