"""Reads tables of series: ``.tsv``, ``.txt``, ``.csv`` with the class first, and ``.arff``."""

import warnings

import numpy as np
from scipy.io import arff

from overpaint.core.errors import OverpaintError
from overpaint.data.series.content import (
    NUMBER,
    Case,
    SeriesContent,
    as_label,
    as_values,
    read_text,
    without_end,
)

DELIMITERS = ("\t", ",", ";")
"""What stands between the words of a line, the first of them that is found; else spaces."""


def read_table(path: str) -> SeriesContent:
    """Reads a table of one series a line: its class, then its values, as in the UCR archive.

    Values can be missing; NaN at the end fills shorter series. A first line whose values are no numbers is a heading.

    Raises:
        OverpaintError: If a value is no number, or a line has none.
    """
    rows = split_lines(path)
    if len(rows) > 1 and _is_heading(rows[0][1]):
        rows = rows[1:]
    cases: list[Case] = []
    for number, words in rows:
        case = without_end(as_values(words[1:], f"{path}, line {number}")[None])
        if not case.shape[1]:
            raise OverpaintError(f"{path}, line {number} has no value behind its class '{words[0].strip()}'")
        cases.append(case)
    return SeriesContent(cases, [as_label(words[0]) for _, words in rows])


def split_lines(path: str) -> list[tuple[int, list[str]]]:
    """Reads a table; returns the number and the words of each line that is not empty.

    Raises:
        OverpaintError: If there is none.
    """
    lines = [(number, line) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    if not lines:
        raise OverpaintError(f"{path} holds no series: it is empty")
    delimiter = next((each for each in DELIMITERS if each in lines[0][1]), None)
    return [(number, line.strip("\r\n" if delimiter else None).split(delimiter)) for number, line in lines]


def _is_heading(words: list[str]) -> bool:
    values = [word.strip() for word in words[1:]]
    return bool(values) and not any(NUMBER.fullmatch(word) or word.lower() in ("", "?", "nan") for word in values)


def read_arff(path: str) -> SeriesContent:
    """Reads an ``.arff`` file: numeric attributes, or a relational one that holds the channels; the class comes last.

    Raises:
        OverpaintError: If it can't be read, or its last attribute is no class.
    """
    read_text(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows, meta = arff.loadarff(path)
    except Exception as error:  # SciPy's reader lets any kind of error through from a damaged file
        raise OverpaintError(f"{path} can't be read as ARFF: {str(error).strip() or type(error).__name__}") from error
    names, types = meta.names(), meta.types()
    if not len(rows):
        raise OverpaintError(f"{path} holds no series")
    if len(names) < 2 or types[-1] != "nominal" or set(types[:-1]) not in ({"numeric"}, {"relational"}):
        raise OverpaintError(
            f"{path} has attributes of the types {', '.join(sorted(set(types)))}; numeric ones or a relational one are "
            "read, with the class, which is nominal, last"
        )
    if "relational" in types:
        cases = [np.stack([_as_array(channel) for channel in row[names[0]]]) for row in rows]
    else:
        cases = [_as_array(row, names[:-1])[None] for row in rows]
    labels = [as_label(row[names[-1]].decode()) for row in rows]
    return SeriesContent([without_end(case) for case in cases], labels)


def _as_array(row: np.void, names: list[str] | None = None) -> Case:
    return np.array([row[name] for name in (row.dtype.names or ()) if names is None or name in names], dtype=np.float64)
