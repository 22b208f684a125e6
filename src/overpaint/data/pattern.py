"""The files that a pattern, a folder or a path names, read as images to explain."""

import glob
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from rich.progress import track

from overpaint.core.choices import ResizeMode
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.data.files.kinds import find_images, is_picture
from overpaint.data.files.values import PictureOptions, remarks
from overpaint.data.reading import DEFAULT, SHOWN, Size, read_images
from overpaint.data.split import UNLABELLED, ImageSplit, Skipped, UnreadSplit, file_stamp


def read_files(
    pattern: str,
    size: Size,
    channels: int,
    resize_mode: ResizeMode,
    limit: int,
    options: PictureOptions = DEFAULT,
) -> tuple[ImageSplit, list[Skipped]]:
    """Reads the files that `open_files` names into memory.

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
    split, skipped = open_files(pattern, size, channels, resize_mode, limit, options)[0].read_all()
    if not len(split):
        raise none_readable(f"images={pattern}", len(skipped), skipped[0].reason)
    for said in remarks(list(zip(split.paths or (), split.extents or (), strict=True)), options.prefix):
        warnings.warn(said, OverpaintWarning, stacklevel=2)
    return split, skipped


def none_readable(setting: str, count: int, reason: str) -> OverpaintError:
    """Returns the error that none of the files which a setting names can be read.

    Args:
        setting: The setting and its value.
        count: How many files it names.
        reason: Why the first can't be read.
    """
    return OverpaintError(f"{setting}: none of {count} files can be read ({reason})")


def open_files(
    pattern: str,
    size: Size,
    channels: int,
    resize_mode: ResizeMode,
    limit: int,
    options: PictureOptions = DEFAULT,
) -> tuple[UnreadSplit, list[Path]]:
    """Lists the files that a pattern such as ``photos/*.jpg`` names, a folder, or one file; none is read.

    Args:
        pattern: The pattern, see `match_files`.
        size: Height and width of the images.
        channels: 1 (grey), 3 (RGB), or how many bands each picture has.
        resize_mode: ``crop`` or ``stretch``.
        limit: How many files at most; 0 for all.
        options: Which values are black and white, the same for all files, and how large a file may be.

    Returns:
        The images, to be read, and their files.

    Raises:
        OverpaintError: If nothing matches.
    """
    paths = match_files(pattern)[: limit or None]
    if not paths:
        raise OverpaintError(f"images={pattern} matches no image file")
    names = _short_names(paths)

    def read(indices: Sequence[int]) -> tuple[ImageSplit, list[Skipped]]:
        def shown(files: Iterable[Path]) -> Iterable[Path]:
            return track(files, "Reading", total=len(indices), transient=True, disable=len(indices) < SHOWN)

        files = [paths[i] for i in indices]
        images, kept, skipped, extents = read_images(files, size, channels, resize_mode, shown, options)
        labels = torch.full((len(kept),), UNLABELLED)
        own = [names[indices[i]] for i in kept]
        return ImageSplit(images, labels, own, paths=[files[i] for i in kept], extents=extents), skipped

    return UnreadSplit(len(paths), read, lambda index: file_stamp(names[index], paths[index])), paths


def match_files(pattern: str) -> list[Path]:
    """Lists the pictures that a pattern names, sorted.

    ``*`` and ``?`` stand for letters of a name and ``**`` for subfolders. ``[ab]`` stands for one of these letters,
    unless there are files of a name that has these brackets: ``scans [2024]/*.jpg`` is in the folder of that name.

    Args:
        pattern: The pattern, a folder (all pictures below it), or one file, whatever it holds.
    """
    path = Path(pattern).expanduser()
    return find_images(path) if path.is_dir() else match_pattern(path, is_picture)


def match_pattern(path: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    """Lists the files that a pattern names and that are wanted, sorted; one file is taken whatever it holds.

    Args:
        path: The pattern, see `match_files`.
        wanted: Tells of a file whether it is.
    """
    if path.is_file():
        return [path]
    parts = path.parts
    ways = [(glob.escape("[").join(part.split("[")), part) if "[" in part else (part,) for part in parts]
    for chosen in itertools.product(*ways):  # the ways that take most brackets as they are come first
        found = sorted(Path(p) for p in glob.glob(str(Path(*chosen)), recursive=True))
        if files := [p for p in found if p.is_file() and wanted(p)]:
            return files
    return []


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Names files by their paths below the folder that they share, without suffixes where names still differ."""
    texts = [str(path) for path in paths]  # a hundred thousand paths take seconds as Path objects
    common = os.path.commonpath({os.path.dirname(text) for text in texts})
    within = [text[len(common) :].lstrip(os.sep).replace(os.sep, "/") for text in texts]
    short = [_without_suffix(text) for text in within]
    return short if len(set(short)) == len(short) else within


def _without_suffix(path: str) -> str:
    """Does what pathlib's ``with_suffix("")`` does, which keeps ``.png`` and makes ``..`` of ``...png``."""
    start = path.rfind("/") + 1
    dot = path.rfind(".", start)
    return path[:dot] if start < dot < len(path) - 1 else path
