"""The report of a run: its tables, charts and page, in files, in the terminal and in W&B."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from rich.console import Console
from torch import Tensor

from overpaint.data.base import Skipped
from overpaint.pipeline.runner import Runner
from overpaint.report.metric_plots import metric_plots
from overpaint.report.probe_plots import patch_charts, probe_plots
from overpaint.report.run_plots import RunPlot
from overpaint.report.tables.leaderboard import leaderboard_table, wandb_leaderboard, wandb_pairs
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.summary import terminal_table, variants_kid, wandb_picture, wandb_table, write_summary


@dataclass(frozen=True)
class RunReport:
    """What is reported of a run.

    Attributes:
        folders: The folders of its rows.
        board: Their metrics.
        charts: The charts of all rows.
        summary: The means.
    """

    folders: Sequence[Path]
    board: Scoreboard
    charts: Sequence[RunPlot]
    summary: Mapping[str, Any]


def write_report(
    folder: Path,
    folders: Sequence[Path],
    runner: Runner,
    real: UInt8[Tensor, "real channel height width"],
    skipped: Sequence[Skipped],
    settings: Mapping[str, Any],
    command: str,
) -> RunReport:
    """Writes the tables, the charts and the page of explained rows.

    Args:
        folder: The folder of all explanations.
        folders: The rows' folders.
        runner: What explained them.
        real: Real images, with which variants are compared.
        skipped: Files that could not be read.
        settings: The merged configuration.
        command: The command that made them.
    """
    controls = [name for name, method in runner.methods.items() if method.is_control]
    board = Scoreboard(folders, list(runner.methods), runner.metrics, controls, list(runner.probes))
    charts = [*metric_plots(board, runner.classifier), *probe_plots(board.probe_results)]
    charts += patch_charts(folders, [result["target"] for result in board.results])
    more = {"variants_kid": variants_kid(folders, real, runner.classifier)} if runner.inpainter else {}
    summary = write_summary(folder, board, charts, skipped, settings, command, more)
    return RunReport(folders, board, charts, summary)


def log_report(run: Any, report: RunReport) -> None:
    """Logs a report to a W&B run."""
    board = report.board
    run.log({"explanations": wandb_table(report.folders, board.methods, list(board.metrics))})
    run.log({"leaderboard": wandb_leaderboard(board.standings), "pairs": wandb_pairs(board.comparisons)})
    run.log({f"charts/{chart.name}": wandb_picture(chart.picture) for chart in report.charts})
    run.summary.update(dict(report.summary))


def print_report(report: RunReport, console: Console) -> None:
    """Prints a report's tables."""
    board = report.board
    console.print(terminal_table(report.folders, report.summary))
    if board.scores:
        console.print(leaderboard_table(board.standings, board.labels, console.width))
    if board.unmeasured:
        console.print(board.unmeasured)
