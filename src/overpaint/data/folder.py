"""Anyone's images: a folder of class folders, or a flat folder without labels."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.progress import track

from overpaint.core.errors import OverpaintError
from overpaint.data.base import UNLABELLED, ImageData, ImageSplit, Skipped
from overpaint.data.reading import SUFFIXES, ResizeMode, Size, find_images, read_images

PARTS = ("train", "val", "test")


class FolderData(ImageData):
    """Images from a folder.

    Class subfolders give the labels, in alphabetical order; a folder without subfolders gives none. Where ``train``,
    ``val`` and ``test`` subfolders exist they are the parts (a missing ``val`` or ``test`` is taken from ``train``);
    otherwise the images are split at random by ``seed``: 80, 10 and 10 %.

    A file that can't be read is left out and listed in ``skipped``.

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

    def setup(self, stage: str | None = None) -> None:
        """Reads all images into memory."""
        if hasattr(self, "train"):
            return
        if not self.root.is_dir():
            raise OverpaintError(f"data.root={self.root} is not a folder")
        given = [name for name in PARTS if (self.root / name).is_dir()]
        folders = {name: self.root / name for name in given} if "train" in given else {"train": self.root}
        inside = [path.relative_to(folder).parts for folder in folders.values() for path in find_images(folder)]
        self.class_names = sorted({parts[0] for parts in inside if len(parts) > 1})
        parts = {name: self._read(folder) for name, folder in folders.items()}
        if not any(len(part) for part in parts.values()):
            tried = f" ({len(self.skipped)} files there can't be read)" if self.skipped else ""
            raise OverpaintError(f"data.root={self.root} holds no readable image{tried}")
        self._split(parts)

    def _read(self, folder: Path) -> ImageSplit:
        paths = find_images(folder)
        images, kept, skipped = read_images(
            paths,
            self.input_size,
            self.channels,
            self.resize_mode,
            lambda p: track(p, f"Reading {folder}", transient=True),
        )
        self.skipped += skipped
        relative = [paths[i].relative_to(folder) for i in kept]
        index = {name: i for i, name in enumerate(self.class_names)}
        labels = [index.get(path.parts[0], UNLABELLED) if len(path.parts) > 1 else UNLABELLED for path in relative]
        names = [path.as_posix() for path in relative]
        return ImageSplit(images, torch.tensor(labels, dtype=torch.long), names, paths=[paths[i] for i in kept])

    def _split(self, parts: dict[str, ImageSplit]) -> None:
        missing = [name for name in ("val", "test") if name not in parts]
        pool = parts["train"]
        order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(self.seed)).tolist()
        share = max(1, len(pool) // 10)
        if len(pool) < len(missing) + 1:
            raise OverpaintError(
                f"data.root={self.root} holds {len(pool)} readable images; training, validation and test need one each"
            )
        for name in missing:
            taken, order = order[:share], order[share:]
            parts[name] = pool.chosen(taken)
        parts["train"] = pool.chosen(order)
        self.train, self.val, self.test = (parts[name] for name in PARTS)


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
