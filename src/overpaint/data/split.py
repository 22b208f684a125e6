"""Splits of a data set: in memory, or not read yet."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import Dataset

from overpaint.core.types import Batch, GroundTruthObjects, Stamp, StoredInputs, Targets
from overpaint.core.value_range import from_stored
from overpaint.data.files.values import Extent

UNLABELLED = -1
"""The label of an image whose class is not known."""


MOMENT = 10**8
"""Nanoseconds in which a file's time may stay the same although it is written; file systems count in steps."""


@dataclass(frozen=True)
class ImageSplit(Dataset[Batch]):
    """A split of a data set in memory.

    Attributes:
        images: Images of one number of channels as bytes, 0 to 255; or series as floats, scaled.
        labels: Class indices, or -1.
        names: A name for each image, unique in the split.
        ground_truth: The annotated objects of each image, in data sets that know them.
        paths: The file of each image, where each has its own.
        extents: The values of each image's file, where each has its own.
    """

    images: StoredInputs
    labels: Targets
    names: Sequence[str]
    ground_truth: Sequence[GroundTruthObjects] | None = None
    paths: Sequence[Path] | None = None
    extents: Sequence[Extent] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, indices: list[int]) -> Batch:
        """Returns a whole batch at once, its images in ``[0, 1]``; DataLoader calls this when it is there."""
        return Batch(from_stored(self.images[indices]), self.labels[indices], [self.names[i] for i in indices])

    def subset(self, indices: Sequence[int]) -> "ImageSplit":
        """Returns some of the images as a split of their own."""
        rows = list(indices)
        objects = None if self.ground_truth is None else [self.ground_truth[i] for i in rows]
        paths = None if self.paths is None else [self.paths[i] for i in rows]
        extents = None if self.extents is None else [self.extents[i] for i in rows]
        names = [self.names[i] for i in rows]
        return ImageSplit(self.images[rows], self.labels[rows], names, objects, paths, extents)


@dataclass(frozen=True)
class Skipped:
    """A file that could not be read.

    Attributes:
        path: Where it is.
        reason: Why it could not be read.
        class_name: The class folder that it lies in; None where it lies in none.
    """

    path: str
    reason: str
    class_name: str | None = None


def skipped_note(skipped: Sequence[Skipped]) -> str:
    """Counts the files that could not be read, also by class where they have one, as the start of a sentence."""
    by_class = Counter(one.class_name for one in skipped if one.class_name is not None)
    counts = ", ".join(f"{count} of {name}" for name, count in sorted(by_class.items()))
    said = f"{len(skipped)} files could not be read and were left out"
    return f"{said} ({counts})" if counts else said


@dataclass(frozen=True)
class UnreadSplit:
    """A split of a data set whose images are read when they are asked for.

    Attributes:
        count: How many images it has.
        read: Reads those of some indices; returns them in their order, and the files among them that can't be read.
        stamp: Says of an index what can be known without reading; None: nothing.
    """

    count: int
    read: Callable[[Sequence[int]], tuple[ImageSplit, list[Skipped]]]
    stamp: Callable[[int], Stamp] | None = None

    def __len__(self) -> int:
        return self.count

    def read_all(self) -> tuple[ImageSplit, list[Skipped]]:
        """Reads all images."""
        return self.read(range(self.count))


def file_stamp(name: str, path: Path) -> Stamp:
    """Returns the stamp of an image that is a file.

    A file that was changed a moment ago may be changed again without another time, so nothing is said of it.
    """
    place = str(path.absolute())
    try:
        found = path.stat()
    except OSError:
        return Stamp(name, "", place)
    if time.time_ns() - found.st_mtime_ns < MOMENT:
        return Stamp(name, "", place)
    return Stamp(name, f"{found.st_size} {found.st_mtime_ns}", place)


def channel_statistics(images: StoredInputs) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of each channel of images in ``[0, 1]`` or series, from the first 4096."""
    values = from_stored(images[:4096].transpose(0, 1).flatten(1)[:, None], torch.float64)[:, 0]
    return values.mean(1).tolist(), values.std(1).clamp(min=1 / 255).tolist()


def have_classes(labels: Targets, classes: int) -> bool:
    """Returns whether there are classes to learn: two or more, and a label of each image."""
    return classes > 1 and not bool((labels == UNLABELLED).any())


def class_shares(labels: Targets, classes: int) -> list[float]:
    """Returns the share of each class in labels; nothing where there are none to learn, see `have_classes`."""
    if not have_classes(labels, classes):
        return []
    return (labels.bincount(minlength=classes).double() / len(labels)).tolist()
