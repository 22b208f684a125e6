"""Pictures of any kind, as bytes of one size and one number of channels."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from overpaint.core.choices import ResizeMode
from overpaint.core.memory import give_back_freed_memory
from overpaint.core.sizes import as_size
from overpaint.data.files.decoding import as_os_errors, decode, picture_shape, reading_files, upright
from overpaint.data.files.room import Room
from overpaint.data.files.values import PILLOW_MEGAPIXELS, Extent, PictureOptions, Raster, map_bytes
from overpaint.data.split import Skipped

DEFAULT = PictureOptions()
"""How values are read where nothing is said: by the bit depth."""

DECODED = Room(PILLOW_MEGAPIXELS)
"""The million pixels of colour that are decoded at once, by however many threads: a small file may hold very many."""

LARGE = 20
"""Million pixels of a picture whose memory is given back at once, so that threads do not each keep as much."""

SHOWN = 100
"""So many files or more are read with a progress bar."""

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
    mode = "RGB" if channels == 3 else "L"
    image = image if image.mode == mode else image.convert(mode)  # which copies one of that mode
    box = resize_box(image.width, image.height, size, resize_mode)
    values = torch.from_numpy(np.array(image.resize(size[::-1], Image.Resampling.BILINEAR, box=box)))
    return values[None] if channels == 1 else values.permute(2, 0, 1)


def resize_bands(
    bands: NDArray[np.uint8], size: Size, resize_mode: ResizeMode
) -> UInt8[Tensor, "channel height width"]:
    """Resizes a picture of any number of bands, each by itself as `resize_image` does it.

    Args:
        bands: Height x width x band.
        size: Height and width of the result.
        resize_mode: ``crop`` or ``stretch``.
    """
    greys = [Image.fromarray(np.ascontiguousarray(bands[..., i])) for i in range(bands.shape[2])]
    return torch.cat([resize_image(grey, size, 1, resize_mode) for grey in greys])


def _to_pillow(bands: NDArray[np.uint8]) -> Image.Image:
    """Returns grey or RGB bytes, with or without transparency, as an image of Pillow's."""
    return Image.fromarray(np.ascontiguousarray(bands[..., 0] if bands.shape[2] == 1 else bands))


def _plain(image: Image.Image, channels: int, options: PictureOptions) -> Image.Image:
    """Turns palettes, and what can't be mapped, into grey or colours with or without transparency."""
    if image.mode in ("P", "PA") or (channels in (1, 3) and "transparency" in image.info):
        return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    if image.mode == "1":
        return image.convert("L")
    mapped = channels in (1, 3) and options.value_range != "auto"
    return image.convert("RGB") if mapped and image.mode not in ("L", "LA", "RGB", "RGBA") else image


def _mapped(picture: Image.Image | Raster, channels: int, options: PictureOptions) -> tuple[Any, Extent]:
    """Maps a picture's values to bytes; returns an image of Pillow's, or an array of bands as they are wanted.

    Raises:
        ValueError: If it has other bands than are wanted.
    """
    if isinstance(picture, Image.Image):
        image, extent = map_bytes(_plain(picture, channels, options), options)
        if channels in (1, 3):
            return image, extent
        bands = np.asarray(image).reshape(image.height, image.width, -1)
    else:
        bands, extent = picture.to_bytes(options)
        own = bands.shape[2] - picture.has_alpha
        if channels in (1, 3) and own in (1, 3):
            return _to_pillow(bands), extent
        bands = bands if bands.shape[2] == channels else bands[..., :own]
    if bands.shape[2] != channels:
        raise ValueError(f"it has {bands.shape[2]} bands, and channels={channels} are wanted")
    return bands, extent


