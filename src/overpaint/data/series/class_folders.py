"""Folders of series: a folder for each class, and in it a file for each series."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from overpaint.core.errors import OverpaintError
from overpaint.data.files.kinds import find_files
from overpaint.data.folder import SPLITS
from overpaint.data.series.array_files import read_npy_values
from overpaint.data.series.content import NUMBER, Case, SeriesContent, as_values
from overpaint.data.series.table_files import split_lines
from overpaint.data.series.ts_files import read_ts


def _read_ts(path: str) -> Case:
    cases = read_ts(path).cases
    if len(cases) != 1:
        raise OverpaintError(f"{path} holds {len(cases)} series; a file in a class's folder holds one")
    return cases[0]


def _read_array(path: str) -> Case:
    values = read_npy_values(path)
    if values.ndim not in (1, 2):
        raise OverpaintError(f"{path} has shape {values.shape}; a file of one series has (step,) or (channel, step)")
    case = values.reshape(-1, values.shape[-1])
    if case.shape[0] > case.shape[1]:
        raise OverpaintError(f"{path} holds {case.shape[0]} channels of {case.shape[1]} steps; the steps come last")
    return case


def _read_columns(path: str) -> Case:
    """Reads a table of one series: a line for each step, a column for each channel; a single line is a channel.

    A first line without any number is a heading.
    """
    rows = split_lines(path)
    if len(rows) > 1 and not any(NUMBER.fullmatch(word.strip()) for word in rows[0][1]):
        rows = rows[1:]
    values = [as_values(words, f"{path}, line {number}") for number, words in rows]
    if len({len(row) for row in values}) > 1:
        raise OverpaintError(f"{path}: lines have {min(map(len, values))} to {max(map(len, values))} numbers")
    case: Case = np.stack(values) if len(values) == 1 else np.stack(values, axis=1)
    return case


READERS: dict[str, Callable[[str], Case]] = {
    ".csv": _read_columns,
    ".tsv": _read_columns,
    ".txt": _read_columns,
    ".npy": _read_array,
    ".ts": _read_ts,
}
"""How the file of one series is read, by its suffix."""


def find_class_folders(root: Path) -> dict[str, Path]:
    """Returns the folders that hold class folders, by their parts, or ``""`` where there is one; none: {}."""
    given = {split: root / split for split in SPLITS if _files(root / split)}
    if "train" in given:
        return given
    return {"": root} if _files(root) else {}


def read_class_folders(folder: Path) -> SeriesContent:
    """Reads the series of each class folder; their names are their paths below ``folder``.

    Raises:
        OverpaintError: If a file can't be read, or holds more than one series.
    """
    files = _files(folder)
    return SeriesContent(
        [READERS[path.suffix.lower()](str(path)) for path in files],
        [path.relative_to(folder).parts[0] for path in files],
        [path.relative_to(folder).as_posix() for path in files],
        files,
    )


def _files(folder: Path) -> list[Path]:
    """Returns the files of series in a folder's folders."""
    return find_files(folder, lambda path: path.suffix.lower() in READERS and path.parent != folder)
