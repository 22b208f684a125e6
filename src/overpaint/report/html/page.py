"""The report's page: pictures first, tables and charts after, details folded."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from overpaint.core.files import read_csv, write_bytes
from overpaint.report.generator_gallery import INTERPOLATION, NEIGHBOURS
from overpaint.report.html.pictures import PagePicture, Pictures
from overpaint.report.probe_plots import sentences
from overpaint.report.run_plots import RunPlot
from overpaint.report.tables.leaderboard import leaderboard_view
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.summary import shown

COLUMNS = (
    "name",
    "label",
    "prediction",
    "target",
    "confidence",
    "region_fraction",
    "acceptance_rate",
    "mean_confidence",
    "contextual_loss",
    "realism",
    "diversity",
)
"""The columns of the table of all images."""

GENERATOR_PICTURES = {
    "samples.png": "Painted from random latents: what the variants are made of.",
    INTERPOLATION: "From one random latent to another, a row for each pair: a generator that has learnt its domain "
    "changes its picture all the way.",
    NEIGHBOURS: "Samples, each beside the training image nearest to it: first those that are nearest to one, then "
    "others from near to far. Were the distances far below those of real held-out images, the samples would be copies.",
}
"""What the run's pictures of its generator show."""

MEASURES = {
    "samples/confident": "share of samples that the classifier gives 0.9 or more",
    "samples/least_fraction": "smallest share of a class among the samples",
    "samples/precision": "precision: share of samples that lie among real images",
    "samples/recall": "recall: share of real images that lie among the samples",
    "samples/coverage": "coverage: share of real images near which a sample lies",
    "samples/kid": "KID in the classifier's features",
    "samples/fid_like": "Fréchet distance in the classifier's features (FID-like)",
    "dcgan/memorization_ratio": "distance of samples to training images, relative to that of real held-out images",
}
"""The measures of the generator's samples, and what they mean."""


@dataclass(frozen=True)
class PageRow:
    """What the page shows of a row.

    Attributes:
        numbers: Its numbers by name.
        overview: The picture that stands in the gallery.
        pictures: Further pictures, folded away.
        sentences: What its probes mean.
        methods: A table of its methods: a heading, and a row for each.
        probes: The numbers of its probes: names and values.
    """

    numbers: Mapping[str, Any]
    overview: PagePicture
    pictures: Sequence[PagePicture]
    sentences: Sequence[str]
    methods: Sequence[Sequence[str]]
    probes: Sequence[tuple[str, str]]


def write_html(
    folder: Path,
    board: Scoreboard,
    rows: Sequence[Mapping[str, Any]],
    plots: Sequence[RunPlot],
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    command: str,
    descriptions: Mapping[str, str],
    self_contained: bool,
) -> None:
    """Writes ``report.html``.

    Args:
        folder: The folder of all explanations; the run's is its parent.
        board: The rows' folders and their metrics.
        rows: The rows' numbers.
        plots: The plots of all rows, whose files are written already.
        summary: The means.
        settings: The merged configuration.
        command: The command that made them.
        descriptions: What each method, metric and probe is, by its name.
        self_contained: Whether the page holds its pictures; otherwise they are files beside it, which a browser loads
            when they come into sight.
    """
    pictures = Pictures(folder, self_contained)
    environment = Environment(loader=PackageLoader("overpaint.report.html", "."), autoescape=True)
    environment.filters["shown"] = shown
    plain = [plot for plot in plots if not plot.fold]
    page = environment.get_template("report.html.j2").render(
        title=folder.parent.name,
        command=command,
        columns=[name for name in COLUMNS if any(name in row for row in rows)],
        rows=[_page_row(*each, board, pictures) for each in zip(board.folders, board.results, rows, strict=True)],
        summary=summary,
        leaderboard=leaderboard_view(board.standings, board.labels) if board.scores else None,
        unmeasured=board.unmeasured,
        charts=[(plot, pictures.of(folder / plot.file, plot.caption)) for plot in plain],
        folds={
            fold: [(plot, pictures.of(folder / plot.file, plot.caption)) for plot in plots if plot.fold == fold]
            for fold in dict.fromkeys(plot.fold for plot in plots if plot.fold)
        },
        generator=[
            (pictures.of(folder.parent / file, caption), file != NEIGHBOURS)
            for file, caption in GENERATOR_PICTURES.items()
            if (folder.parent / file).is_file()
        ],
        training=_last_training_metrics(folder.parent),
        configuration=json.dumps(settings, indent=2, ensure_ascii=False) if settings else "",
        descriptions=descriptions,
    )
    write_bytes(folder / "report.html", page.encode(errors="replace"))


def _page_row(
    folder: Path, result: Mapping[str, Any], numbers: Mapping[str, Any], board: Scoreboard, pictures: Pictures
) -> PageRow:
    overview = folder / "overview.png"
    others = sorted(path for path in folder.glob("*.png") if path != overview)
    alt = f"{result['name']}, {result['target']}: image, maps, salient region and variants"
    return PageRow(
        numbers=numbers,
        overview=pictures.of(overview, alt),
        pictures=[pictures.of(path, f"{result['name']}: {path.stem.replace('_', ' ')}") for path in others],
        sentences=sentences(board.probes, {name: result["probes"][name] for name in board.probes}),
        methods=_method_table(result, board),
        probes=[
            (f"{name}: {key}", shown(value)) for name in board.probes for key, value in result["probes"][name].items()
        ],
    )


def _method_table(result: Mapping[str, Any], board: Scoreboard) -> list[list[str]]:
    """Returns a row's table of methods: a heading, and a row for each of them."""
    rows = [["method", "queries", "relative error", *board.scores]]
    for method in board.methods:
        own, metrics = result["methods"][method], result["metrics"].get(method, {})
        numbers = [own["queries"], own.get("relative_error"), *(metrics.get(name) for name in board.scores)]
        rows.append([method + (" (flat)" if own["flat"] else ""), *(shown(number) for number in numbers)])
    return rows


def _last_training_metrics(run: Path) -> dict[str, str]:
    """Returns the last value of each measure of the generator's samples in the run's ``metrics.csv``."""
    last: dict[str, str] = {}
    for row in read_csv(run / "metrics.csv"):
        last |= {MEASURES[name]: f"{float(value):.3g}" for name, value in row.items() if name in MEASURES and value}
    return last
