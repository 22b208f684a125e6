"""Writes the report: one page that holds its pictures and needs no network."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader

from overpaint.core.files import read_csv, write_bytes
from overpaint.report.generator_gallery import INTERPOLATION, NEIGHBOURS
from overpaint.report.probe_plots import sentences
from overpaint.report.run_plots import RunPlot
from overpaint.report.tables.leaderboard import leaderboard_view
from overpaint.report.tables.scoreboard import Scoreboard

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


def shown(value: Any, absent: str = "–") -> str:
    """Writes a number to three digits, and ``absent`` for None."""
    if value is None:
        return absent
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _inline(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def _pictures(folder: Path) -> list[str]:
    """Returns an image's pictures, the overview first."""
    others = sorted(path for path in folder.glob("*.png") if path.name != "overview.png")
    return [_inline(path.read_bytes()) for path in [folder / "overview.png", *others]]


def _method_table(result: Mapping[str, Any], board: Scoreboard) -> list[list[str]]:
    """Returns an image's table of methods: a heading, and a row for each of them."""
    rows = [["method", "queries", "relative error", *board.scores]]
    for method in board.methods:
        own, metrics = result["methods"][method], result["metrics"].get(method, {})
        numbers = [own["queries"], own.get("relative_error"), *(metrics.get(name) for name in board.scores)]
        rows.append([method + (" (flat)" if own["flat"] else ""), *(shown(number) for number in numbers)])
    return rows


def _probe_rows(result: Mapping[str, Any], probes: Sequence[str]) -> list[tuple[str, str]]:
    """Returns what an image's probes found: names and numbers."""
    return [(f"{name}: {key}", shown(value)) for name in probes for key, value in result["probes"][name].items()]


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


def _last_training_metrics(run: Path) -> dict[str, str]:
    """Returns the last value of each measure of the generator's samples in the run's ``metrics.csv``."""
    last: dict[str, str] = {}
    for row in read_csv(run / "metrics.csv"):
        last |= {MEASURES[name]: f"{float(value):.3g}" for name, value in row.items() if name in MEASURES and value}
    return last


def write_html(
    folder: Path,
    board: Scoreboard,
    rows: Sequence[Mapping[str, Any]],
    charts: Sequence[RunPlot],
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    command: str,
) -> None:
    """Writes ``report.html``.

    Args:
        folder: The folder of all explanations; the run's is its parent.
        board: The images' folders and their metrics.
        rows: The images' numbers.
        charts: The charts of the metrics.
        summary: The means.
        settings: The merged configuration.
        command: The command that made them.
    """
    environment = Environment(loader=PackageLoader("overpaint.report.html", "."), autoescape=True)
    environment.filters["shown"] = shown
    page = environment.get_template("report.html.j2").render(
        title=folder.parent.name,
        command=command,
        columns=[name for name in COLUMNS if any(name in row for row in rows)],
        rows=rows,
        summary=summary,
        pictures=[_pictures(path) for path in board.folders],
        methods=[_method_table(result, board) for result in board.results],
        probed=[_probe_rows(result, board.probes) for result in board.results],
        sentences=[sentences({n: result["probes"][n] for n in board.probes}) for result in board.results],
        leaderboard=leaderboard_view(board.standings, board.labels) if board.scores else None,
        unmeasured=board.unmeasured,
        charts=[(chart, _inline(chart.picture)) for chart in charts if not chart.fold],
        folds={
            fold: [(chart, _inline(chart.picture)) for chart in charts if chart.fold == fold]
            for fold in dict.fromkeys(chart.fold for chart in charts if chart.fold)
        },
        generator=[
            (caption, _inline((folder.parent / file).read_bytes()), file != NEIGHBOURS)
            for file, caption in GENERATOR_PICTURES.items()
            if (folder.parent / file).is_file()
        ],
        training=_last_training_metrics(folder.parent),
        configuration=json.dumps(settings, indent=2, ensure_ascii=False),
    )
    write_bytes(folder / "report.html", page.encode())
