"""Reads NumPy's files of series: ``.npz`` with classes, ``.npy`` with the classes in a file beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.core.errors import OverpaintError
from overpaint.data.series.content import SeriesContent, as_label, without_end

Array = NDArray[Any]

VALUES, LABELS = ("x", "series", "data", "values"), ("y", "labels", "label", "classes", "target")
"""What the arrays of a ``.npz`` are called, in any case."""

PARTS = ("train", "test")


def read_npy(path: str) -> SeriesContent:
    """Reads a ``.npy`` file: series x step, or series x channel x step; or the steps of one series.

    Of a file ``X….npy`` the classes are in ``y….npy`` beside it, where there is one.

    Raises:
        OverpaintError: If it can't be read, or has another shape.
    """
    values = _loaded(path)
    given = Path(path)
    beside = given.with_name("y" + given.name[1:])
    labels = _loaded(str(beside)) if given.name[:1] in ("X", "x") and beside.is_file() else None
    return _content(values, labels, path)


def read_npz(path: str) -> dict[str, SeriesContent]:
    """Reads a ``.npz`` file: arrays ``X`` and ``y``, or ``X_train``, ``y_train``, ``X_test`` and ``y_test``.

    Returns:
        What it holds by its parts, ``train`` and ``test``, or ``""`` where it has no parts.

    Raises:
        OverpaintError: If it can't be read, or an array is missing or has another shape.
    """
    arrays = {name.lower(): values for name, values in _loaded(path).items()}
    found = {part: _content(arrays[x], arrays.get(y or ""), path) for part, x, y in _named(arrays)}
    if not found:
        raise OverpaintError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; the series must be called X, the classes y"
        )
    if "test" in found and "train" not in found:
        raise OverpaintError(f"{path} has series to test with and none to train with")
    return found


def read_npy_values(path: str) -> NDArray[np.float64]:
    """Reads the numbers of a ``.npy`` file, of any shape.

    Raises:
        OverpaintError: If it can't be read, holds other things than finite numbers and NaN, or none.
    """
    values = _loaded(path)
    if not isinstance(values, np.ndarray) or not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise OverpaintError(f"{path} holds no array of numbers")
    if not values.size or np.isinf(values).any():
        raise OverpaintError(f"{path} holds {'an infinite value' if values.size else 'no value'}")
    return values.astype(np.float64)


def _named(arrays: Mapping[str, Array]) -> list[tuple[str, str, str | None]]:
    """Returns the parts that a file has, with the names of their series and of their classes."""
    found: list[tuple[str, str, str | None]] = []
    for part in (*PARTS, ""):
        end = f"_{part}" if part else ""
        values = [f"{name}{end}" for name in VALUES if f"{name}{end}" in arrays]
        labels = [f"{name}{end}" for name in LABELS if f"{name}{end}" in arrays]
        if values and (part or not found):
            found.append((part, values[0], labels[0] if labels else None))
    return found


def _loaded(path: str) -> Any:
    try:
        content = np.load(path, allow_pickle=False)
        return content if isinstance(content, np.ndarray) else dict(content)
    except Exception as error:  # NumPy's and zip's own kinds
        raise OverpaintError(
            f"{path} can't be read as NumPy's file of numbers: {str(error).splitlines()[0]}"
        ) from error


def _content(values: Array, labels: Array | None, path: str) -> SeriesContent:
    if values.ndim not in (1, 2, 3) or not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise OverpaintError(
            f"{path} holds {values.dtype} of shape {values.shape}; series are numbers of shape (step,), (series, "
            "step) or (series, channel, step)"
        )
    values = np.atleast_2d(values)
    cases = values.astype(np.float64).reshape(len(values), -1, values.shape[-1])
    if cases.shape[1] > cases.shape[2]:
        raise OverpaintError(
            f"{path} holds series of {cases.shape[1]} channels and {cases.shape[2]} steps; the order must be (series, "
            "channel, step), which X.transpose(0, 2, 1) makes of (series, step, channel)"
        )
    if np.isinf(cases).any():
        raise OverpaintError(f"{path} holds an infinite value")
    if labels is not None and labels.shape not in ((len(cases),), (len(cases), 1)):
        raise OverpaintError(f"{path} holds {len(cases)} series, but classes of shape {labels.shape}")
    names = None if labels is None else [as_label(_text(label)) for label in labels.reshape(-1)]
    return SeriesContent([without_end(case) for case in cases], names)


def _text(label: Any) -> str:
    return label.decode() if isinstance(label, bytes) else str(label)
