"""Images that are read when they are needed: ahead of their explanation, in processes of their own."""

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from overpaint.core.errors import OverpaintError
from overpaint.core.types import Batch, GroundTruthObjects, Stamp
from overpaint.core.value_range import from_stored
from overpaint.data.files.values import Extent
from overpaint.data.split import ImageSplit, Skipped, UnreadSplit

FEW = 64
"""Fewer images are read by the process itself: starting others would take longer."""

MOST_WORKERS = 4
"""More processes do not help: explaining an image takes longer than reading it."""


StoredInput = UInt8[Tensor, "channel *space"] | Float[Tensor, "channel *space"]
"""An image as it is kept, or a series."""


@dataclass(frozen=True)
class ReadImage:
    """An image that was read.

    Attributes:
        stamp: What was known of it before it was read.
        label: Its class, or -1.
        image: Its bytes; the values of a series.
        digest: A digest of them.
        objects: The annotated objects; None where none are known.
        extent: The values of its file; None where it has none.
    """

    stamp: Stamp
    label: int
    image: StoredInput
    digest: str
    objects: GroundTruthObjects | None
    extent: Extent | None


Chunk = tuple[list[ReadImage], list[Skipped]] | OverpaintError
"""Images that were read together and files among them that can't be; or what a user can mend, as a value: an error
that is raised in another process would arrive with a traceback in its text."""


def default_workers(count: int, processes: int) -> int:
    """Returns in how many processes images are read ahead where the settings do not say.

    None for few images; else one for each core that explaining leaves, at most `MOST_WORKERS`.

    Args:
        count: How many images there are.
        processes: How many processes explain on this machine.
    """
    if count < FEW or "fork" not in multiprocessing.get_all_start_methods():
        return 0
    return max(0, min((os.cpu_count() or 1) // processes - 1, MOST_WORKERS))


def image_digest(image: StoredInput) -> str:
    """Returns a digest of the content of an image or series."""
    return hashlib.blake2b(image.contiguous().numpy().tobytes(), digest_size=16).hexdigest()


class _Chunks(Dataset[Chunk]):
    """The images of a split by lists of their indices."""

    def __init__(self, split: UnreadSplit) -> None:
        self.split = split

    def __getitems__(self, indices: list[int]) -> Chunk:
        """Reads images of those indices."""
        try:
            stamps = [self.split.stamp(index) for index in indices] if self.split.stamp else []
            found, skipped = self.split.read(indices)
        except OverpaintError as error:
            return error
        by_name = {stamp.name: stamp for stamp in stamps}
        return [_read_image(found, row, by_name) for row in range(len(found))], skipped


def _read_image(found: ImageSplit, row: int, stamps: Mapping[str, Stamp]) -> ReadImage:
    name, image = found.names[row], found.images[row]
    return ReadImage(
        stamps.get(name, Stamp(name, "")),
        int(found.labels[row]),
        image,
        image_digest(image),
        None if found.ground_truth is None else found.ground_truth[row],
        None if found.extents is None else found.extents[row],
    )


def _as_is(chunk: Any) -> Any:
    return chunk


@dataclass(frozen=True)
class ImagesAhead:
    """Batches of those images that are to be explained, in their order.

    Attributes:
        split: The images.
        indices: Which of them are read.
        batch_size: Images in a batch.
        workers: How many processes read them ahead; 0: the process itself does, when it needs them.
        take: Is told of each image that was read; returns whether it is to be explained.
        skip: Is told of each file that can't be read.
    """

    split: UnreadSplit
    indices: Sequence[int]
    batch_size: int
    workers: int
    take: Callable[[ReadImage], bool]
    skip: Callable[[Skipped], None]

    def __iter__(self) -> Iterator[Batch]:
        """Yields the batches; all but the last are full, whatever can't be read or need not be explained.

        Raises:
            OverpaintError: For what reading finds that the user can mend, or if a process that reads was killed.
        """
        waiting: list[ReadImage] = []
        for chunk in self._chunks():
            if isinstance(chunk, OverpaintError):
                raise chunk
            for skipped in chunk[1]:
                self.skip(skipped)
            waiting += [each for each in chunk[0] if self.take(each)]
            while len(waiting) >= self.batch_size:
                yield _batch(waiting[: self.batch_size])
                waiting = waiting[self.batch_size :]
        if waiting:
            yield _batch(waiting)

    def _chunks(self) -> Iterator[Chunk]:
        chunks = [list(self.indices[i : i + self.batch_size]) for i in range(0, len(self.indices), self.batch_size)]
        loader: DataLoader[Chunk] = DataLoader(
            _Chunks(self.split),
            batch_sampler=chunks,
            num_workers=self.workers,
            collate_fn=_as_is,
            generator=torch.Generator(),  # else it would draw from the one of all
            multiprocessing_context="fork" if self.workers else None,  # what reads a split can't be sent elsewhere
        )
        try:
            yield from loader
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise OverpaintError(
                "a process that reads images ahead was killed, perhaps for want of memory; data_workers=0 does without"
            ) from error


def _batch(images: Sequence[ReadImage]) -> Batch:
    return Batch(
        from_stored(torch.stack([each.image for each in images])),
        torch.tensor([each.label for each in images], dtype=torch.long),
        [each.stamp.name for each in images],
    )
