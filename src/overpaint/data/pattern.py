"""The files that a pattern, a folder or a path names, read as images to explain."""

import glob
import itertools
import os
import warnings
from pathlib import Path

import torch
from rich.progress import track

from overpaint.core.choices import ResizeMode
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.data.files.kinds import find_images, is_picture
from overpaint.data.files.values import PictureOptions, remarks
from overpaint.data.reading import DEFAULT, Size, read_images
from overpaint.data.split import UNLABELLED, ImageSplit, Skipped


def read_files(
    pattern: str,
    size: Size,
    channels: int,
    resize_mode: ResizeMode,
    limit: int,
    options: PictureOptions = DEFAULT,
) -> tuple[ImageSplit, list[Skipped]]:
    """Reads the files that a pattern such as ``photos/*.jpg`` names, a folder, or one file.

    Warns of files that hardly use their range, and of those that have values outside it.

    Args:
        pattern: The pattern, see `match_files`.
        size: Height and width of the images.
        channels: 1 (grey), 3 (RGB), or how many bands each picture has.
        resize_mode: ``crop`` or ``stretch``.
        limit: How many files at most; 0 for all.
        options: Which values are black and white, the same for all files, and how large a file may be.

    Raises:
        OverpaintError: If nothing matches, or nothing that matches can be read.
    """
    paths = match_files(pattern)
    if not paths:
        raise OverpaintError(f"images={pattern} matches no image file")
    paths = paths[: limit or None]
    images, kept, skipped, extents = read_images(
        paths, size, channels, resize_mode, lambda p: track(p, "Reading", transient=True), options
    )
    if not kept:
        raise OverpaintError(f"images={pattern}: none of {len(paths)} files can be read ({skipped[0].reason})")
    for said in remarks(extents, options.prefix):
        warnings.warn(said, OverpaintWarning, stacklevel=2)
    labels = torch.full((len(kept),), UNLABELLED)
    files = [paths[i] for i in kept]
    return ImageSplit(images, labels, _short_names(files), paths=files), skipped


def match_files(pattern: str) -> list[Path]:
    """Lists the pictures that a pattern names, sorted.

    ``*`` and ``?`` stand for letters of a name and ``**`` for subfolders. ``[ab]`` stands for one of these letters,
    unless there are files of a name that has these brackets: ``scans [2024]/*.jpg`` is in the folder of that name.

    Args:
        pattern: The pattern, a folder (all pictures below it), or one file, whatever it holds.
    """
    path = Path(pattern).expanduser()
    if path.is_dir():
        return find_images(path)
    if path.is_file():
        return [path]
    parts = path.parts
    ways = [(glob.escape("[").join(part.split("[")), part) if "[" in part else (part,) for part in parts]
    for chosen in itertools.product(*ways):  # the ways that take most brackets as they are come first
        found = sorted(Path(p) for p in glob.glob(str(Path(*chosen)), recursive=True))
        if pictures := [p for p in found if p.is_file() and is_picture(p)]:
            return pictures
    return []


def _short_names(paths: list[Path]) -> list[str]:
    """Names files by their paths below the folder that they share, without suffixes where names still differ."""
    common = Path(os.path.commonpath([path.parent for path in paths]))
    within = [path.relative_to(common) for path in paths]
    short = [path.with_suffix("").as_posix() for path in within]
    return short if len(set(short)) == len(short) else [path.as_posix() for path in within]
