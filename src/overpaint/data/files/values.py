"""The range of a picture's values, from black to white: by the bit depth, or as a user says it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray
from PIL import Image

from overpaint.core.errors import OverpaintError

Range = tuple[float, float]
"""The value that is black and the one that is white."""

GivenRange = Sequence[int | float] | str | float
"""``auto``, or the values that are black and white; anything else is refused in a sentence."""

EIGHT_BITS: Range = (0.0, 255.0)

PILLOW_MEGAPIXELS = 178.0
"""The size of picture, in million pixels, from which Pillow suspects an attack."""

LITTLE = 0.1
"""A picture that uses less of its range is said: it is nearly black, or nearly of one grey."""


@dataclass(frozen=True)
class PictureOptions:
    """How the values of picture files are read, the same for all files of a run.

    Attributes:
        value_range: ``auto`` for the range that the bit depth gives (8 bits 0 to 255, 16 bits 0 to 65535, DICOM its
            window, floating point 0 to 1), or the values that are black and white in every file; what lies outside is
            clipped.
        max_megapixels: Larger pictures are not read.
        prefix: What stands before the settings' names where a user says them, for errors: ``data.``, or nothing.
    """

    value_range: Literal["auto"] | Range = "auto"
    max_megapixels: float = PILLOW_MEGAPIXELS
    prefix: str = ""

    @classmethod
    def of(cls, given: Any, max_megapixels: int | float, prefix: str) -> "PictureOptions":
        """Checks the settings.

        Args:
            given: ``auto``, or the two values.
            max_megapixels: The largest picture that is read.
            prefix: What stands before the settings' names, for errors.

        Raises:
            OverpaintError: If they are no range, or no picture could be read.
        """
        if not max_megapixels > 0:
            raise OverpaintError(f"{prefix}max_megapixels={max_megapixels:g} must be more than 0")
        if given == "auto":
            return cls("auto", float(max_megapixels), prefix)
        try:
            values = [float(value) for value in given]
        except (TypeError, ValueError):
            values = []
        if len(values) != 2 or not all(map(math.isfinite, values)) or values[0] >= values[1]:
            raise OverpaintError(
                f"{prefix}range={given} must be auto, or two numbers [black,white], the lower one first"
            )
        return cls((values[0], values[1]), float(max_megapixels), prefix)

    def check_pixels(self, width: int, height: int) -> None:
        """Checks a picture's size before it is decoded.

        Raises:
            ValueError: If it is larger than the settings allow.
        """
        millions = width * height / 1e6
        if millions > self.max_megapixels:
            limit = f"{self.prefix}max_megapixels={self.max_megapixels:g}"
            raise ValueError(f"it has {millions:.1f} million pixels, more than {limit} allows")


@dataclass(frozen=True)
class Extent:
    """What values a picture has, and which of them are black and white.

    Attributes:
        lowest: Its lowest value.
        highest: Its highest.
        black: The value that is black.
        white: The value that is white.
        is_window: Whether the file states what is shown of its values, so that it is no loss what lies outside.
    """

    lowest: float
    highest: float
    black: float
    white: float
    is_window: bool = False

    @property
    def uses_little(self) -> bool:
        """Whether it uses under a tenth of its range; a picture of one value has nothing to show and is none."""
        inside = min(self.highest, self.white) - max(self.lowest, self.black)
        return self.highest > self.lowest and inside < LITTLE * (self.white - self.black)

    @property
    def is_clipped(self) -> bool:
        """Whether values lie outside its range."""
        return not self.is_window and (self.lowest < self.black or self.highest > self.white)


@dataclass(frozen=True)
class Raster:
    """A picture of more than 8 bits a value, or of bands that Pillow does not know.

    Attributes:
        values: Height x width x band, of numbers of any kind.
        states: The values that are black and white by the file's bit depth or window; None where it states none.
        is_window: Whether ``states`` is a window, outside which values are black and white on purpose.
        is_inverted: Whether low values are bright.
        has_alpha: Whether the last band is transparency, from 0 to 1 for floating point, else to the type's maximum.
    """

    values: NDArray[Any]
    states: Range | None
    is_window: bool = False
    is_inverted: bool = False
    has_alpha: bool = False

    @property
    def bands(self) -> int:
        """How many bands it has, transparency among them."""
        return int(self.values.shape[2])

    def to_bytes(self, options: PictureOptions) -> tuple[UInt8[np.ndarray, "height width band"], Extent]:
        """Maps the values from black to white onto 0 to 255, rounded; what lies outside is clipped.

        Raises:
            ValueError: If a value is not finite, or ``auto`` finds no range that holds all values.
        """
        colours = self.values[..., :-1] if self.has_alpha else self.values
        lowest, highest = float(colours.min()), float(colours.max())
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            raise ValueError("it holds values that are not finite")
        black, white = self._range(options, lowest, highest)
        extent = Extent(lowest, highest, black, white, self.is_window and options.value_range == "auto")
        mapped = _to_bytes(colours, black, white)
        if self.is_inverted:
            mapped = 255 - mapped
        if self.has_alpha:
            mapped = np.concatenate([mapped, _to_bytes(self.values[..., -1:], *type_range(self.values.dtype))], axis=2)
        return mapped, extent

    def _range(self, options: PictureOptions, lowest: float, highest: float) -> Range:
        if options.value_range != "auto":
            return options.value_range
        if self.states is not None and (self.is_window or (self.states[0] <= lowest and highest <= self.states[1])):
            return self.states
        raise ValueError(
            f"its values reach from {lowest:g} to {highest:g}, and no bit depth says which are black and white; "
            f"say it by {options.prefix}range=[black,white]"
        )


def type_range(kind: np.dtype[Any]) -> Range:
    """Returns the range of a type of number: 0 to 1 for floating point and Booleans, else 0 to its maximum."""
    return (0.0, float(np.iinfo(kind).max)) if kind.kind in "iu" else (0.0, 1.0)


def stated_range(kind: np.dtype[Any]) -> Range | None:
    """Returns the range that a type of number states: None for signed integers and for those of more than 16 bits."""
    return type_range(kind) if kind.kind in "bf" or (kind.kind == "u" and kind.itemsize <= 2) else None


def array_raster(
    values: NDArray[Any], states: Range | None = None, has_alpha: bool = False, is_inverted: bool = False
) -> Raster:
    """Makes a picture of an array ``(height, width, band)``, with the range that its type states unless one is given.

    Raises:
        ValueError: If it holds something else than numbers.
    """
    if values.dtype.kind not in "biuf":
        raise ValueError(f"it holds values of type {values.dtype}, which are no numbers of a picture")
    return Raster(values, states or stated_range(values.dtype), is_inverted=is_inverted, has_alpha=has_alpha)


def _to_bytes(values: NDArray[Any], black: float, white: float) -> UInt8[np.ndarray, "height width band"]:
    """Maps a part of the rows at a time: a large picture in double precision may not fit into memory."""
    result = np.empty(values.shape, np.uint8)
    rows = max(1, 2**22 // max(1, values[0].size))
    for start in range(0, len(values), rows):
        part = values[start : start + rows].astype(np.float64).clip(black, white)
        result[start : start + rows] = ((part - black) / (white - black) * 255).round()
    return result


def map_bytes(image: Image.Image, options: PictureOptions) -> tuple[Image.Image, Extent]:
    """Maps a picture of 8 bits a value, without its transparency, onto the range; with ``auto`` it stays as it is.

    Args:
        image: Grey or colours of any number of bands, perhaps with transparency.
        options: The range.
    """
    is_colour = [band not in ("A", "a") for band in image.getbands()]
    black, white = EIGHT_BITS if options.value_range == "auto" else options.value_range
    extrema: Any = image.getextrema() if len(is_colour) > 1 else (image.getextrema(),)
    found = [reach for reach, counts in zip(extrema, is_colour, strict=True) if counts]
    extent = Extent(float(min(low for low, _ in found)), float(max(high for _, high in found)), black, white)
    if (black, white) != EIGHT_BITS:
        table = _to_bytes(np.arange(256)[:, None, None], black, white).ravel().tolist()
        image = image.point([v for counts in is_colour for v in (table if counts else range(256))])
    return image, extent


def remarks(extents: Sequence[tuple[Path, Extent]], prefix: str) -> list[str]:
    """Says which files hardly use their range, and which have values outside it; each in one sentence.

    Args:
        extents: The files that were read, and their values.
        prefix: What stands before the setting's name.
    """
    said = []
    for which, what in (
        ([(path, e) for path, e in extents if e.uses_little], "use under a tenth of the range from black to white"),
        ([(path, e) for path, e in extents if e.is_clipped], "have values outside the range, which are clipped"),
    ):
        if which:
            path, first = which[0]
            low, high = min(e.lowest for _, e in which), max(e.highest for _, e in which)
            said.append(
                f"{len(which)} of {len(extents)} files {what}: {path} has values from {first.lowest:g} to "
                f"{first.highest:g}, the range is [{first.black:g},{first.white:g}]; the values of these files reach "
                f"from {low:g} to {high:g}, and {prefix}range=[black,white] says which are black and white"
            )
    return said
