"""Anyone's images: a folder of class folders, or a flat folder without labels."""

import glob
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import torch
from rich.progress import track

from overpaint.core.errors import OverpaintError
from overpaint.data.base import UNLABELLED, ImageData, ImageSplit, Skipped, UnreadSplit
from overpaint.data.reading import SUFFIXES, ResizeMode, Size, find_images, read_images

SPLITS = ("train", "val", "test")


class FolderData(ImageData):
    """Images from a folder.

    Class subfolders give the labels, in alphabetical order; a folder without subfolders gives none. Where ``train``,
    ``val`` and ``test`` subfolders exist they are the splits (a missing ``val`` or ``test`` is taken from ``train``);
    otherwise the images are split at random by ``seed``: 80, 10 and 10 %.

    The split is one of the files: a file that can't be read is found out when its split is read, left out of it and
    listed in ``skipped``.

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
    def _listed(self) -> dict[str, list[tuple[Path, str]]]:
        """The files of each split, each with its name; the folder is listed once."""
        if not self.root.is_dir():
            raise OverpaintError(f"data.root={self.root} is not a folder")
        given = [name for name in SPLITS if (self.root / name).is_dir()]
        folders = {name: self.root / name for name in given} if "train" in given else {"train": self.root}
        listed = {
            name: [(path, path.relative_to(folder).as_posix()) for path in find_images(folder)]
            for name, folder in folders.items()
        }
        if not any(listed.values()):
            raise OverpaintError(f"data.root={self.root} holds no readable image")
        parts = [PurePosixPath(name).parts for files in listed.values() for _, name in files]
        self.class_names = sorted({own[0] for own in parts if len(own) > 1})
        return self._with_missing(listed)

    def _with_missing(self, listed: dict[str, list[tuple[Path, str]]]) -> dict[str, list[tuple[Path, str]]]:
        """Takes validation and test files out of the training files where they have no folder of their own."""
        missing = [name for name in ("val", "test") if name not in listed]
        pool = listed["train"]
        order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(self.seed)).tolist()
        tenth = max(1, len(pool) // 10)
        if len(pool) < len(missing) + 1:
            self._read(pool, "train")  # where none of them can be read, that is what is to be said
            raise OverpaintError(
                f"data.root={self.root} holds {len(pool)} readable images; training, validation and test need one each"
            )
        for name in missing:
            taken, order = order[:tenth], order[tenth:]
            listed[name] = [pool[i] for i in taken]
        return listed | {"train": [pool[i] for i in order]}

    def open_split(self, name: str) -> UnreadSplit:
        """See `ImageData.open_split`."""
        files = self._listed[name]
        return UnreadSplit(len(files), lambda indices: self._read([files[i] for i in indices], name))

    def _read(self, files: Sequence[tuple[Path, str]], split: str) -> tuple[ImageSplit, list[Skipped]]:
        paths = [path for path, _ in files]
        images, kept, skipped = read_images(
            paths,
            self.input_size,
            self.channels,
            self.resize_mode,
            lambda p: track(p, f"Reading the {split} images of {self.root}", transient=True),
        )
        if not kept:
            raise OverpaintError(
                f"data.root={self.root} holds no readable image ({len(skipped)} files there can't be read)"
            )
        names = [files[i][1] for i in kept]
        index = {name: i for i, name in enumerate(self.class_names)}
        folders = [PurePosixPath(name).parts[:-1] for name in names]
        labels = [index[own[0]] if own else UNLABELLED for own in folders]
        split_labels = torch.tensor(labels, dtype=torch.long)
        return ImageSplit(images, split_labels, names, paths=[paths[i] for i in kept]), skipped


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
