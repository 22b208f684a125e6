"""The curves of all rows, in a temporary file until they are averaged: only one metric's is in memory at a time."""

import tempfile
import weakref
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray


class StoredCurves(NamedTuple):
    """The curves of one name.

    Attributes:
        rows: The rows that have one.
        places: Where on the horizontal axis the points lie, the mean over the rows.
        values: A curve for each of the rows; all end with the shortest one.
    """

    rows: Sequence[int]
    places: Float[np.ndarray, " point"]
    values: Float[np.ndarray, "row point"]


class CurveStore:
    """Keeps curves by name and row; the file is deleted with the store."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the store
        weakref.finalize(self, self._file.close)
        self._end = 0
        self._rows: dict[str, array[int]] = {}
        self._starts: dict[str, array[int]] = {}
        self._points: dict[str, array[int]] = {}

    def append(self, row: int, curves: Mapping[str, NDArray[Any]]) -> None:
        """Adds the curves of a row, each with its values and their places on the horizontal axis as two rows."""
        for name, both in curves.items():
            content = np.ascontiguousarray(both, dtype=np.float32).tobytes()
            self._file.seek(self._end)
            self._file.write(content)
            for index, value in ((self._rows, row), (self._starts, self._end), (self._points, both.shape[1])):
                index.setdefault(name, array("q")).append(value)
            self._end += len(content)

    def read(self, name: str) -> StoredCurves | None:
        """Returns the curves of a name; None where no row has one."""
        if name not in self._rows:
            return None
        points = self._points[name]
        shortest = min(points)
        values = np.empty((len(points), shortest), dtype=np.float32)
        places = np.zeros(shortest)
        for i, (start, count) in enumerate(zip(self._starts[name], points, strict=True)):
            self._file.seek(start)
            both = np.frombuffer(self._file.read(8 * count), dtype=np.float32).reshape(2, count)
            values[i] = both[0, :shortest]
            places += both[1, :shortest]
        return StoredCurves(list(self._rows[name]), places / len(points), values)
