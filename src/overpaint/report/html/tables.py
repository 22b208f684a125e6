"""Tables of the page: the numbers of all images, and the results of the probes."""

from collections.abc import Mapping, Sequence
from typing import Any

from overpaint.report.tables.formatting import shown
from overpaint.report.tables.scoreboard import Scoreboard

Rows = list[list[str]]
"""A table: rows of cells, the first one its heading."""

COLUMNS = {
    "name": "",
    "label": "the true class, where it is known",
    "prediction": "the class with the highest score",
    "target": "the explained class",
    "confidence": "the classifier's score of the explained class",
    "region_fraction": "share of the whole that was repainted",
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


def image_table(board: Scoreboard, summary: Mapping[str, Any], shown_rows: Sequence[int]) -> dict[str, Any]:
    """Returns a table of images: its columns with what they are, a row of the means of all, a row for each image.

    Args:
        board: The rows.
        summary: The means of all.
        shown_rows: The rows that are shown, by their numbers.
    """
    images = board.numbers.images
    columns = [name for name in COLUMNS if name in images.names]
    rows = [(row, images.row(row)) for row in shown_rows]
    return {
        "columns": {name.replace("_", " "): COLUMNS[name] for name in columns},
        "means": ["mean", *(shown(summary.get(f"mean_{name}")) for name in columns[1:])],
        "rows": [(card_id(row), [shown(own[name]) for name in columns]) for row, own in rows],
    }


def card_id(row: int) -> str:
    """Returns the name of a row's place on the page."""
    return f"image-{row + 1}"


def probe_tables(board: Scoreboard, summary: Mapping[str, Any], shown_rows: Sequence[int]) -> dict[str, Rows]:
    """Returns a table for each probe: its numbers of each image, and the means of all.

    Args:
        board: The rows.
        summary: The means of all.
        shown_rows: The rows that are shown, by their numbers.
    """
    images = board.numbers.images.texts("name")
    tables = {}
    for probe, found in board.probe_results.items():
        means = ["mean", *(shown(summary[probe].get(name)) for name in found.names)]
        rows = [[str(images[row]), *(shown(own) for own in found.row(row).values())] for row in shown_rows]
        table = [["", *(name.replace("_", " ") for name in found.names)], means, *rows]
        if found.names:
            tables[probe] = table if len(rows) > SIDE_BY_SIDE else [list(column) for column in zip(*table, strict=True)]
    return tables