def convert_picture(
    image: Image.Image | Raster, size: Size, channels: int, resize_mode: ResizeMode, options: PictureOptions = DEFAULT
) -> tuple[UInt8[Tensor, "channel height width"], Extent]:
    """Turns a picture of any kind into bytes of one size and one number of channels.

    EXIF rotation is applied, transparency is laid over white, values are mapped from black to white onto 0 to 255.
    Where 1 or 3 channels are wanted, colours become grey and grey becomes three equal channels; where another number
    is, the picture must have that many bands, transparency among them.

    Args:
        image: The picture.
        size: Height and width of the result.
        channels: How many.
        resize_mode: ``crop`` or ``stretch``.
        options: Which values are black and white.

    Returns:
        The bytes, and which values the picture has.

    Raises:
        ValueError: If it can't be decoded, has other bands than are wanted, or no range (Pillow raises other errors).
    """
    if isinstance(image, Image.Image):
        options.check_pixels(*image.size)
        image = upright(image)
    mapped, extent = _mapped(image, channels, options)
    if not isinstance(mapped, Image.Image):
        return resize_bands(mapped, size, resize_mode), extent
    if mapped.mode in ("RGBA", "LA"):
        mapped = mapped.convert("RGBA")
        mapped = Image.alpha_composite(Image.new("RGBA", mapped.size, "white"), mapped)
    return resize_image(mapped, size, channels, resize_mode), extent


def read_image(
    path: Path, size: Size, channels: int, resize_mode: ResizeMode, options: PictureOptions = DEFAULT
) -> UInt8[Tensor, "channel height width"]:
    """Reads an image file, see `convert_picture`.

    Args:
        path: The file.
        size: Height and width of the result.
        channels: How many.
        resize_mode: ``crop`` or ``stretch``.
        options: Which values are black and white, and how large a file may be.

    Raises:
        OSError: If the file can't be read (the libraries' other errors are turned into this one).
    """
    with reading_files():
        return read_with_extent(path, size, channels, resize_mode, options)[0]


def read_with_extent(
    path: Path, size: Size, channels: int, resize_mode: ResizeMode, options: PictureOptions
) -> tuple[UInt8[Tensor, "channel height width"], Extent]:
    """Reads an image file inside of `reading_files`, see `read_image`; returns the values that it has, too."""
    width, height, bands = picture_shape(path, channels, turned=False)
    with as_os_errors(path):
        options.check_pixels(width, height)
        megapixels = width * height * max(bands, 3) / 3e6
        with DECODED.taken(megapixels):
            enough = 2 * max(size)  # whichever side EXIF makes the longer one
            found = convert_picture(decode(path, channels, enough, options), size, channels, resize_mode, options)
            if megapixels > LARGE:
                give_back_freed_memory()
            return found


def read_images(
    paths: Sequence[Path],
    size: Size,
    channels: int,
    resize_mode: ResizeMode,
    progress: Callable[[Iterable[Path]], Iterable[Path]],
    options: PictureOptions = DEFAULT,
) -> tuple[UInt8[Tensor, "count channel height width"], list[int], list[Skipped], list[Extent]]:
    """Reads many files, several at a time.

    Args:
        paths: The files.
        size: Height and width of the images.
        channels: How many.
        resize_mode: ``crop`` or ``stretch``.
        progress: Wraps the iteration, to show a progress bar.
        options: Which values are black and white, and how large a file may be.

    Returns:
        The images that could be read, the index of the path of each, the files that could not be read, and the values
        of those that could.
    """

    def read(path: Path) -> tuple[Tensor, Extent] | Skipped:
        try:
            return read_with_extent(path, size, channels, resize_mode, options)
        except OSError as error:
            return Skipped(str(path), str(error) or type(error).__name__)

    images = torch.empty(len(paths), channels, *size, dtype=torch.uint8)
    kept: list[int] = []
    skipped: list[Skipped] = []
    extents: list[Extent] = []
    with reading_files(), ThreadPoolExecutor() as pool:
        for index, (result, _) in enumerate(zip(pool.map(read, paths), progress(paths), strict=True)):
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                images[len(kept)], extent = result
                kept.append(index)
                extents.append(extent)
    return images[: len(kept)], kept, skipped, extents
