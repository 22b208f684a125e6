"""A table that is kept by columns: eight bytes a number, and each text once."""

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from jaxtyping import Float

Cell = str | bool | int | float | None
"""What stands in a table; None: nothing."""


class Columns:
    """A table of rows by column, a hundred times smaller than the rows' dictionaries.

    A column holds texts, or numbers of one kind: truth values, whole numbers, or floats where any of its numbers is
    one. What a row does not have, or has as None or NaN, is None when it is read.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, array[float]] = {}
        self._texts: dict[str, list[str | None]] = {}
        self._kinds: dict[str, type[bool] | type[int] | type[float]] = {}
        self._names: dict[str, None] = {}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    @property
    def names(self) -> list[str]:
        """The columns' names, in the order in which they came."""
        return list(self._names)

    def append(self, row: Mapping[str, Cell]) -> None:
        """Adds a row."""
        self._names |= dict.fromkeys(row)
        for name, value in row.items():
            if isinstance(value, str):
                own = self._texts.setdefault(name, [])
                own.extend([None] * (self._rows - len(own)))
                own.append(sys.intern(value))
            elif value is not None:
                numbers = self._numbers.setdefault(name, array("d"))
                numbers.extend([float("nan")] * (self._rows - len(numbers)))
                numbers.append(value)
                kind = type(value)
                self._kinds[name] = kind if self._kinds.get(name, kind) is kind else float
        self._rows += 1

    def row(self, index: int) -> dict[str, Cell]:
        """Returns a row, with all columns."""
        return {name: self._cell(name, index) for name in self._names}

    def rows(self) -> Iterator[dict[str, Cell]]:
        """Yields each row, with all columns."""
        return (self.row(index) for index in range(self._rows))

    def _cell(self, name: str, index: int) -> Cell:
        texts, numbers = self._texts.get(name, []), self._numbers.get(name, array("d"))
        if index < len(texts) and texts[index] is not None:
            return texts[index]
        if index >= len(numbers) or numbers[index] != numbers[index]:
            return None
        return self._kinds[name](numbers[index])

    def kind(self, name: str) -> type[bool] | type[int] | type[float] | None:
        """Returns of what kind a column's numbers are; None where it has none."""
        return self._kinds.get(name)

    def texts(self, name: str) -> list[str | None]:
        """Returns a column of texts."""
        own = self._texts.get(name, [])
        return own + [None] * (self._rows - len(own))

    def numbers(self, name: str) -> Float[np.ndarray, " row"]:
        """Returns a column of numbers; NaN where a row has none."""
        values = np.full(self._rows, np.nan)
        own = self._numbers.get(name, array("d"))
        values[: len(own)] = own
        return values


def as_columns(rows: Iterable[Mapping[str, Cell]]) -> Columns:
    """Returns the table of some rows."""
    columns = Columns()
    for row in rows:
        columns.append(row)
    return columns
