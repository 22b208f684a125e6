"""Series from files: any data set of the UCR and UEA archives, or one's own."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from overpaint.core.bounds import Count, Seed
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.scale import SeriesScale
from overpaint.core.types import Stamp, Targets
from overpaint.data.series.cleaning import CleaningRule, Missing, Unequal, cleaning_notes
from overpaint.data.series.content import NUMBER, Case, SeriesContent
from overpaint.data.series.finding import find_files, read_files
from overpaint.data.series.module import Series, SeriesData
from overpaint.data.split import UNLABELLED, ImageSplit, UnreadSplit, file_stamp
from overpaint.data.stratified import stratified_parts

FEW = 10
"""A class of fewer training series is said."""


@dataclass(frozen=True)
class Rows:
    """Which series of a file a split has.

    Attributes:
        path: The file, or the folder of class folders.
        content: What it holds.
        indices: Which of its series.
    """

    path: Path
    content: SeriesContent
    indices: Sequence[int]

    @property
    def labels(self) -> list[str] | None:
        """The classes; None where the file says none."""
        own = self.content.labels
        return None if own is None else [own[i] for i in self.indices]


@dataclass(frozen=True)
class Part:
    """The series of a split.

    Attributes:
        paths: The files that they are from.
        values: In their own units.
        labels: Class indices, or -1.
        names: A name for each: the file's, and where in it the series is.
    """

    paths: Sequence[Path]
    values: Series
    labels: Targets
    names: Sequence[str]


@checked_settings
class SeriesFileData(SeriesData):
    """Series from a file, or from one to train and one to test with.

    ``.ts``; ``.tsv``, ``.txt`` and ``.csv`` with the class first; ``.arff``; ``.npz`` and ``.npy``, see the modules
    that read them. Of a pair ``X_TRAIN`` and ``X_TEST`` the second is the test split and a tenth of each class of the
    first the validation split; a single file is split at random by ``seed``, 80, 10 and 10 % of each class, see
    `overpaint.data.stratified.stratified_parts`. The classes are those of the training file, in the order of numbers
    where all are numbers, else of the alphabet.

    Args:
        root: The file, either one of a pair; or a folder that holds one data set, or a folder for each class with a
            file for each series.
        length: Steps that all series get, see `CleaningRule`; None: as many as the longest has.
        unequal: How series of another length get it: ``resample`` or ``pad``.
        missing: What becomes of missing values: ``interpolate`` or ``refuse``.
        epoch: Series that training is shown in an epoch at least: fewer are shown several times, so that small data
            sets, which most of the archive's are, are trained for as many steps as large ones.
        batch_size: Series in a batch.
        seed: Seed of the split and the order.
        scale: See `SeriesData`.

    Raises:
        OverpaintError: If a setting is wrong, or a file is not there or can't be read.
    """

    def __init__(
        self,
        root: str,
        length: Count | None = None,
        unequal: Unequal = "resample",
        missing: Missing = "interpolate",
        epoch: Count = 6000,
        batch_size: Count = 64,
        seed: Seed = 0,
        scale: SeriesScale | None = None,
    ) -> None:
        self.root, self.files, self.epoch = root, find_files(root), epoch
        content = read_files(self.files)
        self.rule = CleaningRule(missing, unequal, length)
        cases = [case for part in content.values() for case in part.cases]
        own_length = self.rule.own_length(cases)
        super().__init__(own_length, len(cases[0]), batch_size, seed, scale)
        self._check(content)
        self.notes += cleaning_notes(cases, own_length, self.rule)
        split = self._split_content(content)
        self.class_names = _class_names(split["train"].labels)
        self._parts = {name: self._part(own) for name, own in split.items()}
        self._note_few()

    def _check(self, content: dict[str, SeriesContent]) -> None:
        """Checks that the series of all parts have the same channels, and all or none of the parts classes."""
        channels = {case.shape[0] for part in content.values() for case in part.cases}
        if len(channels) > 1:
            raise OverpaintError(
                f"data.root={self.root}: series have {' and '.join(map(str, sorted(channels)))} channels"
            )
        if len({part.labels is None for part in content.values()}) > 1:
            raise OverpaintError(f"data.root={self.root}: the series of one part have classes, those of the other none")

    def _split_content(self, content: dict[str, SeriesContent]) -> dict[str, Rows]:
        """Returns which series of which file each split has."""
        own = content.get("train", content.get(""))
        assert own is not None
        missing = [name for name in ("val", "test") if name not in content]
        count = len(own.cases)
        if count <= len(missing):
            raise OverpaintError(
                f"data.root={self.root} holds {count} series; training, validation and test need one each"
            )
        labels = own.labels if own.labels is not None else [""] * count
        rows = stratified_parts(labels, missing, "train", self.seed)
        path = self.files.get("train", next(iter(self.files.values())))
        split = {name: Rows(path, own, indices) for name, indices in rows.items()}
        known = set(own.labels or ())
        return split | {
            name: self._of_known_classes(name, content[name], known) for name in ("val", "test") if name in content
        }

    def _of_known_classes(self, name: str, content: SeriesContent, known: set[str]) -> Rows:
        """Returns those series of a part whose class the training series know."""
        indices = [i for i in range(len(content.cases)) if content.labels is None or content.labels[i] in known]
        if not indices:
            raise OverpaintError(f"data.root={self.root}: no {name} series has a class of the training series")
        if left := len(content.cases) - len(indices):
            self.notes.append(f"{left} {name} series were left out: no training series has their class")
        return Rows(self.files.get(name, next(iter(self.files.values()))), content, indices)

    def _part(self, rows: Rows) -> Part:
        cases: list[Case] = [rows.content.cases[i] for i in rows.indices]
        index = {name: i for i, name in enumerate(self.class_names)}
        labels = [UNLABELLED] * len(cases) if rows.labels is None else [index[name] for name in rows.labels]
        given = rows.content.names
        names = [given[i] if given else f"{rows.path.stem}-{i + 1:05d}" for i in rows.indices]
        values = self.rule.cleaned(cases, self.input_size[0], names)
        return Part([*rows.content.files] or [rows.path], values, torch.tensor(labels, dtype=torch.long), names)

    def _note_few(self) -> None:
        labels = self._parts["train"].labels
        counts = {name: int((labels == index).sum()) for index, name in enumerate(self.class_names)}
        few = [f"{name} ({count})" for name, count in counts.items() if count < FEW]
        if few:
            self.notes.append(f"classes with fewer than {FEW} training series, too few to learn: {', '.join(few)}")

    def open_split(self, name: str) -> UnreadSplit:
        """See `DomainData.open_split`; the files have been read already."""
        part = self._parts[name]
        states = [file_stamp("", path).state for path in part.paths]
        files = repr([(str(path.absolute()), state) for path, state in zip(part.paths, states, strict=True)])
        digest = hashlib.blake2b(files.encode(), digest_size=8).hexdigest()
        made_of = f"{digest} {self.rule} {self.input_size} {self.scale}" if all(states) else ""

        def stamp(index: int) -> Stamp:
            return Stamp(part.names[index], made_of)

        return UnreadSplit(len(part.names), lambda indices: (self._rows(part, indices), []), stamp)

    def _rows(self, part: Part, indices: Sequence[int]) -> ImageSplit:
        rows = torch.tensor(indices, dtype=torch.long)
        names = [part.names[i] for i in indices]
        return ImageSplit(self.scale.scaled(part.values[rows]), part.labels[rows], names)

    def training_values(self) -> Series:
        """See `SeriesData.training_values`."""
        return self._parts["train"].values

    def shown_in_epoch(self) -> ImageSplit:
        """Returns the training series, each as often as the others, until there are as many as ``epoch`` says."""
        rows = list(range(len(self.train)))
        return self.train.subset(rows * -(-self.epoch // len(rows)))


def _class_names(labels: Sequence[str] | None) -> list[str]:
    """Returns the classes in the order of numbers where all are numbers, else of the alphabet."""
    names = set(labels or ())
    if all(NUMBER.fullmatch(name) for name in names):
        return sorted(names, key=float)
    return sorted(names)
