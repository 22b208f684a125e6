"""The files in the folder of a row: listed with their checksums, and looked over before they are trusted."""

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from overpaint.core.errors import OverpaintWarning
from overpaint.core.files import finite, write_json
from overpaint.core.names import DAMAGED

RESULT = "result.json"
"""The file with a row's numbers, which lists the others."""

FORMAT = 3
"""The version of what a row's folder holds; one of another version is not read."""


class DamagedRowError(Exception):
    """What a row's folder holds is not what was written there; the message says in what it differs."""


def write_result(folder: Path, result: Mapping[str, Any]) -> None:
    """Writes ``result.json`` beside a row's other files.

    It lists size and checksum of each of them (``files``), and has a checksum of its own content (``checksum``).

    Args:
        folder: The folder, which holds all other files of the row already.
        result: The row's numbers.
    """
    files = {path.name: _described(path) for path in sorted(folder.iterdir())}
    content = finite(dict(result) | {"format": FORMAT, "files": files})
    write_json(folder / RESULT, content | {"checksum": _checksum_of(content)})


def checked_result(folder: Path) -> dict[str, Any]:
    """Reads a row's numbers, if the folder holds what was written there.

    Files that ``result.json`` does not list are not looked at.

    Raises:
        DamagedRowError: If a file is missing, or has another size or checksum than when it was written.
    """
    try:
        result: Any = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedRowError(f"{RESULT} can't be read") from error
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        raise DamagedRowError(f"{RESULT} is of another version")
    content = {name: value for name, value in result.items() if name != "checksum"}
    if result.get("checksum") != _checksum_of(content):
        raise DamagedRowError(f"{RESULT} is not as it was written")
    for name, described in result["files"].items():
        try:
            is_same = _described(folder / name) == described
        except OSError as error:
            raise DamagedRowError(f"{name} is missing or can't be read") from error
        if not is_same:
            raise DamagedRowError(f"{name} is not as it was written")
    return result


def existing_result(folder: Path) -> dict[str, Any] | None:
    """Reads a row's numbers; None where there are none, or its folder is damaged."""
    try:
        return checked_result(folder)
    except DamagedRowError:
        return None


def earlier_result(folder: Path) -> dict[str, Any] | None:
    """Reads the numbers of a row that is to be written anew, and makes its place free.

    What stands there and is damaged, or was not written by us, is moved into the folder ``damaged``, which is said.

    Returns:
        The numbers, of a folder that is whole; None where there is nothing, or no longer.
    """
    if not os.path.lexists(folder):
        return None
    try:
        return checked_result(folder)
    except DamagedRowError as error:
        place = set_aside(folder, folder.parent)
        warnings.warn(f"{folder} was damaged ({error}): it was moved to {place} and is made anew", OverpaintWarning, 2)
        return None


def set_aside(path: Path, explanations: Path) -> Path:
    """Moves what stands at a path into the folder ``damaged`` of all explanations, and returns where it is now."""
    place = _free_place(explanations, path.name)
    path.rename(place)
    return place


def delete_rows(explanations: Path, but: Collection[str]) -> None:
    """Deletes the rows of images in the folder of all explanations; files that are not the rows' stay.

    Args:
        explanations: The folder.
        but: The names of the images whose rows stay.
    """
    for folder in sorted(path.parent for path in explanations.glob(f"*/{RESULT}")):
        row = existing_result(folder)
        if row is not None and row["image"] not in but:
            for name in (*row["files"], RESULT):
                (folder / name).unlink()
            if not any(folder.iterdir()):
                folder.rmdir()


def keep_other_files(folder: Path, earlier: Mapping[str, Any], new: Path) -> None:
    """Copies what lies in a row's folder and is not the row's into the folder that is to replace it.

    Where the new folder has a file of that name, the copy is put into the folder ``damaged``.

    Args:
        folder: The row's folder.
        earlier: The numbers of the row, which list its files.
        new: The folder that replaces it.
    """
    for path in folder.iterdir():
        if path.name == RESULT or path.name in earlier["files"]:
            continue
        place = new / path.name
        if os.path.lexists(place):
            place = _free_place(folder.parent, path.name)
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, place, symlinks=True)
        else:
            shutil.copy2(path, place, follow_symlinks=False)


def folder_state(folder: Path, counts: Callable[["os.DirEntry[str]"], bool] = lambda each: True) -> str:
    """Returns a digest of the names, sizes and times of a folder's files; an empty text where it can't be listed.

    While it stays the same, nothing in the folder was written, so that the checksums need not be computed again.

    Args:
        folder: The folder.
        counts: Tells which of its files count.
    """
    try:
        with os.scandir(folder) as entries:
            listed = sorted((each.name, *_size_and_time(each)) for each in entries if counts(each))
    except OSError:
        return ""
    return hashlib.blake2b(repr(listed).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def _size_and_time(entry: "os.DirEntry[str]") -> tuple[int, int]:
    found = entry.stat(follow_symlinks=False)
    return found.st_size, found.st_mtime_ns


def _free_place(explanations: Path, name: str) -> Path:
    """Returns a path in the folder ``damaged`` at which nothing is."""
    folder = explanations / DAMAGED
    folder.mkdir(exist_ok=True)
    number = 0
    while os.path.lexists(folder / f"{name}.{number}"):
        number += 1
    return folder / f"{name}.{number}"


def _described(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"size": len(content), "blake2b": hashlib.blake2b(content, digest_size=16).hexdigest()}


def _checksum_of(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
