"""The index of explained images, by which a run sees what is done without opening pictures or results.

It is a hint, as git's index is: an image whose file has the same state, and whose rows' folders have the same state
(see `folder_state`) as when it was noted, is done. Without an index, or where it differs, checksums are computed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from overpaint.core.files import write_bytes
from overpaint.core.types import Stamp
from overpaint.pipeline.row_files import folder_state

INDEX = "index.json"
"""The index's file, in the folder of all explanations."""

NO_REPORT = (INDEX, "config.yaml", "record.json")
"""Files beside the report that are not of it."""

ExtentNumbers = tuple[float, float, float, float, bool]
"""An `overpaint.data.files.values.Extent` as numbers."""


class Entry(NamedTuple):
    """What is known of an explained image.

    Attributes:
        path: The file that it was read from; empty where it is none.
        state: That file's, see `overpaint.core.types.Stamp`; empty: the image has to be read again.
        digest: Of its content.
        rows: The state of each row's folder, by its name, in the order of the targets.
        extent: The lowest and highest value of its file, those that are black and white, and whether they are a window;
            None where it is no file.
    """

    path: str
    state: str
    digest: str
    rows: Mapping[str, str]
    extent: ExtentNumbers | None


@dataclass
class Index:
    """What is known of the images of a folder.

    Attributes:
        about: A digest of the settings on which an image's results depend; of others the index says nothing.
        entries: By the images' names.
        skipped: Files that could not be read: path, reason, and the class folder.
        refused: Why an image could not be explained, by its name.
        report: A digest of what the report beside it says.
    """

    about: str
    entries: dict[str, Entry] = field(default_factory=dict)
    skipped: list[tuple[str, str, str | None]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    report: str = ""

    def is_done(self, folder: Path, stamp: Stamp) -> bool:
        """Tells whether an image's results are there, and it and they are unchanged.

        Args:
            folder: The folder of all explanations.
            stamp: What is known of the image before it is read.
        """
        entry = self.entries.get(stamp.name)
        if entry is None or not stamp.state or (entry.path, entry.state) != (stamp.path, stamp.state):
            return False
        return all(state and folder_state(folder / row) == state for row, state in entry.rows.items())

    def add(self, part: "Index") -> None:
        """Takes over what another process has noted."""
        self.entries |= part.entries
        self.skipped += part.skipped
        self.refused |= part.refused

    def save(self, path: Path) -> None:
        """Writes the index whole or not at all."""
        write_bytes(path, json.dumps(vars(self), separators=(",", ":")).encode())

    @classmethod
    def load(cls, path: Path, about: str) -> "Index":
        """Reads an index; an empty one where there is none, it is damaged, or it is about other settings."""
        try:
            content: Any = json.loads(path.read_bytes())
            if content["about"] != about:
                return cls(about)
            entries = {str(name): _entry(*each) for name, each in content["entries"].items()}
            refused = {str(name): str(reason) for name, reason in content["refused"].items()}
            return cls(about, entries, [tuple(each) for each in content["skipped"]], refused, str(content["report"]))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return cls(about)


def _entry(path: str, state: str, digest: str, rows: Mapping[str, str], extent: list[Any] | None) -> Entry:
    if not (isinstance(path, str) and isinstance(state, str) and isinstance(digest, str) and rows):
        raise ValueError("no entry")
    own = {str(name): str(state) for name, state in rows.items()}
    return Entry(path, state, digest, own, None if extent is None else _extent(*map(float, extent)))


def _extent(low: float, high: float, black: float, white: float, window: float) -> ExtentNumbers:
    return low, high, black, white, bool(window)


def report_state(folder: Path) -> str:
    """Returns a digest of the names, sizes and times of the files of a report."""
    return folder_state(folder, lambda each: each.is_file() and each.name not in NO_REPORT and each.name[0] != ".")


def part_path(folder: Path, rank: int) -> Path:
    """Returns the file in which a process notes what it has done until the first one gathers it."""
    return folder / f".index-{rank}.json"


def part_paths(folder: Path) -> Iterable[Path]:
    """Returns the files that processes have left, of this run or of one that was stopped."""
    return sorted(folder.glob(".index-*.json"))
