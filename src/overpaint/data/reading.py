"""Reads image files of any common kind into bytes of one size."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from overpaint.data.base import Skipped

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}

ResizeMode = Literal["crop", "stretch"]
"""How a picture that is not square becomes one: its middle, or all of it, stretched."""

Box = tuple[float, float, float, float]
"""The edges of a box: left, top, right, bottom. Pixel ``i`` of a row reaches from ``i`` to ``i + 1``."""


def resize_box(width: int, height: int, resize_mode: ResizeMode) -> Box:
    """Returns the box of a picture that becomes the square."""
    if resize_mode == "stretch":
        return 0.0, 0.0, float(width), float(height)
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def upright_size(path: Path) -> tuple[int, int]:
    """Returns the width and height of an image file, EXIF rotation applied.

    Raises:
        OSError: If the file can't be read.
    """
    try:
        with Image.open(path) as opened:
            turned = opened.getexif().get(ExifTags.Base.Orientation, 1) != 1
            return ImageOps.exif_transpose(opened).size if turned else opened.size
    except (ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise OSError(str(error)) from error


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Brings 16-bit, integer and float pictures to 0..255; Pillow's own conversion would cut them off at 255."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image).astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError("it holds values that are not finite")
        highest = 65535 if image.mode != "F" else max(float(values.max()), 1.0)
        return Image.fromarray((values.clip(0, highest) * (255 / highest)).round().astype(np.uint8))
    return image


def read_image(path: Path, size: int, channels: int, resize_mode: ResizeMode) -> UInt8[Tensor, "channel size size"]:
    """Reads an image file.

    EXIF rotation is applied, transparency is laid over white, 16 bits are scaled to 8, the first frame is taken.

    Args:
        path: The file.
        size: Side of the result.
        channels: 1 or 3.
        resize_mode: ``crop`` or ``stretch``.

    Raises:
        OSError: If the file can't be read (Pillow's other errors are turned into this one).
    """
    try:
        with Image.open(path) as opened:
            opened.draft("RGB" if channels == 3 else "L", (2 * size, 2 * size))
            image = _to_eight_bits(ImageOps.exif_transpose(opened))
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("RGB" if channels == 3 else "L")
            box = resize_box(image.width, image.height, resize_mode)
            image = image.resize((size, size), Image.Resampling.BILINEAR, box=box)
    except (ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise OSError(str(error)) from error
    values = torch.from_numpy(np.array(image))
    return values[None] if channels == 1 else values.permute(2, 0, 1)


def find_images(folder: Path) -> list[Path]:
    """Lists the image files below a folder."""
    return find_files(folder, SUFFIXES)


def find_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Lists files below a folder by their suffix, sorted; hidden ones are left out, links are followed."""
    found: list[Path] = []
    seen: set[Path] = set()
    for current, subfolders, files in os.walk(folder, followlinks=True):
        real = Path(current).resolve()
        # A link to a folder above would otherwise be walked for ever.
        subfolders[:] = [] if real in seen else [name for name in subfolders if not name.startswith(".")]
        if real not in seen:
            paths = [Path(current) / name for name in files if not name.startswith(".")]
            found += [path for path in paths if path.suffix.lower() in suffixes and path.is_file()]
        seen.add(real)
    return sorted(found)


def read_images(
    paths: Sequence[Path],
    size: int,
    channels: int,
    resize_mode: ResizeMode,
    progress: Callable[[Iterable[Path]], Iterable[Path]],
) -> tuple[UInt8[Tensor, "count channel size size"], list[int], list[Skipped]]:
    """Reads many files, several at a time.

    Args:
        paths: The files.
        size: Side of the images.
        channels: 1 or 3.
        resize_mode: ``crop`` or ``stretch``.
        progress: Wraps the iteration, to show a progress bar.

    Returns:
        The images that could be read, the index of the path of each, and the files that could not be read.
    """

    def read(path: Path) -> Tensor | Skipped:
        try:
            return read_image(path, size, channels, resize_mode)
        except OSError as error:
            return Skipped(str(path), str(error) or type(error).__name__)

    images = torch.empty(len(paths), channels, size, size, dtype=torch.uint8)
    kept: list[int] = []
    skipped: list[Skipped] = []
    with ThreadPoolExecutor() as pool:
        for index, (result, _) in enumerate(zip(pool.map(read, paths), progress(paths), strict=True)):
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                images[len(kept)] = result
                kept.append(index)
    return images[: len(kept)], kept, skipped
