"""The page of a run: pictures first, then tables and charts; it needs no network."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from overpaint.core.files import write_bytes
from overpaint.report.attention import attention
from overpaint.report.descriptions import description
from overpaint.report.html.gallery import cards_of
from overpaint.report.html.generator import generator_measures, generator_pictures
from overpaint.report.html.leaderboard import leaderboard_view
from overpaint.report.html.paging import (
    CARDS,
    MARK,
    PAGE,
    GalleryPage,
    chapters,
    gallery_pages,
    numbered_links,
    page_file,
    remove_pages,
)
from overpaint.report.html.pictures import Picture, PictureSource
from overpaint.report.html.tables import image_table, probe_tables
from overpaint.report.run_plots import RunPlot, Topic
from overpaint.report.tables.formatting import shown
from overpaint.report.tables.scoreboard import Scoreboard

MOST_EMBEDDED = 200
"""A page that holds its pictures itself has so many images at most; with more, a browser would take minutes to open
it."""

FILES = {
    "results.csv": "a row for each image, or series, and method, with all numbers",
    "leaderboard.csv": "the methods' means, intervals and ranks",
    "pairs.csv": "the differences of each pair of methods",
    "summary.json": "all means",
    "skipped.csv": "files that could not be read",
    "config.yaml": "the configuration",
}
"""The files beside the page, and what they hold."""


def page_environment() -> Environment:
    """Returns jinja's environment of the page's templates."""
    loader = PackageLoader("overpaint.report.html", ".")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = shown
    return environment


def too_many_to_embed(rows: int) -> str:
    """Says that so many images' pictures are not held by the page itself; empty where they can be."""
    if rows <= MOST_EMBEDDED:
        return ""
    return (
        f"report.self_contained=true holds the pictures of {MOST_EMBEDDED} images at most, and these are {rows}: they "
        "stay files beside the report."
    )


def write_page(
    folder: Path,
    board: Scoreboard,
    plots: Sequence[RunPlot],
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    command: str,
    notes: Sequence[str] = (),
    self_contained: bool = False,
) -> Path:
    """Writes ``report.html``, which holds the first images, the tables and the charts, and the further pages.

    The images stand in the order in which they deserve a look, see `overpaint.report.attention`. The pages of an
    earlier report that are not written again are deleted.

    Args:
        folder: The folder of all explanations, where the rows' folders and the plots' files are; the run's is its
            parent.
        board: The rows and their metrics.
        plots: The plots of all rows.
        summary: The means.
        settings: The merged configuration; empty: there is none.
        command: The command that made them.
        notes: What else is to be said of the run.
        self_contained: Whether a single page holds its pictures itself, so that it can be sent, where there are not too
            many; else they stay files beside it, which a browser loads when they are seen.

    Returns:
        The first page.
    """
    rows = len(board.numbers.images)
    too_many = too_many_to_embed(rows) if self_contained else ""
    self_contained = self_contained and not too_many
    source = PictureSource(folder, self_contained)
    names = {
        "Methods": {name: description(method) for name, method in board.methods.items()},
        "Metrics": {name: f"{metric.label}. {description(metric)}" for name, metric in board.metrics.items()},
        "Probes": {name: description(probe) for name, probe in board.probes.items()},
    }
    shared = {
        "title": folder.parent.name,
        "count": rows,
        "summary": summary,
        "names": names,
        "mark": MARK,
        "noun": board.noun,
    }
    about_the_run = {
        "command": command,
        "notes": [*notes, *([too_many] if too_many else [])],
        "leaderboard": leaderboard_view(board.standings, names["Metrics"], names["Methods"]) if board.scores else None,
        "unmeasured": board.unmeasured,
        "map_plots": _sections(plots, Topic.MAPS, source),
        "variant_plots": _sections(plots, Topic.VARIANTS, source),
        "generator": generator_pictures(folder.parent, source),
        "training": generator_measures(folder.parent),
        "files": {} if self_contained else {name: text for name, text in FILES.items() if (folder / name).is_file()},
        "configuration": json.dumps(settings, indent=2, ensure_ascii=False) if settings else "",
    }
    environment = page_environment()
    further = environment.get_template("gallery_page.html.j2")
    written = [PAGE]
    for page, gallery in _galleries(board, summary, source, rows if self_contained else CARDS):
        if page.number == 1:
            html = environment.get_template("page.html.j2").render(shared | gallery | about_the_run)
        else:
            html = further.render(shared | gallery)
        write_bytes(folder / page.file, html.encode(errors="replace"))
        written.append(page.file)
    remove_pages(folder, written)
    return folder / PAGE


def _galleries(
    board: Scoreboard, summary: Mapping[str, Any], source: PictureSource, cards: int
) -> Iterator[tuple[GalleryPage, dict[str, Any]]]:
    """Yields each page of the gallery, and what its template shows; one page's cards are in memory at a time."""
    found = attention(board.numbers, board.controls)
    cards = max(1, cards)
    pages = gallery_pages(found.order, cards)
    for page in pages:
        own = cards_of(board, source, page.rows)
        yield (
            page,
            {
                "cards": own,
                "card_width": _card_width([card.overview for card in own]),
                "images": image_table(board, summary, page.rows),
                "probe_tables": probe_tables(board, summary, page.rows),
                "page": page,
                "pages": len(pages),
                "chapters": chapters(found, cards),
                "links": [(number, page_file(number)) for number in numbered_links(page.number, len(pages))],
                "previous": page_file(page.number - 1) if page.number > 1 else "",
                "next": page_file(page.number + 1) if page.number < len(pages) else "",
            },
        )


def _card_width(pictures: Sequence[Picture]) -> int:
    """Returns how wide a card of the gallery is at least, so that what its picture says can be read."""
    return max([320, *(picture.width * 2 // 5 for picture in pictures)])


def _sections(
    plots: Sequence[RunPlot], topic: Topic, source: PictureSource
) -> dict[str, list[tuple[RunPlot, Picture]]]:
    """Returns a topic's plots and their pictures by the heading under which they are folded."""
    sections: dict[str, list[tuple[RunPlot, Picture]]] = {}
    for plot in plots:
        if plot.topic is topic:
            picture = source.picture(source.folder / plot.file, plot.caption)
            sections.setdefault(plot.fold, []).append((plot, picture))
    return sections
