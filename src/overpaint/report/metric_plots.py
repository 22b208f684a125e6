"""The charts of a run's metrics: leaderboard, average curves, convergence, agreement, randomisation, each pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from overpaint.core.files import write_bytes
from overpaint.metrics.base import SaliencyMetric
from overpaint.report.plots.comparison import bars_chart, leaderboard_chart, pairs_chart
from overpaint.report.plots.curves import convergence_chart, curves_chart, randomisation_chart
from overpaint.report.plots.style import method_styles
from overpaint.report.tables.scoreboard import Scoreboard, similarity_panels

PAIRS = "Each pair of methods"
"""Where the paired differences are folded away."""

QUERIES = "queries"
"""The horizontal axis of metrics that say what more queries bring."""


@dataclass(frozen=True)
class RunPlot:
    """A chart of all images.

    Attributes:
        name: Of its file, without suffix.
        caption: What it shows.
        picture: The PNG file's content.
        fold: Under which heading the report folds it away; empty: it does not.
    """

    name: str
    caption: str
    picture: bytes
    fold: str = ""


def axis_of(metric: SaliencyMetric) -> str:
    """Returns what the horizontal axis of a metric's curve says; empty for a metric without a curve."""
    return str(getattr(metric, "axis", ""))


def metric_plots(board: Scoreboard, layers: Mapping[str, Sequence[str]]) -> list[RunPlot]:
    """Draws what there is to draw of a run's metrics.

    Args:
        board: The metrics.
        layers: For metrics that randomise layers, what was randomised at each point of the curve.
    """
    if not board.scores:
        return []
    styles = method_styles(board.methods, board.controls)
    labels = board.labels
    charts = [
        RunPlot(
            "leaderboard", "Each metric: mean and 95 % interval over images", leaderboard_chart(board.standings, labels)
        )
    ]
    for name in board.scores:
        metric = board.metrics[name]
        axis = axis_of(metric)
        if not axis or name in layers:
            continue
        curves, bands = board.mean_curves(name)
        if not curves:
            continue
        if axis == QUERIES:
            better = metric.higher_is_better
            picture = convergence_chart(curves, metric.label, f"{name}: what queries bring", bands, better, styles)
        else:
            picture = curves_chart(
                curves, axis, metric.label, f"{name}, mean over images", bands, board.means(name), styles
            )
        charts.append(RunPlot(name, f"{name} on average, with its 95 % interval over images", picture))
    if agreement := [s for s in board.standings if s.metric.startswith("agreement")]:
        picture = bars_chart(agreement, labels, "Do the maps of two seeds agree?")
        charts.append(RunPlot("agreement", "Agreement between the maps of several seeds", picture))
    if shown := [name for name in board.scores if name in layers]:
        panels, bands_of = similarity_panels(board, shown)
        picture = randomisation_chart(
            panels,
            layers[shown[0]],
            "rank correlation with the map",
            "Does a map forget the network?",
            bands_of,
            styles,
        )
        charts.append(RunPlot("randomisation", "Similarity of the maps while layers are randomised", picture))
    for name in board.scores:
        pairs = [c for c in board.comparisons if c.metric == name]
        if pairs:
            picture = pairs_chart(pairs, labels[name], board.metrics[name].higher_is_better)
            charts.append(RunPlot(f"pairs_{name}", f"{name}: paired differences of the methods", picture, PAIRS))
    return charts


def write_charts(folder: Path, charts: Sequence[RunPlot]) -> None:
    """Writes each chart as a file ``chart_NAME.png``, in place of those of an earlier run."""
    for path in folder.glob("chart_*.png"):
        path.unlink()
    for chart in charts:
        write_bytes(folder / f"chart_{chart.name}.png", chart.picture)
