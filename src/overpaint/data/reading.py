"""Image files of any common kind, read as bytes of one size."""

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from overpaint.core.choices import ResizeMode
from overpaint.core.sizes import as_size
from overpaint.data.split import Skipped

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}

Size = tuple[int, int]
"""Height and width in pixels."""

Box = tuple[float, float, float, float]
"""The edges of a box: left, top, right, bottom. Pixel ``i`` of a row reaches from ``i`` to ``i + 1``."""


def as_image_size(given: int | Sequence[int], name: str) -> Size:
    """Returns the height and width that a setting says.

    Args:
        given: Both, or one number for the side of a square.
        name: The setting's name, for errors.

    Raises:
        OverpaintError: If there are more than two numbers, or one is below 1.
    """
    height, width = as_size(given, 2, name)
    return height, width


def resize_box(width: int, height: int, size: Size, resize_mode: ResizeMode) -> Box:
    """Returns the box of a picture that is resized.

    Args:
        width: The picture's width.
        height: Its height.
        size: The size that the box is resized to.
        resize_mode: ``crop`` for the largest box of the new size's aspect ratio, in the middle; ``stretch`` for all.
    """
    if resize_mode == "stretch":
        return 0.0, 0.0, float(width), float(height)
    new_height, new_width = size
    box_width, box_height = float(width), float(height)
    if width * new_height > height * new_width:  # wider than the new size
        box_width = height * new_width / new_height
    else:
        box_height = width * new_height / new_width
    left, top = (width - box_width) / 2, (height - box_height) / 2
    return left, top, left + box_width, top + box_height


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


def resize_image(
    image: Image.Image, size: Size, channels: int, resize_mode: ResizeMode
) -> UInt8[Tensor, "channel height width"]:
    """Converts a picture to grey or RGB and resizes it, bilinearly with antialiasing.

    Args:
        image: The picture, 8 bits a channel and without transparency.
        size: Height and width of the result.
        channels: 1 or 3.
        resize_mode: ``crop`` or ``stretch``.
    """
    image = image.convert("RGB" if channels == 3 else "L")
    box = resize_box(image.width, image.height, size, resize_mode)
    values = torch.from_numpy(np.array(image.resize(size[::-1], Image.Resampling.BILINEAR, box=box)))
    return values[None] if channels == 1 else values.permute(2, 0, 1)


def convert_picture(
    image: Image.Image, size: Size, channels: int, resize_mode: ResizeMode
) -> UInt8[Tensor, "channel height width"]:
    """Turns a picture of any kind into bytes of one size.

    EXIF rotation is applied, transparency is laid over white, 16 bits are scaled to 8, the first frame is taken.

    Args:
        image: The picture.
        size: Height and width of the result.
        channels: 1 or 3.
        resize_mode: ``crop`` or ``stretch``.

    Raises:
        OSError: If it can't be decoded (Pillow raises other errors too).
    """
    image = _to_eight_bits(ImageOps.exif_transpose(image))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return resize_image(image, size, channels, resize_mode)


def read_image(path: Path, size: Size, channels: int, resize_mode: ResizeMode) -> UInt8[Tensor, "channel height width"]:
    """Reads an image file, see `convert_picture`.

    Args:
        path: The file.
        size: Height and width of the result.
        channels: 1 or 3.
        resize_mode: ``crop`` or ``stretch``.

    Raises:
        OSError: If the file can't be read (Pillow's other errors are turned into this one).
    """
    try:
        with Image.open(path) as opened:
            enough = 2 * max(size)  # whichever side EXIF makes the longer one
            opened.draft("RGB" if channels == 3 else "L", (enough, enough))
            return convert_picture(opened, size, channels, resize_mode)
    except (ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise OSError(str(error)) from error


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
    size: Size,
    channels: int,
    resize_mode: ResizeMode,
    progress: Callable[[Iterable[Path]], Iterable[Path]],
) -> tuple[UInt8[Tensor, "count channel height width"], list[int], list[Skipped]]:
    """Reads many files, several at a time.

    Args:
        paths: The files.
        size: Height and width of the images.
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

    images = torch.empty(len(paths), channels, *size, dtype=torch.uint8)
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
