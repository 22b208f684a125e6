"""The callback that notes which images are explained, and which files were left out, for `overpaint.pipeline.index`."""

import time
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L

from overpaint.core.errors import OverpaintError
from overpaint.core.types import GroundTruthObjects
from overpaint.data.ahead import ReadImage
from overpaint.data.files.values import Extent
from overpaint.data.split import Skipped, UnreadSplit
from overpaint.pipeline.cache import Cache
from overpaint.pipeline.index import INDEX, Entry, Index, part_path, part_paths
from overpaint.pipeline.row_files import folder_state

SAVE_SECONDS = 20.0
"""How much of its work a process that is killed leaves to be looked over by the next run."""


class IndexCallback(L.Callback):
    """Notes what each process does, and gathers it in the first one.

    Args:
        cache: The results of earlier runs.
        digests: A digest of each image that is in work, by its name; written here.
        about: See `Index`.
        is_first: Whether this is the first process, which alone reads and writes the common index.
        overwrite: Whether an image may replace another of the same name.
    """

    def __init__(
        self, cache: Cache, digests: MutableMapping[str, str], about: str, is_first: bool, overwrite: bool
    ) -> None:
        self.cache, self.digests, self.overwrite = cache, digests, overwrite
        self.objects: dict[str, GroundTruthObjects] = {}
        self.before, self.now = Index(about), Index(about)
        self.names: list[str] = []
        self.known = self.found = 0
        self._waiting: dict[str, Entry] = {}
        self._saved = time.monotonic()
        if is_first:
            self.before = Index.load(cache.folder / INDEX, about)
            for path in part_paths(cache.folder):  # of a run that was stopped
                self.before.entries |= Index.load(path, about).entries
                self._save(self.before.entries, self.before.report)

    def pending(self, split: UnreadSplit) -> list[int]:
        """Returns which images have to be read: those of which the index does not know that they are done."""
        if split.stamp is None:
            return list(range(len(split)))
        missing = []
        for index in range(len(split)):
            stamp = split.stamp(index)
            self.names.append(stamp.name)
            if self.before.is_done(self.cache.folder, stamp):
                self.now.entries[stamp.name] = self.before.entries[stamp.name]
            else:
                missing.append(index)
        self.known = len(split) - len(missing)
        return missing

    def take(self, read: ReadImage) -> bool:
        """Takes note of an image that was read; returns whether it is to be explained.

        Raises:
            OverpaintError: If its results would replace those of another image.
        """
        extent, name = read.extent, read.stamp.name
        numbers = None
        if extent is not None:
            numbers = (extent.lowest, extent.highest, extent.black, extent.white, extent.is_window)
        self.digests[name] = read.digest
        self._waiting[name] = Entry(read.stamp.path, read.stamp.state, read.digest, {}, numbers)
        if read.objects is not None:
            self.objects[name] = read.objects
        if folders := self.cache.complete_folders(name):
            self.found += 1
            self._done(name, folders)
        elif not self.overwrite and (other := self.cache.another_image(name, read.stamp.path, read.digest)):
            raise OverpaintError(
                f"{self.cache.folder} explains another image that is called {name} too, {other}; name another output=, "
                "or let overwrite=true replace its results"
            )
        return not folders

    def _done(self, name: str, folders: Sequence[Path]) -> None:
        """Takes note of the folders of an image whose rows are all there."""
        rows = {folder.name: folder_state(folder) for folder in folders}
        self.now.entries[name] = self._waiting[name]._replace(rows=rows)
        self._forget(name)

    def _forget(self, name: str) -> None:
        del self._waiting[name], self.digests[name]
        self.objects.pop(name, None)

    def source_of(self, name: str) -> Mapping[str, str]:
        """Returns what is written of an image in work: where it is from, and a digest of its content."""
        entry = self._waiting[name]
        return {"path": entry.path, "digest": entry.digest}

    def written(self, images: Sequence[str], folders: Sequence[Path]) -> None:
        """Takes note of the rows of a batch that were written; an image's follow each other."""
        for name in dict.fromkeys(images):
            self._done(name, [folder for image, folder in zip(images, folders, strict=True) if image == name])

    def refuse(self, refused: Mapping[str, str]) -> None:
        """Takes note of images that could not be explained, and why."""
        self.now.refused |= refused
        for name in refused:
            self._forget(name)

    def skip(self, skipped: Skipped) -> None:
        """Takes note of a file that can't be read."""
        self.now.skipped.append((skipped.path, skipped.reason, skipped.class_name))

    def on_predict_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Saves what this process did, now and then."""
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self._save_part(trainer)

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leaves what this process did to the first one."""
        self._save_part(trainer)

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Leaves what is done to the next run."""
        self._save_part(trainer)

    def _save_part(self, trainer: L.Trainer) -> None:
        self._saved = time.monotonic()
        self.now.save(part_path(self.cache.folder, trainer.global_rank))

    def gather(self, count: int) -> None:
        """Adds what all processes did; for the first one, once all are done.

        Args:
            count: How many images there are.

        Raises:
            OverpaintError: If nothing is known of some of them.
        """
        found = self.now
        for path in part_paths(self.cache.folder):
            if path != part_path(self.cache.folder, 0):  # its own
                found.add(Index.load(path, found.about))
        missing = count - len(found.entries) - len(found.skipped) - len(found.refused)
        if missing:
            raise OverpaintError(f"{missing} of {count} images were explained by no process; the same command goes on")
        order = self.names or sorted({**found.entries, **found.refused})
        entries = {name: found.entries[name] for name in order if name in found.entries}
        refused = {name: found.refused[name] for name in order if name in found.refused}
        self.now = Index(found.about, entries, sorted(found.skipped, key=lambda each: each[0]), refused)

    @property
    def folders(self) -> list[Path]:
        """The folders of all rows, in the order of the images and their targets."""
        return [self.cache.folder / row for entry in self.now.entries.values() for row in entry.rows]

    @property
    def skipped(self) -> list[Skipped]:
        """The files that could not be read."""
        return [Skipped(*each) for each in self.now.skipped]

    @property
    def refused(self) -> list[Skipped]:
        """The images that could not be explained."""
        return [Skipped(name, reason) for name, reason in self.now.refused.items()]

    @property
    def extents(self) -> list[tuple[Path, Extent]]:
        """The values of the files that were read."""
        entries = self.now.entries.values()
        return [(Path(entry.path), Extent(*entry.extent)) for entry in entries if entry.extent is not None]

    def save(self) -> None:
        """Writes the index, with what it knew of other images, and deletes the processes' notes."""
        self._save(self.before.entries | self.now.entries, self.now.report)

    def _save(self, entries: dict[str, Entry], report: str) -> None:
        Index(self.now.about, entries, report=report).save(self.cache.folder / INDEX)
        for path in part_paths(self.cache.folder):
            path.unlink()
