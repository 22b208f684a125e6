"""TIFF files whose values Pillow would not keep: several bands, deep colours, signed bytes, stacks of pages."""

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from overpaint.data.files.turning import turned
from overpaint.data.files.values import PictureOptions, Raster, array_raster

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong with a file is raised, and listed

MOST_BANDS = 64
"""The shorter end of an array's shape is the number of its bands, which is no more than this."""

ORIENTATION = 274
"""The number of a tag of TIFF."""

BITS, FORMAT = 258, 339
"""Tags: bits of a value, and whether it is unsigned (1), signed (2) or floating point (3)."""

TRANSPARENCY = (1, 2)
"""What TIFF calls extra samples that are transparency, multiplied into the colours or not."""


def is_deep(image: Image.Image) -> bool:
    """Tells whether an image of Pillow's has more than 8 bits a value."""
    return image.mode.startswith("I;16") or image.mode in ("I", "F")


def pillow_keeps(opened: TiffImageFile, channels: int) -> bool:
    """Tells whether Pillow reads a TIFF file as it is: 8 unsigned bits or one band, and no stack of bands.

    Args:
        opened: The file, opened by Pillow.
        channels: How many channels are wanted.
    """
    tags: Any = opened.tag_v2
    if max(tags.get(BITS, (1,))) == 32 and 1 in tuple(tags.get(FORMAT, (1,))):
        return False  # Pillow would take numbers without a sign for signed ones
    plain = max(tags.get(BITS, (1,))) <= 8 and 2 not in tuple(tags.get(FORMAT, (1,)))
    if not (plain or is_deep(opened)):
        return False
    if opened.n_frames == 1:
        return True
    with tifffile.TiffFile(os.fsdecode(opened.filename)) as file:
        return stack_axis(file, channels) is None


def stack_axis(file: tifffile.TiffFile, channels: int) -> int | None:
    """Returns which of the three axes of a stack of pages has the bands; None where the first page is the picture.

    tifffile's writer makes a page of each row of an array ``(height, width, band)`` and notes its shape. A stack of as
    many grey pages as channels are wanted is one picture, unless these are grey or RGB: then it is a film.

    Args:
        file: The opened file.
        channels: How many channels are wanted.
    """
    series = file.series[0]
    if len(file.pages) == 1 or len(series.shape) != 3 or len(series.keyframe.shape) != 2:
        return None
    if series.kind == "shaped" and series.shape[2] <= MOST_BANDS < min(series.shape[:2]):
        return 2
    return 0 if series.shape[0] == channels and channels not in (1, 3) else None


def tiff_shape(path: Path, channels: int) -> tuple[int, int, int]:
    """Returns the width and height of a TIFF file, upright, and the number of its bands without transparency.

    Args:
        path: The file.
        channels: How many channels are wanted.

    Raises:
        ValueError: If it holds no picture; tifffile raises other errors, too.
    """
    with tifffile.TiffFile(path) as file:
        page, axis = file.series[0].keyframe, stack_axis(file, channels)
        if axis is None:
            shape = [int(page.imagelength), int(page.imagewidth), int(page.samplesperpixel)]
            alpha = int(len(page.extrasamples) == 1 and int(page.extrasamples[0]) in TRANSPARENCY)
        else:
            sides = [int(side) for side in file.series[0].shape]
            shape, alpha = [*(side for i, side in enumerate(sides) if i != axis), sides[axis]], 0
        height, width, bands = shape
        if int(page.tags.valueof(ORIENTATION, 1)) > 4:  # the picture lies on its side
            width, height = height, width
        return width, height, bands - alpha


def read_tiff(path: Path, channels: int, options: PictureOptions) -> Raster:
    """Reads the first page of a TIFF file, or its stack of bands.

    Args:
        path: The file.
        channels: How many channels are wanted.
        options: How large it may be.

    Raises:
        ValueError: If it is too large, or holds no picture; tifffile raises other errors, too.
    """
    with tifffile.TiffFile(path) as file:
        page, axis = file.series[0].keyframe, stack_axis(file, channels)
        if axis is None:
            options.check_pixels(page.imagewidth, page.imagelength)
            if page.samplesperpixel > MOST_BANDS:
                raise ValueError(f"it has {page.samplesperpixel} bands, more than {MOST_BANDS}")
            array, axis = page.asarray(), 0 if page.axes.startswith("S") else 2
        else:
            array = file.series[0].asarray()
        array = array[..., None] if array.ndim == 2 else np.moveaxis(array, axis, -1)
        if array.ndim != 3:
            raise ValueError(f"its first page has the shape {page.shape}, and a picture has height, width and bands")
        return _raster(page, array)


def _raster(page: Any, array: NDArray[Any]) -> Raster:
    bits, extra = int(page.bitspersample), [int(kind) for kind in page.extrasamples]
    has_alpha = len(extra) == 1 and extra[0] in TRANSPARENCY and array.shape[2] in (2, 4)
    states = (0.0, 2.0**bits - 1) if array.dtype.kind == "u" and bits < 16 else None
    array = turned(array, int(page.tags.valueof(ORIENTATION, 1)))
    return array_raster(array, states, has_alpha=has_alpha, is_inverted=int(page.photometric) == 0)
