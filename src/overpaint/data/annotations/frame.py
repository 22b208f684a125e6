"""The frame of an image: from pixels of its file to pixels of the image that is explained."""

import math
from dataclasses import dataclass
from pathlib import Path

from overpaint.core.choices import ResizeMode
from overpaint.core.errors import OverpaintError
from overpaint.data.files.decoding import upright_size
from overpaint.data.reading import Box, Size, resize_box

OVERHANG = 1.0
"""Pixels by which a box may reach beyond the border: annotators round, and some formats count from 1."""


@dataclass(frozen=True)
class Frame:
    """An image file and the image that is made of it.

    Attributes:
        path: The file.
        width: Its width in pixels, EXIF rotation applied.
        height: Its height.
        size: Height and width of the image that is made of it.
        resize_mode: ``crop`` or ``stretch``.
    """

    path: Path
    width: int
    height: int
    size: Size
    resize_mode: ResizeMode

    @classmethod
    def of(cls, path: Path, size: Size, resize_mode: ResizeMode) -> "Frame":
        """Reads the file's size.

        Raises:
            OverpaintError: If the file can't be read.
        """
        try:
            width, height = upright_size(path)
        except OSError as error:
            raise OverpaintError(f"the annotated image {path} can't be read ({error})") from error
        return cls(path, width, height, size, resize_mode)

    def check_size(self, width: object, height: object, where: str) -> None:
        """Checks the size that an annotation states.

        Raises:
            OverpaintError: If it is not the image's, or no numbers.
        """
        across, down = number(width, where, "width"), number(height, where, "height")
        if (across, down) != (self.width, self.height):
            raise OverpaintError(
                f"{where} is for an image of {across:g}x{down:g} pixels, but {self.path} has "
                f"{self.width}x{self.height}, EXIF rotation applied; annotate the image as it is"
            )

    @property
    def source_box(self) -> Box:
        """The box of the file's pixels that becomes the image."""
        return resize_box(self.width, self.height, self.size, self.resize_mode)

    def to_resized(self, box: Box, where: str) -> Box:
        """Maps a box of the file's pixels to pixels of the image; what ``crop`` cuts off lies outside of it.

        Args:
            box: The edges; pixel ``i`` of a row reaches from ``i`` to ``i + 1``.
            where: The box's place, for errors.

        Raises:
            OverpaintError: If the box is empty, or reaches more than one pixel beyond the image.
        """
        left, top, right, bottom = box
        shown = f"the box from ({left:g}, {top:g}) to ({right:g}, {bottom:g})"
        if not (left < right and top < bottom):
            raise OverpaintError(f"{where}: {shown} has no positive width and height")
        lowest, beyond = min(left, top), max(right - self.width, bottom - self.height)
        left, top, right, bottom = max(left, 0.0), max(top, 0.0), min(right, self.width), min(bottom, self.height)
        if lowest < -OVERHANG or beyond > OVERHANG or not (left < right and top < bottom):
            raise OverpaintError(
                f"{where}: {shown} reaches outside the image {self.path} of {self.width}x{self.height} pixels"
            )
        x0, y0, x1, y1 = self.source_box
        across, down = self.size[1] / (x1 - x0), self.size[0] / (y1 - y0)
        return (left - x0) * across, (top - y0) * down, (right - x0) * across, (bottom - y0) * down


def number(value: object, where: str, name: str) -> float:
    """Reads a number out of an annotation.

    Raises:
        OverpaintError: If it is none, or not finite.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        result = float(value)
        if not math.isfinite(result):
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise OverpaintError(f"{where}: {name}={value!r} is not a finite number") from error
    return result
