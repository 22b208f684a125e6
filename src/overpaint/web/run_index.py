"""The images of an ``explain`` folder, from its files alone: what a gallery filters and sorts by."""

import hashlib
import math
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from overpaint.core.errors import OverpaintError
from overpaint.core.files import read_csv, write_bytes
from overpaint.core.names import safe_file_name
from overpaint.report.image_plots import OVERVIEW
from overpaint.web.pictures import thumbnail

JUDGES = ("insertion", "deletion", "iou", "energy_inside")
"""The metrics by whose values methods are said to disagree; the first that was measured counts."""

THUMBNAIL = 320
"""Pixels along the longer side of a thumbnail."""


@dataclass(frozen=True)
class ExplainedRow:
    """An explained image and class.

    Attributes:
        name: Its name.
        folder: Its files.
        label: The true class; empty where it is not known.
        prediction: The class with the highest score.
        target: The explained class.
        confidence: The score of the explained class.
        acceptance: Share of the variants that keep the class; NaN where there are none.
        flat: Whether a map has no contrast.
        disagreement: Greatest difference between the methods' values of a metric; NaN where nothing was measured.
    """

    name: str
    folder: Path
    label: str
    prediction: str
    target: str
    confidence: float
    acceptance: float
    flat: bool
    disagreement: float

    @property
    def wrong(self) -> bool:
        """Whether the prediction is known to be wrong."""
        return bool(self.label) and self.label != self.prediction

    @property
    def interest(self) -> float:
        """How much it deserves a look: wrong or flat first, then what disagrees, and what few variants keep."""
        lost = 0.0 if math.isnan(self.acceptance) else 1 - self.acceptance
        return 4 * self.wrong + 2 * self.flat + (0.0 if math.isnan(self.disagreement) else self.disagreement) + lost


def read_rows(folder: Path) -> list[ExplainedRow]:
    """Reads the rows of an ``explain`` folder from its ``results.csv``.

    Raises:
        OverpaintError: If there is no such table, or it is another one.
    """
    table = folder / "results.csv"
    try:
        lines = read_csv(table)
        by_name: dict[str, list[dict[str, str]]] = {}
        for line in lines:
            by_name.setdefault(line["name"], []).append(line)
        rows = [_row(folder, own) for own in by_name.values()]
    except (OSError, KeyError, ValueError) as error:
        raise OverpaintError(f"{table} can't be read as the table of an explain folder: {error}") from error
    if not rows:
        raise OverpaintError(f"there are no results in {table}; choose a folder that explain has written")
    return rows


def _row(folder: Path, lines: Sequence[dict[str, str]]) -> ExplainedRow:
    first = lines[0]
    image, at, class_name = first["name"].rpartition("@")
    name = f"{safe_file_name(image)}@{safe_file_name(class_name)}" if at else safe_file_name(first["name"])
    return ExplainedRow(
        name=first["name"],
        folder=folder / name,
        label=first.get("label", ""),
        prediction=first["prediction"],
        target=first["target"],
        confidence=float(first["confidence"]),
        acceptance=float(first.get("acceptance_rate") or math.nan),
        flat=any(line.get("flat_map") == "True" for line in lines),
        disagreement=_disagreement(lines),
    )


def _disagreement(lines: Sequence[dict[str, str]]) -> float:
    for metric in JUDGES:
        values = [float(line[metric]) for line in lines if line.get(metric)]
        if len(values) > 1:
            return max(values) - min(values)
    return math.nan


def row_thumbnails(rows: Sequence[ExplainedRow]) -> list[bytes | None]:
    """Returns small pictures of rows; see `row_thumbnail`. Reading pictures keeps several cores busy."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(row_thumbnail, rows))


def row_thumbnail(row: ExplainedRow) -> bytes | None:
    """Returns a small picture of a row, made once; None where its folder has none."""
    source = row.folder / OVERVIEW
    try:
        stamp = f"{source.resolve()}:{source.stat().st_mtime_ns}:{THUMBNAIL}"
        kept = (
            Path(tempfile.gettempdir()) / f"overpaint-thumbnails-{_user()}" / hashlib.sha256(stamp.encode()).hexdigest()
        )
        if kept.is_file():
            return kept.read_bytes()
        content = thumbnail(source.read_bytes(), THUMBNAIL)
    except (OSError, ValueError):
        return None
    with suppress(OSError):  # another visitor's page may make it, too
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        write_bytes(kept, content)
    return content


def _user() -> str:
    """Returns the user's name as far as a folder's name needs it."""
    return safe_file_name(Path.home().name or "user")
