"""The pages of the gallery: which rows stand on which, their files, and the links between them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from overpaint.report.attention import Attention

PAGE = "report.html"
"""The first page, which holds the tables and charts too."""

CARDS = 48
"""Cards of a page."""

FAR = 10
"""So many links, evenly over all pages, stand beside those of the neighbours."""

NEAR = 2
"""Pages before and after a page whose links stand beside it."""

MARK = '<meta name="generator" content="Overpaint gallery">'
"""What is in a gallery page of ours and nobody else's."""

OURS = re.compile(r"gallery-\d{4,}\.html")
"""The names of gallery pages; no row's folder ends like that."""


@dataclass(frozen=True)
class GalleryPage:
    """A page of the gallery.

    Attributes:
        number: Its number, from 1.
        file: Its file.
        rows: The rows that it shows, by their numbers.
    """

    number: int
    file: str
    rows: Sequence[int]


@dataclass(frozen=True)
class Chapter:
    """The rows that stand together for one reason.

    Attributes:
        name: The reason.
        rows: How many there are.
        page: The number of the page on which they begin.
        file: Its file.
    """

    name: str
    rows: int
    page: int
    file: str


def gallery_pages(order: Sequence[int], cards: int) -> list[GalleryPage]:
    """Divides the rows into pages of at most so many cards; one page at least."""
    starts = range(0, max(1, len(order)), cards)
    return [GalleryPage(n, page_file(n), order[start : start + cards]) for n, start in enumerate(starts, start=1)]


def page_file(number: int) -> str:
    """Returns the name of a page's file."""
    return PAGE if number == 1 else f"gallery-{number:04d}.html"


def chapters(found: Attention, cards: int) -> list[Chapter]:
    """Returns how many rows stand in the gallery for each reason, and where they begin."""
    starts = [0, *(i for i in range(1, len(found.reasons)) if found.reasons[i] is not found.reasons[i - 1])]
    ends = [*starts[1:], len(found.reasons)]
    pages = [1 + start // cards for start in starts]
    return [
        Chapter(found.reasons[start].value, end - start, page, page_file(page))
        for start, end, page in zip(starts, ends, pages, strict=True)
        if end > start
    ]


def numbered_links(number: int, count: int) -> list[int]:
    """Returns the pages that a page links to by their numbers: the first, the last, its neighbours, and some between.

    The list is as short for thousands of pages as for twenty.
    """
    near = range(max(1, number - NEAR), min(count, number + NEAR) + 1)
    far = (1 + round(i * (count - 1) / FAR) for i in range(FAR + 1))
    return sorted({*near, *far})


def remove_pages(folder: Path, kept: Sequence[str] = ()) -> None:
    """Deletes the gallery pages that an earlier report left; a file that only has such a name is left alone."""
    for path in folder.glob("gallery-*.html"):
        if OURS.fullmatch(path.name) and path.name not in kept and path.is_file():
            with path.open("rb") as file:
                is_ours = MARK.encode() in file.read(1000)
            if is_ours:
                path.unlink()
