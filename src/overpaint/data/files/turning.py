"""EXIF's rotations of arrays; Pillow does the same to its own images."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""What each value of EXIF's orientation asks for."""


def turned(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Returns an array ``(height, width, band)`` upright.

    Args:
        values: The array as the file has it.
        orientation: EXIF's number; one that is unknown turns nothing.
    """
    return TURNS[orientation](values) if orientation in TURNS else values
