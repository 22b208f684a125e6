"""Annotated images and their objects, as the readers of all formats return them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from overpaint.core.errors import OverpaintError
from overpaint.data.annotations.frame import Frame
from overpaint.data.annotations.objects import MaskObjects
from overpaint.data.reading import Box


@dataclass(frozen=True)
class LabelledBox:
    """An annotated box.

    Attributes:
        name: The name of its class.
        box: Its edges in pixels of the image file; pixel ``i`` of a row reaches from ``i`` to ``i + 1``.
        where: Its place in the annotations, for errors.
        number: The number of its class in the annotations, if they have one.
    """

    name: str
    box: Box
    where: str
    number: int | None = None


@dataclass(frozen=True)
class Entry:
    """An annotated image.

    Attributes:
        image: The image's name: the end of its path, with or without suffix.
        where: The place in the annotations, for errors.
        read: Reads the objects; formats of a file for each image open it here, so that only those asked for are read.
    """

    image: str
    where: str
    read: Callable[[Frame], list[LabelledBox] | MaskObjects]


def entry_name(path: Path, source: Path) -> str:
    """Returns the name of the image that an annotation file is for: its own place below the source, without suffix."""
    return path.relative_to(source if source.is_dir() else source.parent).with_suffix("").as_posix()


def read_text(path: Path) -> str:
    """Reads a text file of UTF-8, with or without a byte-order mark.

    Raises:
        OverpaintError: If it can't be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise OverpaintError(f"the annotations {path} can't be read as UTF-8 text ({error})") from error
