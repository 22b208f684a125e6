"""Images from files: a folder of class folders, a flat folder without labels, or a pattern."""

import glob
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from rich.progress import track

from overpaint.core.choices import ResizeMode
from overpaint.core.errors import OverpaintError
from overpaint.data.module import ImageData
from overpaint.data.reading import SUFFIXES, Size, find_images, read_images
from overpaint.data.split import UNLABELLED, ImageSplit, Skipped, UnreadSplit

SPLITS = ("train", "val", "test")


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


class FolderData(ImageData):
    """Images from a folder.

    Class subfolders give the labels, in alphabetical order; a folder without subfolders gives none. Where ``train``,
    ``val`` and ``test`` subfolders exist they are the splits (a missing or empty ``val`` or ``test`` is taken from
    ``train``); otherwise the images are split at random by ``seed``: 80, 10 and 10 %.

    The files are split before any is opened, so that only those that are needed are: a file that can't be read is left
    out when its split is read, and listed in ``skipped``.

    Args:
        root: The folder.
        resize_mode: What of a picture of another aspect ratio is resized: its middle (``crop``), or all of it
            (``stretch``).
        image_size: Height and width of the images, or the side of square ones; None: 64.
        channels: 3 (RGB) or 1 (grey).
        batch_size: Images in a batch.
        seed: Seed of the split and the order.

    Raises:
        OverpaintError: If the folder does not exist, or holds no readable image.
    """

    def __init__(
        self,
        root: str,
        resize_mode: ResizeMode = "crop",
        image_size: int | Sequence[int] | None = None,
        channels: int = 3,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(64 if image_size is None else image_size, channels, batch_size, seed)
        self.root, self.resize_mode = Path(root).expanduser(), resize_mode

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
        order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(self.seed)).tolist()
        tenth = max(1, len(pool) // 10)
        if len(pool) < len(missing) + 1:
            self._read(pool, "train")  # where none of them can be read, that is what is to be said
            raise OverpaintError(
                f"data.root={self.root} holds {len(pool)} images; training, validation and test need one each"
            )
        for name in missing:
            taken, order = order[:tenth], order[tenth:]
            listed[name] = [pool[i] for i in taken]
        return listed | {"train": [pool[i] for i in order]}

    def open_split(self, name: str) -> UnreadSplit:
        """See `ImageData.open_split`."""
        files = self._listed[name]
        return UnreadSplit(len(files), lambda indices: self._read([files[i] for i in indices], name))

    def _read(self, files: Sequence[ListedFile], split: str) -> tuple[ImageSplit, list[Skipped]]:
        images, kept, skipped = read_images(
            [file.path for file in files],
            self.input_size,
            self.channels,
            self.resize_mode,
            lambda p: track(p, f"Reading the {split} images of {self.root}", transient=True),
        )
        if skipped and not kept:
            raise OverpaintError(
                f"data.root={self.root} holds no readable image for its {split} split: {len(skipped)} files there "
                f"can't be read ({skipped[0].reason})"
            )
        readable = [files[i] for i in kept]
        index = {name: i for i, name in enumerate(self.class_names)}
        labels = [UNLABELLED if file.class_name is None else index[file.class_name] for file in readable]
        names, paths = [file.name for file in readable], [file.path for file in readable]
        return ImageSplit(images, torch.tensor(labels, dtype=torch.long), names, paths=paths), skipped


def _list_files(folder: Path) -> list[ListedFile]:
    files = []
    for path in find_images(folder):
        below = path.relative_to(folder)
        files.append(ListedFile(path, below.as_posix(), below.parts[0] if len(below.parts) > 1 else None))
    return files


def read_files(
    pattern: str, size: Size, channels: int, resize_mode: ResizeMode, limit: int
) -> tuple[ImageSplit, list[Skipped]]:
    """Reads the files that a pattern such as ``photos/*.jpg`` names, a folder, or one file.

    Args:
        pattern: The pattern; ``**`` goes through subfolders.
        size: Height and width of the images.
        channels: 1 or 3.
        resize_mode: ``crop`` or ``stretch``.
        limit: How many files at most; 0 for all.

    Raises:
        OverpaintError: If nothing matches, or nothing that matches can be read.
    """
    path = Path(pattern).expanduser()
    if path.is_dir():
        paths = find_images(path)
    elif path.is_file():
        paths = [path]
    else:
        paths = sorted(Path(p) for p in glob.glob(str(path), recursive=True))
        paths = [p for p in paths if p.is_file() and p.suffix.lower() in SUFFIXES]
    if not paths:
        raise OverpaintError(f"images={pattern} matches no image file")
    paths = paths[: limit or None]
    images, kept, skipped = read_images(
        paths, size, channels, resize_mode, lambda p: track(p, "Reading", transient=True)
    )
    if not kept:
        raise OverpaintError(f"images={pattern}: none of {len(paths)} files can be read ({skipped[0].reason})")
    labels = torch.full((len(kept),), UNLABELLED)
    files = [paths[i] for i in kept]
    return ImageSplit(images, labels, _short_names(files), paths=files), skipped


def _short_names(paths: list[Path]) -> list[str]:
    """Names files by their paths below the folder that they share, without suffixes where names still differ."""
    common = Path(os.path.commonpath([path.parent for path in paths]))
    within = [path.relative_to(common) for path in paths]
    short = [path.with_suffix("").as_posix() for path in within]
    return short if len(set(short)) == len(short) else [path.as_posix() for path in within]
