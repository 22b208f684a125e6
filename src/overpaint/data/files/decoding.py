"""Decodes picture files: by Pillow where that keeps all of their values, else by the library that does."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile
from torchvision.io import ImageReadMode, decode_image

from overpaint.data.files.dicom import dicom_shape, read_dicom
from overpaint.data.files.kinds import HEIF_SUFFIXES, Signature, register_heif, signature
from overpaint.data.files.tiff import BITS, MOST_BANDS, is_deep, pillow_keeps, read_tiff, tiff_shape
from overpaint.data.files.turning import turned
from overpaint.data.files.values import PictureOptions, Raster, array_raster, stated_range

LYING = (5, 6, 7, 8)
"""EXIF's orientations of pictures that lie on their side."""

_PILLOW_LOCK = Lock()
_lifted: list[int | None] = []


@contextmanager
def without_pillow_limit() -> Iterator[None]:
    """Lifts Pillow's limit on the size of pictures, which `PictureOptions.check_pixels` holds instead.

    The limit is one for the whole process; it is put back when the last that lifted it is done.
    """
    with _PILLOW_LOCK:
        _lifted.append(Image.MAX_IMAGE_PIXELS if not _lifted else None)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _PILLOW_LOCK:
            if len(_lifted) == 1:
                Image.MAX_IMAGE_PIXELS = _lifted[0]
                _lifted.clear()
            else:
                _lifted.pop()


@contextmanager
def reading_files() -> Iterator[None]:
    """Sets up what is one for the whole process while files are read, by however many threads.

    Pillow's limit is lifted, and the libraries' warnings of what they repair in a file are silent.
    """
    with without_pillow_limit(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def as_os_errors(path: Path) -> Iterator[None]:
    """Turns whatever a library raises for a broken file into an OSError with one sentence."""
    try:
        yield
    except OSError as error:
        if path.suffix.lower() in HEIF_SUFFIXES and not register_heif():
            raise OSError("reading HEIC needs pillow-heif: pip install 'overpaint[heic]'") from error
        raise
    except Exception as error:  # a broken file can make a decoder raise anything
        said = str(error).splitlines()
        raise OSError(said[0] if said else type(error).__name__) from error


def picture_shape(path: Path, channels: int = 3, turned: bool = True) -> tuple[int, int, int]:
    """Returns the width and height of a picture file, and the number of its bands.

    Colours with transparency count as three bands, grey with transparency as one.

    Args:
        path: The file.
        channels: How many channels are wanted: it decides which axis of an array has the bands.
        turned: Whether EXIF rotation is applied, for which all of a PNG file has to be decoded.

    Raises:
        OSError: If the file can't be read.
    """
    with reading_files(), as_os_errors(path):
        kind = signature(path)
        if kind == "dicom":
            return dicom_shape(path)
        if kind == "numpy":
            height, width, bands = _bands_last(np.load(path, mmap_mode="r", allow_pickle=False), channels).shape
            return width, height, bands
        opened = _open(path, kind, channels)
        if opened is None:
            return tiff_shape(path, channels)
        with opened:
            width, height = opened.size
            if turned and opened.getexif().get(ExifTags.Base.Orientation, 1) in LYING:
                width, height = height, width
            return width, height, 1 if is_deep(opened) or opened.mode in ("1", "L", "LA") else 3


def upright_size(path: Path) -> tuple[int, int]:
    """Returns the width and height of an image file, EXIF rotation applied.

    Raises:
        OSError: If the file can't be read.
    """
    width, height, _ = picture_shape(path)
    return width, height


def decode(path: Path, channels: int, draft: int, options: PictureOptions) -> Image.Image | Raster:
    """Decodes a file as it is, EXIF rotation applied; of several frames the first.

    Args:
        path: The file.
        channels: How many channels are wanted: it decides which axis of an array has the bands.
        draft: A JPEG may be decoded at a smaller size whose sides are no shorter than this.
        options: How large a picture may be.

    Raises:
        OSError: If it can't be read; the libraries raise other errors as well, see `as_os_errors`.
    """
    kind = signature(path)
    if kind == "dicom":
        return read_dicom(path, options)
    if kind == "numpy":
        array = _bands_last(np.load(path, mmap_mode="r", allow_pickle=False), channels)
        options.check_pixels(array.shape[1], array.shape[0])
        return array_raster(array)
    opened = _open(path, kind, channels)
    if opened is None:
        return read_tiff(path, channels, options)
    with opened:
        options.check_pixels(*opened.size)
        if opened.format == "PNG" and ";16" in str(opened.tile[0][3]) and not is_deep(opened):
            return _read_deep_png(path, opened)
        if channels in (1, 3):
            opened.draft("RGB" if channels == 3 else "L", (draft, draft))
        opened.load()
        return upright(opened)


def upright(image: Image.Image) -> Image.Image | Raster:
    """Applies a picture's EXIF rotation, and returns the values of one of more than 8 bits as they are."""
    is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    result = ImageOps.exif_transpose(image) if is_turned else image  # it copies what it does not turn
    if not is_deep(result):
        return result
    values = np.asarray(result)[..., None]
    bits = _stated_bits(image)
    states = stated_range(values.dtype)
    if image.mode.startswith("I;16") and bits:
        states = (0.0, 2.0**bits - 1)
    elif image.mode == "I" and bits is None:
        states = (0.0, 65535.0)  # what Pillow's plugins, and users, keep in this mode
    return Raster(values, states)


def _stated_bits(image: Image.Image) -> int | None:
    """Returns how many bits a TIFF file of at most 16 bits a value states."""
    tags: Any = image.tag_v2 if image.format == "TIFF" else {}  # type: ignore[attr-defined]  # of TIFF alone
    bits = int(max(tags.get(BITS, (0,))))
    return bits if 0 < bits <= 16 else None


def _open(path: Path, kind: Signature | None, channels: int) -> Any | None:
    """Opens a file by Pillow, unread; None for a TIFF file whose values Pillow would not keep.

    Raises:
        OSError: If Pillow does not know it.
    """
    register_heif()
    try:
        opened = Image.open(path)
    except OSError:
        if kind == "tiff":
            return None
        raise
    if kind == "tiff" and isinstance(opened, TiffImageFile) and not pillow_keeps(opened, channels):
        opened.close()
        return None
    return opened


def _read_deep_png(path: Path, opened: Image.Image) -> Raster:
    """Reads a PNG of colours with 16 bits each, of which Pillow would keep 8."""
    content = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)
    values = decode_image(content, ImageReadMode.UNCHANGED).movedim(0, -1).numpy()
    orientation = int(opened.getexif().get(ExifTags.Base.Orientation, 1))
    return array_raster(turned(values, orientation), has_alpha=values.shape[2] in (2, 4))


def _bands_last(array: NDArray[Any], channels: int) -> NDArray[Any]:
    """Returns an array as height x width x band: the bands are its first or last axis.

    It is the axis that has as many entries as channels are wanted; else the shorter one.

    Raises:
        ValueError: If it is no picture.
    """
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or 0 in array.shape:
        raise ValueError(f"it holds an array of shape {array.shape}, and a picture has height, width and bands")
    first, last = array.shape[0], array.shape[2]
    is_first = first < last if channels not in (first, last) or first == last else first == channels
    if (first if is_first else last) > MOST_BANDS:
        raise ValueError(f"it holds an array of shape {array.shape}, of which neither end is an axis of bands")
    return np.moveaxis(array, 0, -1) if is_first else array
