"""The report of a run: its tables, plots and page, in files and in the terminal."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from rich.console import Console
from torch import Tensor

from overpaint.data.base import Skipped
from overpaint.pipeline.runner import Runner
from overpaint.report.html.page import write_html
from overpaint.report.kid import variants_kid
from overpaint.report.metric_plots import metric_plots
from overpaint.report.probe_plots import patch_charts, probe_plots
from overpaint.report.run_plots import RunPlot, write_plots
from overpaint.report.tables.leaderboard import leaderboard_table
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.summary import image_row, terminal_table, write_tables


@dataclass(frozen=True)
class RunReport:
    """What is reported of a run.

    Attributes:
        folders: The folders of its rows.
        board: Their metrics.
        plots: The plots of all rows.
        summary: The means.
    """

    folders: Sequence[Path]
    board: Scoreboard
    plots: Sequence[RunPlot]
    summary: Mapping[str, Any]


def write_report(
    folder: Path,
    folders: Sequence[Path],
    runner: Runner,
    real: Callable[[], UInt8[Tensor, "real channel *space"]],
    skipped: Sequence[Skipped],
    settings: Mapping[str, Any],
    command: str,
    self_contained: bool = False,
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
        self_contained: Whether the page holds its pictures.
    """
    controls = [name for name, method in runner.methods.items() if method.is_control]
    board = Scoreboard(folders, list(runner.methods), runner.metrics, controls, runner.probes)
    plots = [*metric_plots(board, runner.classifier), *probe_plots(runner.probes, board.probe_results)]
    plots += patch_charts(folders, [result["target"] for result in board.results])
    more = {"variants_kid": variants_kid(folders, real, runner.classifier)} if runner.inpainter else {}
    summary = write_tables(folder, board, skipped, more)
    write_plots(folder, plots)
    rows = [image_row(result) for result in board.results]
    write_html(folder, board, rows, plots, summary, settings, command, descriptions(runner), self_contained)
    return RunReport(folders, board, plots, summary)


def descriptions(runner: Runner) -> dict[str, str]:
    """Returns what each method, metric and probe is: the first line of its class's documentation."""
    parts: dict[str, object] = {**runner.methods, **runner.metrics, **runner.probes}
    return {name: (inspect.getdoc(type(part)) or "").split("\n")[0].replace("`", "") for name, part in parts.items()}


def print_report(report: RunReport, console: Console) -> None:
    """Prints a report's tables."""
    board = report.board
    console.print(terminal_table(report.folders, report.summary))
    if board.scores:
        console.print(leaderboard_table(board.standings, board.labels, console.width))
    if board.unmeasured:
        console.print(board.unmeasured)
