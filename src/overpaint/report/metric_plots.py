"""Plots of the metrics of a run: leaderboard, the chart that each metric declares, differences of each pair."""

from collections.abc import Iterator, Mapping

from overpaint.core.protocols import Classifier
from overpaint.metrics.charts import BudgetCurve, GroupedBars, LayerCurve, ScoreCurve
from overpaint.report.descriptions import description
from overpaint.report.plots.comparison import bars_chart, leaderboard_chart, pairs_chart
from overpaint.report.plots.curves import convergence_chart, curves_chart, randomisation_chart
from overpaint.report.plots.style import Style, method_styles
from overpaint.report.run_plots import RunPlot, Topic
from overpaint.report.tables.scoreboard import Scoreboard

PAIRS = "Each pair of methods"
"""Where the paired differences are folded away."""


def metric_plots(board: Scoreboard, classifier: Classifier) -> list[RunPlot]:
    """Draws a run's metrics; those that were measured nowhere are left out.

    Args:
        board: The metrics.
        classifier: The classifier, whose layers some metrics name.
    """
    if not board.scores:
        return []
    styles = method_styles(list(board.methods), board.controls)
    return [
        RunPlot(
            "leaderboard",
            "Each metric: mean and 95 % interval over images",
            leaderboard_chart(board.standings, board.labels),
            Topic.MAPS,
        ),
        *_mean_curves(board, styles),
        *_grouped_bars(board),
        *_layer_curves(board, classifier, styles),
        *_pairs(board),
    ]


def _mean_curves(board: Scoreboard, styles: Mapping[str, Style]) -> Iterator[RunPlot]:
    """Draws the mean curve of each method for the metrics that declare a `ScoreCurve` or a `BudgetCurve`."""
    for name in board.scores:
        metric, chart = board.metrics[name], board.metrics[name].chart
        if not isinstance(chart, ScoreCurve | BudgetCurve):
            continue
        curves, bands = board.mean_curves(name)
        if not curves:
            continue
        if isinstance(chart, ScoreCurve):
            title, values = f"{name}, mean over images", board.means(name)
            picture = curves_chart(
                curves, chart.x_label, metric.label, title, bands, values, styles, legend=chart.value
            )
        else:
            title, better = f"{name}: what queries bring", metric.higher_is_better
            picture = convergence_chart(curves, chart.x_label, metric.label, title, bands, better, styles)
        caption = f"{name} on average, with its 95 % interval over images"
        yield RunPlot(name, caption, picture, Topic.MAPS, description=description(metric))


def _grouped_bars(board: Scoreboard) -> Iterator[RunPlot]:
    """Draws the metrics that declare equal `GroupedBars` side by side."""
    groups: dict[GroupedBars, list[str]] = {}
    for name in board.scores:
        if isinstance(chart := board.metrics[name].chart, GroupedBars):
            groups.setdefault(chart, []).append(name)
    for chart, names in groups.items():
        found = [standing for standing in board.standings if standing.metric in names]
        yield RunPlot(chart.name, chart.caption, bars_chart(found, board.labels, chart.title), Topic.MAPS)


def _layer_curves(board: Scoreboard, classifier: Classifier, styles: Mapping[str, Style]) -> Iterator[RunPlot]:
    """Draws the metrics that declare an equal `LayerCurve` over the same layers as panels of one picture."""
    groups: dict[tuple[LayerCurve, tuple[str, ...]], list[str]] = {}
    for name in board.scores:
        metric = board.metrics[name]
        if isinstance(metric.chart, LayerCurve):
            groups.setdefault((metric.chart, tuple(metric.point_names(classifier))), []).append(name)
    used: set[str] = set()
    for (chart, layers), names in groups.items():
        panels, bands = {}, {}
        for name in names:
            curves, bands[name] = board.mean_curves(name)
            panels[name] = {method: values for method, (_, values) in curves.items()}
        file = chart.name if chart.name not in used else f"{chart.name}_{names[0]}"
        used.add(file)
        picture = randomisation_chart(panels, layers, chart.y_label, chart.title, bands, styles)
        yield RunPlot(file, chart.caption, picture, Topic.MAPS)


def _pairs(board: Scoreboard) -> Iterator[RunPlot]:
    """Draws for each metric the paired differences of the methods."""
    for name in board.scores:
        if pairs := [comparison for comparison in board.comparisons if comparison.metric == name]:
            picture = pairs_chart(pairs, board.labels[name], board.metrics[name].higher_is_better)
            yield RunPlot(f"pairs_{name}", f"{name}: paired differences of the methods", picture, Topic.MAPS, PAIRS)
