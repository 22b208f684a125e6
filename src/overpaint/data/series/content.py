"""What a file of series holds, as it was read."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overpaint.core.errors import OverpaintError

Case = NDArray[np.float64]
"""A series, channel x step; NaN where a value is missing."""

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class SeriesContent:
    """The series of a file.

    Attributes:
        cases: The series, which can have different lengths.
        labels: The class of each; None where the file says none.
        names: The name of each; none: they are called by the file, and by their place in it.
        files: The file of each, where each has its own.
    """

    cases: Sequence[Case]
    labels: Sequence[str] | None
    names: Sequence[str] = ()
    files: Sequence[Path] = ()


def as_label(text: str) -> str:
    """Returns a class as it is shown: whole numbers without decimals (``2.0000e+00``: ``2``), all else as written."""
    text = text.strip()
    if NUMBER.fullmatch(text) and math.isfinite(value := float(text)) and value == int(value):
        return str(int(value))
    return text


def as_values(words: Sequence[str], where: str) -> NDArray[np.float64]:
    """Reads numbers; ``?``, ``NaN`` and nothing are missing.

    Args:
        words: The numbers as they are written.
        where: The file and line, for errors.

    Raises:
        OverpaintError: If a word is no number, or infinite.
    """
    try:
        values = np.array([float(word) if word.strip() not in ("", "?") else math.nan for word in words])
    except ValueError as error:
        raise OverpaintError(f"{where}: {str(error).partition(': ')[2] or 'a word'} is no number") from error
    if np.isinf(values).any():
        raise OverpaintError(f"{where}: a value is infinite")
    return values


def without_end(case: Case) -> Case:
    """Returns a series without the steps at its end at which every channel is missing.

    In tables all rows are equally long, and a shorter series is filled with NaN at its end.
    """
    known = np.flatnonzero(~np.isnan(case).all(axis=0))
    return case[:, : known[-1] + 1] if len(known) else case[:, :0]


def read_text(path: str) -> str:
    """Reads a text file in UTF-8.

    Raises:
        OverpaintError: If it can't be opened or is no text.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise OverpaintError(f"{path} is no text in UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise OverpaintError(f"{path} can't be opened: {(error.strerror or str(error)).lower()}") from error
