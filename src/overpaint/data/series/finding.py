"""Finds the files of a data set of series: one, a pair to train and to test with, or one for each series."""

import re
from collections.abc import Callable
from pathlib import Path

from overpaint.core.errors import OverpaintError
from overpaint.data.series.array_files import read_npy, read_npz
from overpaint.data.series.class_folders import find_class_folders, read_class_folders
from overpaint.data.series.content import SeriesContent
from overpaint.data.series.table_files import read_arff, read_table
from overpaint.data.series.ts_files import read_ts

READERS: dict[str, Callable[[str], SeriesContent]] = {
    ".ts": read_ts,
    ".tsv": read_table,
    ".txt": read_table,
    ".csv": read_table,
    ".arff": read_arff,
    ".npy": read_npy,
}
"""How a file of one part is read, by its suffix; of a folder that holds a set in several formats the first is taken."""

NPZ = ".npz"
"""The suffix of files that can hold both parts."""

SUFFIXES = (*READERS, NPZ)

PART = re.compile(r"(?<=[_.-])(train|test)$", re.IGNORECASE)
"""The end of the name of a file that is one part of a pair."""


def find_files(root: str) -> dict[str, Path]:
    """Returns the files of a data set by their parts: ``train`` and ``test``, or ``""`` where there is one file.

    Args:
        root: A file, which may be either of a pair such as ``X_TRAIN.ts`` and ``X_TEST.ts``; a folder that holds the
            files of one data set, also in several formats; or one that holds a folder for each class, in ``train``,
            ``val`` and ``test`` where these are there.

    Raises:
        OverpaintError: If there is nothing, no file of a known kind, or more than one data set.
    """
    given = Path(root).expanduser()
    if given.is_dir():
        return (not _series_files(given) and find_class_folders(given)) or _pair(_only_one(given, root))
    if not given.is_file():
        raise OverpaintError(f"data.root={root} is neither a file nor a folder")
    if given.suffix.lower() not in SUFFIXES:
        raise OverpaintError(f"data.root={root} is of no known kind ({', '.join(SUFFIXES)})")
    return _pair(given)


def read_files(files: dict[str, Path]) -> dict[str, SeriesContent]:
    """Reads what `find_files` found; the result has the same parts, or those of a ``.npz`` file.

    Args:
        files: A file or a folder of class folders for each part.

    Raises:
        OverpaintError: If a file can't be read.
    """
    if list(files) == [""] and files[""].suffix.lower() == NPZ:
        return read_npz(str(files[""]))
    return {part: _read(path) for part, path in files.items()}


def _read(path: Path) -> SeriesContent:
    if path.is_dir():
        return read_class_folders(path)
    if path.suffix.lower() != NPZ:
        return READERS[path.suffix.lower()](str(path))
    found = read_npz(str(path))
    if list(found) != [""]:
        raise OverpaintError(f"{path} is one part of a pair by its name, but holds both parts")
    return found[""]


def _only_one(folder: Path, root: str) -> Path:
    """Returns a file of the only data set in a folder."""
    files = [path for path in _series_files(folder) if not _is_of_labels(path)]
    if not files:
        raise OverpaintError(f"data.root={root} holds no file of series ({', '.join(SUFFIXES)}), nor class folders")
    files.sort(key=lambda path: SUFFIXES.index(path.suffix.lower()))
    names = {PART.sub("", path.stem) for path in files}
    if len(names) > 1:
        raise OverpaintError(
            f"data.root={root} holds several data sets ({', '.join(sorted(names)[:3])}"
            f"{', ...' if len(names) > 3 else ''}); name the file of one, such as {folder / files[0].name}; "
            "files of one series each belong into a folder for each class"
        )
    return files[0]


def _series_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix.lower() in SUFFIXES]


def _is_of_labels(path: Path) -> bool:
    """Returns whether a ``.npy`` file holds the classes of another, see `read_npy`."""
    return path.suffix.lower() == ".npy" and path.name[0] == "y" and path.with_name("X" + path.name[1:]).is_file()


def _pair(given: Path) -> dict[str, Path]:
    """Returns a file and, where it is one part of a pair, the other."""
    if PART.search(given.stem) is None:
        return {"": given}
    stem, suffix = PART.sub("", given.stem).lower(), given.suffix.lower()
    beside = {
        found[1].lower(): path
        for path in sorted(given.parent.iterdir())
        if path.suffix.lower() == suffix
        and (found := PART.search(path.stem))
        and PART.sub("", path.stem).lower() == stem
    }
    return beside if len(beside) == 2 else {"": given}
