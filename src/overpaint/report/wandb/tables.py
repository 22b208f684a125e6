"""Weights & Biases tables: the images, the leaderboard of methods, the differences of each pair."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import wandb
from PIL import Image

from overpaint.core.files import read_arrays
from overpaint.core.value_range import is_series
from overpaint.metrics.statistics.ranking import Comparison, Standing
from overpaint.pipeline.artifacts import map_artifact
from overpaint.report.attention import attention
from overpaint.report.plots.images import enlarge, map_picture, outlined, picture_grid, to_picture
from overpaint.report.plots.series_charts import accepted_chart, flipped_chart, map_chart, series_chart
from overpaint.report.plots.series_panels import Arrays
from overpaint.report.run import RunReport
from overpaint.report.tables.leaderboard import field_names, rows_of
from overpaint.report.tables.scoreboard import Scoreboard

SHOWN = 16
"""So many accepted, and so many flipped variants are shown of an image."""


def images_table(board: Scoreboard, rows: Sequence[int], class_names: Sequence[str]) -> wandb.Table:
    """Makes a W&B table with a row for each image or series: the pictures and the numbers.

    Args:
        board: All rows.
        rows: The numbers of those that are shown.
        class_names: The classifier's.
    """
    table, numbers = None, board.numbers
    for row in rows:
        cells: dict[str, Any] = {**_pictures(board.folders[row], list(board.methods), class_names)}
        cells |= numbers.images.row(row)
        for method in board.methods:
            own = numbers.methods[method].row(row) | numbers.metrics[method].row(row)
            cells |= {f"{method}_{name}": own[name] for name in ("queries", "relative_error", *board.metrics)}
        if table is None:
            table = wandb.Table(columns=list(cells))
        table.add_data(*[cells.get(str(name)) for name in table.columns])
    return table if table is not None else wandb.Table(columns=["name"])


def _pictures(folder: Path, methods: Sequence[str], class_names: Sequence[str]) -> dict[str, wandb.Image]:
    """Returns the pictures of a row by the names of their columns."""
    arrays = read_arrays(folder / "saliency.npz")
    shown = [name for name in methods if map_artifact(name) in arrays]
    variants = read_arrays(folder / "variants.npz") if (folder / "variants.npz").is_file() else None
    if is_series(arrays["image"].shape[1:]):
        return _charts(arrays, shown, variants, class_names)
    picture = to_picture(arrays["image"])
    cells = {"image": wandb.Image(enlarge(picture))}
    for name in map(map_artifact, shown):
        cells[name] = wandb.Image(enlarge(map_picture(arrays[name])))
    cells["region"] = wandb.Image(enlarge(outlined(picture, arrays["region"])))
    if variants is not None:
        for word, chosen in (("accepted", variants["accepted"]), ("flipped", ~variants["accepted"])):
            pictures = variants["images"][chosen & ~variants["duplicate"]][:SHOWN]
            cells[f"{word}_variants"] = wandb.Image(enlarge(picture_grid(pictures)))
    return cells


def _charts(
    arrays: Arrays, methods: Sequence[str], variants: Arrays | None, class_names: Sequence[str]
) -> dict[str, wandb.Image]:
    """Returns the charts of a row that is a series."""
    cells = {"image": series_chart({**arrays, "region": np.zeros_like(arrays["region"])})}
    cells |= {map_artifact(name): map_chart(arrays, name) for name in methods}
    cells["region"] = series_chart(arrays)
    if variants is not None:
        cells["accepted_variants"] = accepted_chart(arrays, variants, "accepted")
        cells["flipped_variants"] = flipped_chart(arrays, variants, class_names, "flipped")
    return {name: picture(content) for name, content in cells.items()}


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
    run.log({"explanations": images_table(board, shown, report.class_names)})
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
