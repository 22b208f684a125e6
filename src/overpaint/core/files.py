"""Writes files whole or not at all: a killed run leaves no half of one."""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file beside its place and moves it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(path)
    partial.write_bytes(content)
    partial.replace(path)


PARTIAL, OLD = "overpaint-new", "overpaint-old"
"""The ends of the names of files and folders that are not whole yet, and of folders that new ones are replacing."""


def partial_path(path: Path) -> Path:
    """Returns where a file or folder is kept until it is whole; `restore` deletes what interrupted runs left there."""
    return _beside(path, PARTIAL)


def _beside(path: Path, state: str) -> Path:
    return path.with_name(f".{path.name}.{state}")


def empty_twin(folder: Path) -> Path:
    """Makes an empty hidden folder beside ``folder``, to be filled and then put in its place by `replace_folder`."""
    twin = partial_path(folder)
    _delete(twin)
    twin.mkdir(parents=True)
    return twin


def _delete(folder: Path) -> None:
    """Deletes what this module has named, if it is there; a link goes, and what it leads to stays."""
    if not folder.name.endswith((f".{PARTIAL}", f".{OLD}")):
        raise ValueError(f"{folder} is not ours")
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)


def replace_folder(folder: Path, new: Path) -> None:
    """Puts the folder ``new`` in the place of ``folder``.

    The old one is renamed aside, the new one in, and only then the old one deleted: at each moment one of the two is
    whole, and `restore` finds it.

    Raises:
        ValueError: If the two do not lie in the same folder.
    """
    if folder.name in ("", "..") or new.parent.resolve() != folder.parent.resolve():
        raise ValueError(f"{folder} and {new} do not lie in one folder")
    old = _beside(folder, OLD)
    _delete(old)
    if folder.exists() or folder.is_symlink():
        folder.rename(old)
    new.rename(folder)
    _delete(old)


def restore(parent: Path) -> None:
    """Puts back the folders in ``parent`` whose replacement was interrupted, and deletes what is left of others.

    Files that are not whole are deleted too.
    """
    for old in parent.glob(f".*.{OLD}"):
        folder = parent / old.name.removeprefix(".").removesuffix(f".{OLD}")
        if folder.exists():
            _delete(old)
        else:
            old.rename(folder)
    for partial in parent.glob(f".*.{PARTIAL}"):
        _delete(partial)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON, readable by people; numbers that are not finite become null, which JSON knows."""
    write_bytes(path, (json.dumps(finite(content), indent=2, ensure_ascii=False) + "\n").encode())


def ignores_case(folder: Path) -> bool:
    """Tells whether a folder takes names that differ in case alone for the same; it writes and deletes a file there."""
    path = partial_path(folder / "case")
    path.touch()
    found = path.with_name(path.name.swapcase()).exists()
    path.unlink()
    return found


def finite(value: Any) -> Any:
    """Returns a content of JSON with null in the place of each number that is not finite."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return value


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Writes a table; its columns are those given, or all that occur, in the order in which they do."""
    if columns is None:
        rows = list(rows)
        columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Reads the arrays of an ``npz`` file."""
    with np.load(path) as content:
        return dict(content)


def npy_content(array: NDArray[Any]) -> bytes:
    """Returns an array as the content of an npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz_content(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Returns arrays as the content of a compressed npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read_csv(path: Path) -> list[dict[str, str]]:
    """Reads a table; none where there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
