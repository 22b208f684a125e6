"""The page of a run: pictures first, then tables and charts; it needs no network."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from overpaint.core.files import write_bytes
from overpaint.report.descriptions import description
from overpaint.report.html.gallery import cards_of
from overpaint.report.html.generator import generator_measures, generator_pictures
from overpaint.report.html.leaderboard import leaderboard_view
from overpaint.report.html.pictures import Picture, PictureSource
from overpaint.report.html.tables import image_table, probe_tables
from overpaint.report.run_plots import RunPlot, Topic
from overpaint.report.tables.formatting import shown
from overpaint.report.tables.scoreboard import Scoreboard

PAGE = "report.html"

OPEN_CARDS, FOLDED_CARDS = 12, 48
"""So many images of the gallery are open; the others are folded away, so many together."""

FILES = {
    "results.csv": "a row for each image and method, with all numbers",
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
    """Writes ``report.html``.

    Args:
        folder: The folder of all explanations, where the rows' folders and the plots' files are; the run's is its
            parent.
        board: The rows and their metrics.
        plots: The plots of all rows.
        summary: The means.
        settings: The merged configuration; empty: there is none.
        command: The command that made them.
        notes: What else is to be said of the run.
        self_contained: Whether the page holds its pictures itself, so that it can be sent; else they stay files beside
            it, which a browser loads when they are seen.

    Returns:
        The page.
    """
    source = PictureSource(folder, self_contained)
    names = {
        "Methods": {name: description(method) for name, method in board.methods.items()},
        "Metrics": {name: f"{metric.label}. {description(metric)}" for name, metric in board.metrics.items()},
        "Probes": {name: description(probe) for name, probe in board.probes.items()},
    }
    cards = cards_of(board, source)
    page = page_environment().get_template("page.html.j2")
    html = page.render(
        title=folder.parent.name,
        command=command,
        cards=cards,
        open_cards=OPEN_CARDS,
        folded_cards=FOLDED_CARDS,
        card_width=_card_width([card.overview for card in cards]),
        images=image_table(board, summary),
        summary=summary,
        notes=notes,
        leaderboard=leaderboard_view(board.standings, names["Metrics"], names["Methods"]) if board.scores else None,
        unmeasured=board.unmeasured,
        map_plots=_sections(plots, Topic.MAPS, source),
        probe_tables=probe_tables(board, summary),
        variant_plots=_sections(plots, Topic.VARIANTS, source),
        names=names,
        generator=generator_pictures(folder.parent, source),
        training=generator_measures(folder.parent),
        files={} if self_contained else {name: text for name, text in FILES.items() if (folder / name).is_file()},
        configuration=json.dumps(settings, indent=2, ensure_ascii=False) if settings else "",
    )
    write_bytes(folder / PAGE, html.encode(errors="replace"))
    return folder / PAGE


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
