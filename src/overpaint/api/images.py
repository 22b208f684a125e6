"""Images as a user has them: tensors, arrays, pictures, paths, or lists of these."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from overpaint.core.checks import check_images
from overpaint.core.choices import ResizeMode
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.scale import SeriesScale
from overpaint.core.sizes import format_size
from overpaint.core.types import Images
from overpaint.core.value_range import from_stored, is_series
from overpaint.data.files.decoding import picture_shape, reading_files
from overpaint.data.files.tiff import is_deep
from overpaint.data.files.values import Extent, PictureOptions, remarks
from overpaint.data.reading import DEFAULT, convert_picture, read_with_extent
from overpaint.data.series.pattern import fitted_series, in_scale, read_cases

Picture = Tensor | NDArray[Any] | Image.Image | str | Path
"""One image, or, where it is a tensor or an array, a batch of them."""

Pictures = Picture | Sequence[Picture] | Any
"""Images of these kinds; anything else is refused in a sentence."""

GREY_OR_RGB = (1, 3)


@dataclass(frozen=True)
class GivenImages:
    """Images as a user gave them, before it is known at which size they are read.

    Attributes:
        sizes: The size of each image along its spatial dimensions.
        channels: The channels of each image.
        names: A name for each image.
        fixed: The sizes of those that keep theirs.
        load: Returns them as a batch, of a size and a number of channels.
    """

    sizes: list[tuple[int, ...]]
    channels: list[int]
    names: list[str]
    fixed: list[tuple[int, ...]]
    load: Callable[[tuple[int, ...], int], Images]


def as_images(
    images: Pictures,
    dimensions: int = 2,
    resize_mode: ResizeMode = "crop",
    options: PictureOptions = DEFAULT,
    channels: int | None = None,
    scale: SeriesScale | None = None,
) -> GivenImages:
    """Takes images of any of the kinds.

    Args:
        images: A tensor or array, uint8 or in ``[0, 1]``: one image ``(channel, height, width)`` or ``(height, width,
            channel)``, a grey one ``(height, width)``, or a batch of them; a PIL image; a path; a list of these. With
            one dimension a tensor or array of floats: ``(length,)``, ``(channel, length)`` or a batch of the latter,
            scaled; or the path of a file of series in their own units, all of which are taken.
        dimensions: Spatial dimensions of an image.
        resize_mode: What of a picture or file of another aspect ratio is shown to the classifier: ``crop`` its middle,
            ``stretch`` all of it. Tensors and arrays keep their size.
        options: Which values of pictures and files are black and white.
        channels: How many the classifier takes, where it says so: it decides which axis of an array has them.
        scale: How the series of files are scaled; None: they are taken as they are.

    Raises:
        OverpaintError: If one of them is none of these, can't be read, or does not lie in ``[0, 1]``.
    """
    given = [_as_tensor(each) for each in (images if isinstance(images, list | tuple) else [images])]
    if not given:
        raise OverpaintError("images is an empty list; there is nothing to explain")
    if is_series((0,) * dimensions):
        parts = [_taken_series(each, channels, scale, len(given) > 1) for each in given]
    else:
        parts = [_taken(each, dimensions, resize_mode, options, channels, len(given) > 1) for each in given]
    sizes = [size for part in parts for size in part.sizes]
    counts = [count for part in parts for count in part.channels]

    def load(size: tuple[int, ...], count: int) -> Images:
        return torch.cat([part.load(size, count) for part in parts])

    fixed = [size for part in parts for size in part.fixed]
    return GivenImages(sizes, counts, _unique([name for part in parts for name in part.names]), fixed, load)


def _as_tensor(image: Any) -> Any:
    """Returns an array as a tensor, and anything else as it is."""
    return torch.from_numpy(np.ascontiguousarray(image)) if isinstance(image, np.ndarray) else image


def _taken_series(series: Any, channels: int | None, scale: SeriesScale | None, listed: bool) -> GivenImages:
    if isinstance(series, str | Path):
        return _of_series_file(Path(series).expanduser(), scale)
    if isinstance(series, Tensor):
        return _of_tensor(series, 1, channels, listed)
    raise OverpaintError(
        f"images holds a {type(series).__name__}, but the classifier takes series: give tensors or arrays (channel, "
        "length), batches of them, or paths of files of series"
    )


def _of_series_file(path: Path, scale: SeriesScale | None) -> GivenImages:
    cases = read_cases(path)

    def load(size: tuple[int, ...], count: int) -> Images:
        return in_scale(fitted_series(cases, size[0], count), scale)

    sizes: list[tuple[int, ...]] = [(case.shape[1],) for case in cases.values()]
    return GivenImages(sizes, [case.shape[0] for case in cases.values()], list(cases), [], load)


def _taken(
    image: Any, dimensions: int, resize_mode: ResizeMode, options: PictureOptions, channels: int | None, listed: bool
) -> GivenImages:
    if isinstance(image, str | Path):
        return _of_file(Path(image).expanduser(), resize_mode, options, channels or 3)
    if isinstance(image, Image.Image):
        return _of_picture(image, resize_mode, options)
    if isinstance(image, Tensor):
        return _of_tensor(image, dimensions, channels, listed)
    raise OverpaintError(
        f"images holds a {type(image).__name__}; it takes tensors, arrays, PIL images, paths, and lists of these"
    )


def _of_picture(image: Image.Image, resize_mode: ResizeMode, options: PictureOptions) -> GivenImages:
    def load(size: tuple[int, ...], count: int) -> Images:
        try:
            with reading_files():
                values, extent = convert_picture(image, _pair(size), count, resize_mode, options)
        except Exception as error:  # a broken picture can make a decoder raise anything
            raise _as_ours(f"a PIL image of mode {image.mode}", error) from error
        return _from_bytes(values, Path("a PIL image"), extent, options)

    channels = 1 if is_deep(image) or image.mode in ("1", "L") else 3
    return GivenImages([(image.height, image.width)], [channels], ["image"], [], load)


def _of_file(path: Path, resize_mode: ResizeMode, options: PictureOptions, wanted: int) -> GivenImages:
    try:
        width, height, channels = picture_shape(path, wanted)
    except OSError as error:
        raise _as_ours(f"the image {path}", error) from error

    def load(size: tuple[int, ...], count: int) -> Images:
        try:
            with reading_files():
                values, extent = read_with_extent(path, _pair(size), count, resize_mode, options)
        except OSError as error:
            raise _as_ours(f"the image {path}", error) from error
        return _from_bytes(values, path, extent, options)

    return GivenImages([(height, width)], [channels if channels > 3 else 3], [path.stem], [], load)


def _as_ours(what: str, error: BaseException) -> OverpaintError:
    """Returns the error that a user reads; ours stay as they are."""
    return error if isinstance(error, OverpaintError) else OverpaintError(f"{what} can't be read: {error}")


def _of_tensor(values: Tensor, dimensions: int, channels: int | None, listed: bool) -> GivenImages:
    """Takes one image or a batch; channels may be last, as NumPy's images have them."""
    shape = tuple(values.shape)
    if values.ndim == dimensions:
        values = values[None, None]
    elif values.ndim == dimensions + 1:
        values = values[None]
    elif values.ndim != dimensions + 2:
        kind = "a series" if dimensions == 1 else "an image"
        raise OverpaintError(
            f"images has shape {shape}; {kind} has {dimensions + 1} axes (channel first), a batch of them one more; "
            "volumes (batch, channel, depth, height, width) are not explained"
        )
    usual = GREY_OR_RGB if channels is None else (*GREY_OR_RGB, channels)
    if values.shape[1] not in usual and values.shape[-1] in usual:
        values = values.movedim(-1, 1)
    own = tuple(values.shape[2:])
    values = values.float() if is_series(own) else from_stored(values)
    check_images(values)
    values = values.float()

    def load(size: tuple[int, ...], count: int) -> Images:
        if size != own:
            raise OverpaintError(
                f"images have different sizes, such as {format_size(own)} and {format_size(size)}; give tensors and "
                "arrays of one size, or files and PIL images, which are resized"
            )
        return _with_channels(values, count)

    names = [f"image-{i:05d}" for i in range(len(values))] if len(values) > 1 or not listed else ["image"]
    return GivenImages([own] * len(values), [values.shape[1]] * len(values), names, [own], load)


def _with_channels(values: Images, count: int) -> Float[Tensor, "batch shown *space"]:
    """Shows a grey image to a classifier of three channels.

    Raises:
        OverpaintError: If the channels differ in another way.
    """
    if values.shape[1] == count:
        return values
    if values.shape[1] == 1 and count == 3 and not is_series(values.shape[2:]):
        return values.expand(-1, 3, *values.shape[2:])
    raise OverpaintError(f"the images have {values.shape[1]} channels, but the classifier takes {count}")


def _pair(size: tuple[int, ...]) -> tuple[int, int]:
    if len(size) != 2:
        raise OverpaintError(f"the classifier takes inputs of size {format_size(size)}, and pictures have two sides")
    return size[0], size[1]


def _from_bytes(image: Tensor, path: Path, extent: Extent, options: PictureOptions) -> Images:
    for said in remarks([(path, extent)], options.prefix):
        warnings.warn(said, OverpaintWarning, stacklevel=2)
    return image[None].float() / 255


def _unique(names: list[str]) -> list[str]:
    """Returns the names, numbered where one comes twice."""
    if len(set(names)) == len(names):
        return names
    return [f"{name}-{i:05d}" for i, name in enumerate(names)]
