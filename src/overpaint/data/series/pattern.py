"""The files that a pattern, a folder or a path names, read as series to explain."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from overpaint.core.errors import OverpaintError
from overpaint.core.scale import SeriesScale
from overpaint.core.types import Stamp
from overpaint.data.pattern import match_pattern
from overpaint.data.series.cleaning import CleaningRule, cleaning_notes
from overpaint.data.series.content import Case
from overpaint.data.series.finding import SUFFIXES, read_files
from overpaint.data.series.module import Series
from overpaint.data.split import UNLABELLED, ImageSplit, Skipped, UnreadSplit, file_stamp

RULE = CleaningRule("interpolate", "resample", None)
"""What becomes of gaps, and of series of another length than the classifier's."""


def read_cases(path: Path) -> dict[str, Case]:
    """Reads the series of a file, of any kind that `SeriesFileData` reads; classes are left out.

    Returns:
        The series by their names: the file's name where it holds one series, else with the series' number, from 1.

    Raises:
        OverpaintError: If it can't be read, is of no known kind or holds no series.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OverpaintError(f"{path} is of no known kind of series ({', '.join(SUFFIXES)})")
    if not path.is_file():
        raise OverpaintError(f"{path} is no file")
    cases = [case for content in read_files({"": path}).values() for case in content.cases]
    if not cases:
        raise OverpaintError(f"{path} holds no series")
    return {path.stem if len(cases) == 1 else f"{path.stem}-{i:05d}": case for i, case in enumerate(cases, 1)}


def fitted_series(cases: Mapping[str, Case], length: int, channels: int) -> Series:
    """Returns series at a classifier's length, in their own units; gaps are interpolated.

    Args:
        cases: The series by their names.
        length: Steps that they get; series of another length are resampled.
        channels: How many they must have.

    Raises:
        OverpaintError: If one has other channels, or a channel without any value.
    """
    for name, case in cases.items():
        if case.shape[0] != channels:
            raise OverpaintError(f"the series {name} has {case.shape[0]} channels, but the classifier takes {channels}")
    return RULE.cleaned(list(cases.values()), length, list(cases))


def in_scale(values: Series, scale: SeriesScale | None) -> Series:
    """Returns series scaled as a classifier takes them; as they are where it says no scale."""
    return values if scale is None else scale.scaled(values)


def open_series(pattern: str, length: int, channels: int, scale: SeriesScale | None) -> tuple[UnreadSplit, list[str]]:
    """Reads the files of series that a pattern such as ``beats/*.ts`` names, a folder, or one file.

    Args:
        pattern: The pattern: ``*`` and ``?`` stand for letters of a name, ``**`` for subfolders.
        length: Steps of the classifier's series.
        channels: Their channels.
        scale: Their scale; None: the values are taken as they are.

    Returns:
        The series, and what is to be said of them.

    Raises:
        OverpaintError: If nothing matches, or a file can't be read.
    """
    files = _match(pattern)
    states = {path: file_stamp("", path).state for path in files}
    found = [(name, case, path) for path in files for name, case in read_cases(path).items()]
    names = _distinct([name for name, _, _ in found])
    notes = cleaning_notes([case for _, case, _ in found], length, RULE)

    def read(indices: Sequence[int]) -> tuple[ImageSplit, list[Skipped]]:
        kept, values, skipped = [], [torch.empty(0, channels, length)], []
        for index in indices:
            try:
                values.append(in_scale(fitted_series({names[index]: found[index][1]}, length, channels), scale))
                kept.append(names[index])
            except OverpaintError as error:
                skipped.append(Skipped(str(found[index][2]), str(error)))
        return ImageSplit(torch.cat(values), torch.full((len(kept),), UNLABELLED), kept), skipped

    def stamp(index: int) -> Stamp:
        name, _, path = found[index]
        made_of = f"{states[path]} {path.absolute()} {name} {length} {scale}" if states[path] else ""
        return Stamp(names[index], made_of)

    return UnreadSplit(len(found), read, stamp), notes


def _match(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    files = match_pattern(path / "*" if path.is_dir() else path, lambda file: file.suffix.lower() in SUFFIXES)
    if not files:
        raise OverpaintError(f"images={pattern} matches no file of series ({', '.join(SUFFIXES)})")
    return files


def _distinct(names: Sequence[str]) -> list[str]:
    """Returns the names, all numbered where one comes twice."""
    if len(set(names)) == len(names):
        return list(names)
    return [f"{i:05d}-{name}" for i, name in enumerate(names, 1)]
