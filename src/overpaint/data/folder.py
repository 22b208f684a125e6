"""Images from files: a folder of class folders, a flat folder without labels, or a pattern."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from rich.markup import escape
from rich.progress import track

from overpaint.core.bounds import Count, ImageSize, Positive, Seed
from overpaint.core.choices import ResizeMode
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.data.domain import STAGES
from overpaint.data.files.kinds import find_images
from overpaint.data.files.values import PILLOW_MEGAPIXELS, GivenRange, PictureOptions, remarks
from overpaint.data.module import ImageData
from overpaint.data.reading import SHOWN, read_images
from overpaint.data.split import UNLABELLED, ImageSplit, Skipped, UnreadSplit, file_stamp
from overpaint.data.stratified import stratified_parts

SPLITS = ("train", "val", "test")

FEW = 10
"""A class of fewer pictures is said: too few to learn it, and to know how well it was learnt."""


class ListedFile(NamedTuple):
    """A file of a data set.

    Attributes:
        path: Where it is.
        name: The image's name: the path below the split's folder.
        class_name: The class folder that it lies in; None where it lies in none.
    """

    path: Path
    name: str
    class_name: str | None


@checked_settings
class FolderData(ImageData):
    """Images from a folder.

    Class subfolders give the labels, in alphabetical order; a folder without subfolders gives none. Where ``train``,
    ``val`` and ``test`` subfolders exist they are the splits (a missing or empty ``val`` or ``test`` is taken from
    ``train``); otherwise the images are split at random by ``seed``: 80, 10 and 10 % of each class, see
    `overpaint.data.stratified.stratified_parts`.

    The files are split before any is opened, so that only those that are needed are: a file that can't be read is left
    out when its split is read, and listed in ``skipped``.

    Args:
        root: The folder.
        resize_mode: What of a picture of another aspect ratio is resized: its middle (``crop``), or all of it
            (``stretch``).
        image_size: Height and width of the images, or the side of square ones; None: 64.
        channels: 3 (RGB), 1 (grey), or how many bands each picture has.
        batch_size: Images in a batch.
        seed: Seed of the split and the order.
        range: Which values are black and white, the same for all files, see `PictureOptions`.
        max_megapixels: Larger pictures are left out.

    Raises:
        OverpaintError: If a setting is wrong, the folder does not exist, or it holds no readable image.
    """

    takes_bands = True

    def __init__(
        self,
        root: str,
        resize_mode: ResizeMode = "crop",
        image_size: ImageSize | None = None,
        channels: int = 3,
        batch_size: Count = 64,
        seed: Seed = 0,
        range: GivenRange = "auto",  # noqa: A002  # the setting's name
        max_megapixels: Positive = PILLOW_MEGAPIXELS,
    ) -> None:
        super().__init__(64 if image_size is None else image_size, channels, batch_size, seed)
        self.root, self.resize_mode = Path(root).expanduser(), resize_mode
        self.options = PictureOptions.of(range, max_megapixels, "data.")

    def setup(self, stage: str | None = None) -> None:
        """See `ImageData.setup`; what is to be said of the classes is said once the training images are read."""
        known = "train" in self._splits
        unread = [name for name in STAGES[stage] if name not in self._splits]
        super().setup(stage)
        for name in unread:
            self._check_read(name)
        if "train" in self._splits and not known:
            self.notes += self._class_notes()

    @cached_property
    def _listed(self) -> dict[str, list[ListedFile]]:
        """The files of each split; the folder is listed once."""
        if not self.root.is_dir():
            raise OverpaintError(f"data.root={self.root} is not a folder")
        given = [name for name in SPLITS if (self.root / name).is_dir()]
        folders = {name: self.root / name for name in given} if "train" in given else {"train": self.root}
        listed = {name: _list_files(folder) for name, folder in folders.items()}
        if not any(listed.values()):
            raise OverpaintError(f"data.root={self.root} holds no readable image")
        classes = {file.class_name for files in listed.values() for file in files}
        self.class_names = sorted(name for name in classes if name is not None)
        return self._with_missing({name: files for name, files in listed.items() if files or name == "train"})

    def _with_missing(self, listed: dict[str, list[ListedFile]]) -> dict[str, list[ListedFile]]:
        """Takes validation and test files out of the training files where they have no folder of their own."""
        missing = [name for name in ("val", "test") if name not in listed]
        pool = listed["train"]
        if len(pool) < len(missing) + 1:
            found, skipped = self._read(pool, "train")  # where none of them can be read, that is what is to be said
            self._must_hold(found, skipped, "train")
            raise OverpaintError(
                f"data.root={self.root} holds {len(pool)} images; training, validation and test need one each"
            )
        parts = stratified_parts([file.class_name for file in pool], missing, "train", self.seed)
        return listed | {name: [pool[i] for i in indices] for name, indices in parts.items()}

    def _class_notes(self) -> list[str]:
        """Says which class folders hold no readable picture, and which hold few."""
        files = [file for split in self._listed.values() for file in split]
        unread = {one.path for one in self.skipped}
        counts = Counter(file.class_name for file in files if str(file.path) not in unread)
        given = [self.root / name for name in SPLITS if (self.root / name).is_dir()]
        within = given if self.root / "train" in given else [self.root]
        folders = {each.name for folder in within for each in folder.iterdir() if each.is_dir()}
        empty = sorted(name for name in folders - set(counts) if not name.startswith("."))
        notes = [f"the class folder '{name}' in data.root={self.root} holds no readable picture" for name in empty]
        few = [f"{name} ({counts[name]})" for name in self.class_names if 0 < counts[name] < FEW]
        if few:
            notes.append(f"classes with fewer than {FEW} pictures, too few to learn them well: {', '.join(few)}")
        return notes

    def open_split(self, name: str) -> UnreadSplit:
        """See `ImageData.open_split`."""
        files = self._listed[name]
        return UnreadSplit(
            len(files),
            lambda indices: self._read([files[i] for i in indices], name),
            lambda index: file_stamp(files[index].name, files[index].path),
        )

    def _check_read(self, name: str) -> None:
        """Says what is to be said of a split that was read.

        Raises:
            OverpaintError: If none of its files could be.
        """
        split, folder = self._splits[name], {file.path for file in self._listed[name]}
        self._must_hold(split, [one for one in self.skipped if Path(one.path) in folder], name)
        extents = list(zip(split.paths or (), split.extents or (), strict=True))
        self.notes += [f"{name}: {said}" for said in remarks(extents, "data.")]

    def _must_hold(self, split: ImageSplit, skipped: Sequence[Skipped], name: str) -> None:
        if skipped and not len(split):
            raise OverpaintError(
                f"data.root={self.root} holds no readable image for its {name} split: {len(skipped)} files there "
                f"can't be read ({skipped[0].reason})"
            )

    def _read(self, files: Sequence[ListedFile], split: str) -> tuple[ImageSplit, list[Skipped]]:
        images, kept, skipped, extents = read_images(
            [file.path for file in files],
            self.input_size,
            self.channels,
            self.resize_mode,
            lambda p: track(
                p, f"Reading the {split} images of {escape(str(self.root))}", transient=True, disable=len(files) < SHOWN
            ),
            self.options,
        )
        class_of = {str(file.path): file.class_name for file in files}
        skipped = [replace(one, class_name=class_of[one.path]) for one in skipped]
        readable = [files[i] for i in kept]
        index = {name: i for i, name in enumerate(self.class_names)}
        labels = [UNLABELLED if file.class_name is None else index[file.class_name] for file in readable]
        names, paths = [file.name for file in readable], [file.path for file in readable]
        split_of = ImageSplit(images, torch.tensor(labels, dtype=torch.long), names, paths=paths, extents=extents)
        return split_of, skipped


def _list_files(folder: Path) -> list[ListedFile]:
    files = []
    for path in find_images(folder):
        below = path.relative_to(folder)
        files.append(ListedFile(path, below.as_posix(), below.parts[0] if len(below.parts) > 1 else None))
    return files
