"""Charts that compare methods over images: the leaderboard, bars, and each pair's difference."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from overpaint.metrics.statistics.ranking import Comparison, Standing
from overpaint.report.plots.style import (
    COLOURS,
    CONTROL_COLOUR,
    chart,
    despine_axes,
    direction,
    encode,
    finite_range,
    short,
    wrapped,
)

HATCHES = ("", "///", "...", "xxx")


def by_metric(standings: Sequence[Standing]) -> dict[str, list[Standing]]:
    """Groups standings by their metric, in their order."""
    groups: dict[str, list[Standing]] = {}
    for standing in standings:
        groups.setdefault(standing.metric, []).append(standing)
    return groups


def best_first(standings: Sequence[Standing]) -> list[Standing]:
    """Sorts the standings of a metric: by rank, by mean where there are no ranks, what was not measured last."""
    return sorted(standings, key=lambda s: (np.isnan(s.mean), s.rank or 0, -s.mean))


def leaderboard_chart(standings: Sequence[Standing], labels: Mapping[str, str]) -> bytes:
    """Draws for each metric the methods' means with their 95 % intervals, the best on top.

    Controls are grey; a method that does not beat them is drawn hollow.

    Args:
        standings: What is drawn.
        labels: What each metric measures, with its unit.

    Returns:
        A PNG file's content.
    """
    groups = by_metric(standings)
    columns = min(3, len(groups)) or 1
    rows = -(-len(groups) // columns) or 1
    most = max((len(group) for group in groups.values()), default=1)
    figure = chart(rows * (0.17 * most + 1.15) + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (metric, group) in zip(grid, groups.items(), strict=False):
        _leaderboard_panel(axes, best_first(group), labels.get(metric, metric), columns)
    for axes in grid[len(groups) :]:
        axes.axis("off")
    signs = [_sign("mean and 95 % interval over images", COLOURS[0], True)]
    if any(standing.beats_controls is not None for standing in standings):
        signs += [
            _sign("does not beat every control", COLOURS[0], False),
            _sign("control (dashed: the best one)", CONTROL_COLOUR, True),
        ]
    figure.legend(handles=signs, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return encode(figure, 64)


def _sign(text: str, colour: str, filled: bool) -> Line2D:
    face = colour if filled else "white"
    return Line2D([], [], color=colour, marker="o", markersize=5, markerfacecolor=face, linewidth=1.5, label=text)


def _leaderboard_panel(axes: Axes, group: Sequence[Standing], label: str, columns: int) -> None:
    despine_axes(axes, "x")
    for place, standing in enumerate(group):
        if np.isnan(standing.mean):
            axes.text(0.02, place, "not measured", transform=axes.get_yaxis_transform(), fontsize=7, va="center")
    colours = [CONTROL_COLOUR if s.control else COLOURS[0] for s in group]
    faces = ["white" if s.beats_controls is False else colour for s, colour in zip(group, colours, strict=True)]
    places = range(len(group))
    axes.hlines(places, [s.low for s in group], [s.high for s in group], colors=colours, linewidth=1.5)
    axes.scatter([s.mean for s in group], places, 20, faces, edgecolors=colours, linewidths=1.2, zorder=3)
    best_control = next((s for s in group if s.control and not np.isnan(s.mean)), None)
    if best_control is not None and best_control.higher_is_better is not None:
        axes.axvline(best_control.mean, color=CONTROL_COLOUR, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_yticks(places, [short(s.method) for s in group], fontsize=7.5)
    axes.set_ylim(len(group) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7)
    axes.locator_params(axis="x", nbins=12 // columns)
    better = direction(group[0].higher_is_better)
    # Aligned with the right side, long texts reach over the methods' names rather than out of the picture.
    axes.set_title(short(group[0].metric, 30) + (better and f"\n{better}"), fontsize=8.5, loc="right")
    if label != group[0].metric:
        axes.set_xlabel(wrapped(label, 120 // columns), fontsize=7, loc="right")


def bars_chart(standings: Sequence[Standing], labels: Mapping[str, str], title: str) -> bytes:
    """Draws several metrics of one unit side by side for each method, such as measures of agreement.

    Args:
        standings: What is drawn: means as bars, intervals as lines.
        labels: What each metric measures.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    groups = by_metric(standings)
    methods = list(dict.fromkeys(standing.method for standing in standings))
    thickness = 0.8 / max(len(groups), 1)
    figure = chart(len(methods) * max(0.24, 0.11 * len(groups)) + 1.2 + 0.2 * len(groups))
    axes = figure.add_subplot()
    despine_axes(axes, "x")
    handles = []
    for number, (metric, group) in enumerate(groups.items()):
        colour, hatch = COLOURS[number % len(COLOURS)], HATCHES[number // len(COLOURS) % len(HATCHES)]
        places = [methods.index(s.method) + (number - (len(groups) - 1) / 2) * thickness for s in group]
        look: dict[str, Any] = {"hatch": hatch, "edgecolor": "white", "alpha": 0.8}
        axes.barh(places, [s.mean for s in group], 0.9 * thickness, color=colour, linewidth=0, **look)
        axes.hlines(places, [s.low for s in group], [s.high for s in group], color="black", linewidth=1)
        better = direction(group[0].higher_is_better)
        text = wrapped(labels.get(metric, metric) + (better and f" ({better})"), 110)
        handles.append(Patch(facecolor=colour, label=text, **look))
    axes.axvline(0, color="#666666", linewidth=0.8)
    axes.set_yticks(range(len(methods)), [short(method) for method in methods])
    axes.set_ylim(max(len(methods), 1) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("mean and 95 % interval over images", fontsize=9)
    axes.set_title(wrapped(title, 90), fontsize=10)
    if handles:
        figure.legend(handles=handles, loc="outside lower center", fontsize=8, frameon=False)
    return encode(figure, 64)


def pairs_chart(comparisons: Sequence[Comparison], label: str, higher_is_better: bool | None = None) -> bytes:
    """Draws the paired differences of one metric: row minus column, starred where the interval excludes 0.

    Args:
        comparisons: Those of the metric.
        label: What it measures, with its unit.
        higher_is_better: Its better side: orange, rather than purple, then means that the row is better.

    Returns:
        A PNG file's content.
    """
    methods = list(dict.fromkeys(name for c in comparisons for name in (c.first, c.second)))
    if not methods:
        figure = chart(1.3)
        figure.text(0.5, 0.5, wrapped(f"{label}: no two methods to compare", 95), ha="center", va="center", fontsize=9)
        return encode(figure)
    figure = chart(max(2.6, 0.34 * len(methods) + 1.9))
    axes = figure.add_subplot()
    shown = _differences(axes, methods, comparisons, "PuOr" if higher_is_better is False else "PuOr_r")
    axes.set_xticks(range(len(methods)), [short(m) for m in methods], rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(methods)), [short(m) for m in methods])
    axes.tick_params(labelsize=8, length=0)
    axes.spines[:].set_visible(False)
    better = direction(higher_is_better)
    axes.set_title(wrapped(f"{label}{better and f' ({better})'}: row minus column", 95), fontsize=10)
    axes.set_xlabel("* the 95 % interval of the paired difference excludes 0", fontsize=8)
    figure.colorbar(shown, ax=axes, fraction=0.03, pad=0.02).ax.tick_params(labelsize=7)
    return encode(figure, 256)


def _differences(axes: Axes, methods: Sequence[str], comparisons: Sequence[Comparison], colours: str) -> AxesImage:
    """Draws the matrix of differences, each with its number."""
    differences = np.full((len(methods), len(methods)), np.nan)
    sure = np.zeros(differences.shape, dtype=bool)
    for c in comparisons:
        a, b = methods.index(c.first), methods.index(c.second)
        differences[a, b], differences[b, a] = c.difference, -c.difference
        sure[a, b] = sure[b, a] = c.low > 0 or c.high < 0
    low, high = finite_range([differences]) or (0.0, 0.0)
    largest = max(-low, high) or 1.0
    few = len(methods) <= 12
    decimals = min(5, max(0, 1 - int(np.floor(np.log10(largest)))) + few)
    shown = axes.imshow(differences, cmap=colours, vmin=-largest, vmax=largest, aspect="auto")
    for a, b in zip(*np.nonzero(np.isfinite(differences)), strict=True):
        brightness = np.dot(shown.cmap(shown.norm(differences[a, b]))[:3], (0.3, 0.59, 0.11))
        axes.text(
            b,
            a,
            # Adding 0 makes a zero of what rounds to -0.
            f"{round(differences[a, b], decimals) + 0.0:+.{decimals}f}{'*' if sure[a, b] else ''}",
            ha="center",
            va="center",
            fontsize=8 if few else 6,
            fontweight="bold" if sure[a, b] else "normal",
            color="white" if brightness < 0.5 else "#222222",
            in_layout=False,
        )
    return shown
