"""Tables of the page: the numbers of all images, and the results of the probes."""

import math
from collections.abc import Mapping
from typing import Any

from overpaint.report.tables.formatting import shown
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.summary import image_row

Rows = list[list[str]]
"""A table: rows of cells, the first one its heading."""

COLUMNS = {
    "name": "",
    "label": "the true class, where it is known",
    "prediction": "the class with the highest score",
    "target": "the explained class",
    "confidence": "the classifier's score of the explained class",
    "region_fraction": "share of the image that was repainted",
    "necessity": "share of plausible fills of the region that take the class away",
    "acceptance_rate": "sufficiency of the surroundings: share of the different variants that keep the class",
    "mean_confidence": "mean score of the accepted variants",
    "contextual_loss": "how well what was painted continues into its surroundings; smaller is better",
    "realism": "the discriminator's mean score of the variants; larger is more real",
    "diversity": "mean difference of two accepted variants inside the region",
}
"""Numbers of the images in the table of all of them, and what they are."""

SIDE_BY_SIDE = 12
"""So many images have a column each in the tables of the probes; of more, each has a row."""


def image_table(board: Scoreboard, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the table of all images: its columns with what they are, a row of means, a row for each image."""
    rows = [image_row(result) for result in board.results]
    columns = [name for name in COLUMNS if any(name in row for row in rows)]
    return {
        "columns": {name.replace("_", " "): COLUMNS[name] for name in columns},
        "means": ["mean", *(shown(summary.get(f"mean_{name}")) for name in columns[1:])],
        "rows": [[shown(row.get(name)) for name in columns] for row in rows],
    }


def probe_tables(board: Scoreboard, summary: Mapping[str, Any]) -> dict[str, Rows]:
    """Returns a table for each probe: its numbers of each image, and their means.

    Args:
        board: The rows.
        summary: The means.
    """
    images = [str(result["name"]) for result in board.results]
    tables = {}
    for probe, found in board.probe_results.items():
        names = list(dict.fromkeys(name for numbers in found for name in numbers))
        means = ["mean", *(shown(summary[probe].get(name)) for name in names)]
        rows = [[image, *(_number(own.get(name)) for name in names)] for image, own in zip(images, found, strict=True)]
        table = [["", *(name.replace("_", " ") for name in names)], means, *rows]
        if names:
            tables[probe] = (
                table if len(images) > SIDE_BY_SIDE else [list(column) for column in zip(*table, strict=True)]
            )
    return tables


def _number(value: float | None) -> str:
    return shown(None if value is None or math.isnan(value) else value)
