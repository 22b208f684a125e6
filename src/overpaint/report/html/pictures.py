"""Pictures of the page: files beside it, or held by it."""

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from PIL import Image


@dataclass(frozen=True)
class PagePicture:
    """A picture of the page.

    Attributes:
        source: A relative address, or the picture itself.
        link: The address of the file; empty where the page holds the picture.
        width: Its width in pixels.
        height: Its height, so that nothing moves when it is loaded.
        alt: What it shows.
    """

    source: str
    link: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class Pictures:
    """Makes the pictures of a page from PNG files.

    Attributes:
        folder: The page's folder.
        embedded: Whether the page holds them.
    """

    folder: Path
    embedded: bool

    def of(self, path: Path, alt: str) -> PagePicture:
        """Returns a file as a picture of the page."""
        with Image.open(path) as opened:  # reads the size, not the pixels
            width, height = opened.size
        if self.embedded:
            content = base64.b64encode(path.read_bytes()).decode()
            return PagePicture(f"data:image/png;base64,{content}", "", width, height, alt)
        address = quote(os.path.relpath(path, self.folder).replace(os.sep, "/"))
        return PagePicture(address, address, width, height, alt)
