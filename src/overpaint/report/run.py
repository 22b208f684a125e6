"""The report of a run: its tables, plots and page, in files and in the terminal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from overpaint.core.types import StoredInputs
from overpaint.core.value_range import is_series, noun_of
from overpaint.data.split import Skipped
from overpaint.pipeline.runner import Runner
from overpaint.report.attention import attention
from overpaint.report.html.page import write_page
from overpaint.report.kid import variants_kid
from overpaint.report.metric_plots import metric_plots
from overpaint.report.patch_plots import patch_plots
from overpaint.report.plots.acceptance import acceptance_chart
from overpaint.report.probe_plots import probe_plots
from overpaint.report.run_plots import RunPlot, Topic, write_plots
from overpaint.report.tables import terminal
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.summary import summarise_run, write_tables


@dataclass(frozen=True)
class RunReport:
    """What is reported of a run.

    Attributes:
        board: The rows and their metrics.
        plots: The plots of all rows.
        summary: The means.
        page: The page.
        class_names: The classifier's.
    """

    board: Scoreboard
    plots: Sequence[RunPlot]
    summary: Mapping[str, Any]
    page: Path
    class_names: Sequence[str]


def write_report(
    folder: Path,
    folders: Sequence[Path],
    runner: Runner,
    real: Callable[[], StoredInputs],
    skipped: Sequence[Skipped],
    settings: Mapping[str, Any],
    command: str,
    self_contained: bool = False,
    refused: Sequence[Skipped] = (),
) -> RunReport:
    """Writes the tables, the plots and the page of explained rows.

    Args:
        folder: The folder of all explanations.
        folders: The rows' folders.
        runner: What explained them.
        real: Reads real images, with which variants are compared if there are enough.
        skipped: Files that could not be read.
        settings: The merged configuration; empty: there is none.
        command: The command that made them.
        self_contained: Whether the page holds its pictures itself.
        refused: Images that could not be explained.
    """
    board = Scoreboard(folders, runner.methods, runner.metrics, runner.probes, noun_of(runner.classifier.input_size))
    plots = [*metric_plots(board, runner.classifier), *probe_plots(board.probes, board.probe_results)]
    if (found := board.mean_acceptance()) is not None:
        curve, band = found
        picture = acceptance_chart(curve, "Where along the map the class is lost: mean of all", band=band)
        plots.append(RunPlot("region", "Where along the map the class is lost", picture, Topic.VARIANTS))
    plots += patch_plots(folders, [str(target) for target in board.numbers.images.texts("target")])
    more: dict[str, float | None] = {"refused_images": len(refused)} if refused else {}
    if runner.inpainter is not None:
        more["variants_kid"] = variants_kid(folders, real, runner.classifier)
    summary = summarise_run(board, skipped, more)
    write_tables(folder, board, summary, [*skipped, *refused])
    write_plots(folder, plots)
    page = write_page(folder, board, plots, summary, settings, command, _notes(runner), self_contained)
    return RunReport(board, plots, summary, page, runner.classifier.class_names)


def _notes(runner: Runner) -> list[str]:
    """Says what numbers are missing for want of a part, and how images of other channels than grey or RGB are drawn."""
    notes = []
    if runner.inpainter is not None and runner.inpainter.discriminator is None:
        notes.append("The generator has no discriminator: the search had no prior loss, and the variants no realism.")
    if (channels := runner.classifier.channels) not in (1, 3) and not is_series(runner.classifier.input_size):
        how = "first three as red, green and blue" if channels > 3 else "first as grey"
        notes.append(f"The images have {channels} channels; the pictures show the {how}.")
    return notes


def print_report(report: RunReport, console: Console) -> None:
    """Prints a report's tables."""
    board = report.board
    images, count = board.numbers.images, len(board.numbers.images)
    if count <= terminal.MOST_IMAGES:
        console.print(terminal.images_table(list(images.rows()), report.summary, board.noun))
    else:
        first = attention(board.numbers, board.controls).order[: terminal.MOST_IMAGES]
        console.print(terminal.images_table([images.row(row) for row in first], report.summary, board.noun, count))
    if troubled := report.summary.get("troubled_images"):
        console.print(f"{troubled} of the rows met numerical trouble; results.csv and the report say what was lost")
    if board.scores:
        console.print(terminal.leaderboard_table(board.standings, board.labels, console.width))
    if board.unmeasured:
        console.print(board.unmeasured, markup=False)
