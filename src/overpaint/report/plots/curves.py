"""Charts of lines, one for each method: curves of metrics, convergence, randomised layers."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from overpaint.report.plots.style import (
    WIDTH,
    Style,
    chart,
    despine_axes,
    direction,
    encode,
    finite_range,
    method_styles,
    short,
    wrapped,
)

Curve = tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"]]
"""Places on the horizontal axis, and the values there; NaN leaves a gap."""

Band = tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"]]
"""Lower and upper ends of the intervals at a curve's places."""

NAMED_LAYERS = 28
"""More layers than that are named in part."""

NAMED_BUDGETS = 10
"""Of more numbers of queries than that, round ones are named."""


def area_under(curve: Curve) -> float:
    """Returns the area under a curve by the trapezoidal rule; NaN where a value is missing."""
    places, values = (np.asarray(part, dtype=np.float64) for part in curve)
    return float(((values[1:] + values[:-1]) / 2 * np.diff(places)).sum()) if len(values) > 1 else float("nan")


def curves_chart(
    curves: Mapping[str, Curve],
    axis: str,
    label: str,
    title: str,
    bands: Mapping[str, Band] | None = None,
    values: Mapping[str, float] | None = None,
    styles: Mapping[str, Style] | None = None,
    legend: str = "area under the curve",
    width: float = WIDTH,
) -> bytes:
    """Draws curves such as those of insertion and deletion, each with its value in the legend.

    Args:
        curves: The curve of each method: that of an image, or the mean over images.
        axis: What the horizontal axis says.
        label: What the vertical axis says.
        title: What stands above.
        bands: Intervals around the curves, where there are any.
        values: The metric's values; by default the areas under the curves, see `area_under`.
        styles: The methods' styles in all charts; by default those of these methods alone.
        legend: What the values are.
        width: Of the chart, in inches.

    Returns:
        A PNG file's content.
    """
    shown = dict(values) if values is not None else {method: area_under(curve) for method, curve in curves.items()}
    order = sorted(curves, key=lambda method: -np.nan_to_num(shown.get(method, np.nan), nan=-np.inf))
    names = {method: f"{short(method)}  {_number(shown.get(method, np.nan))}" for method in order}
    figure = chart(max(4.0, 0.19 * len(curves) + 0.9), width)
    axes = figure.add_subplot()
    _lines(axes, curves, bands, styles or method_styles(list(curves)), names)
    axes.set_xlabel(wrapped(axis + _bands_said(bands), round(100 * width / WIDTH)), fontsize=9)
    axes.set_ylabel(wrapped(label, 42), fontsize=9)
    axes.set_title(wrapped(title, round(90 * width / WIDTH)), fontsize=10)
    _legend(figure, axes, legend)
    return encode(figure)


def convergence_chart(
    curves: Mapping[str, Curve],
    axis: str,
    label: str,
    title: str,
    bands: Mapping[str, Band] | None = None,
    higher_is_better: bool | None = None,
    styles: Mapping[str, Style] | None = None,
) -> bytes:
    """Draws a metric against the queries that a sampling method spent.

    Args:
        curves: Queries, and the mean of the metric over images, for each method.
        axis: What the horizontal axis says.
        label: What is measured, with its unit.
        title: What stands above.
        bands: The means' intervals, where there are any.
        higher_is_better: The metric's better side.
        styles: The methods' styles in all charts; by default those of these methods alone.

    Returns:
        A PNG file's content.
    """
    figure = chart(max(4.0, 0.19 * len(curves) + 0.9))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    names = {method: short(method) for method in curves}
    _lines(axes, curves, bands, styles or method_styles(list(curves)), names)
    asked = sorted({float(queries) for places, _ in curves.values() for queries in places})
    axes.xaxis.set_major_locator(FixedLocator(asked) if len(asked) <= NAMED_BUDGETS else LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda queries, _: f"{queries:,.0f}".replace(",", "\u202f")))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(axis + _bands_said(bands), fontsize=9)
    axes.set_ylabel(wrapped(label, 42), fontsize=9)
    better = direction(higher_is_better)
    axes.set_title(wrapped(title + (better and f" ({better})"), 90), fontsize=10)
    _legend(figure, axes, "method")
    return encode(figure)


def randomisation_chart(
    panels: Mapping[str, Mapping[str, Float[np.ndarray, " layer"]]],
    layers: Sequence[str],
    label: str,
    title: str,
    bands: Mapping[str, Mapping[str, Band]] | None = None,
    styles: Mapping[str, Style] | None = None,
) -> bytes:
    """Draws how similar a map stays while the network's layers are randomised (Adebayo et al., 2018, figure 4).

    Args:
        panels: Under the name of each test (cascading, independent), the similarity of each method for each layer.
        layers: What was randomised, as on the horizontal axis: ``none`` first.
        label: The similarity, such as Spearman's rank correlation.
        title: What stands above.
        bands: The similarities' intervals, where there are any, as ``panels``.
        styles: The methods' styles in all charts; by default those of these methods alone.

    Returns:
        A PNG file's content.
    """
    methods = list(dict.fromkeys(method for curves in panels.values() for method in curves))
    styles = styles or method_styles(methods)
    names = {method: short(method) for method in methods}
    figure = chart(max(3.0 * len(panels), 0.19 * len(methods)) + 1.2)
    figure.suptitle(wrapped(title, 100), fontsize=10)
    grid = figure.subplots(max(len(panels), 1), 1, sharex=True, squeeze=False)[:, 0]
    places = np.arange(len(layers), dtype=np.float64)
    for axes, (name, of_method) in zip(grid, panels.items(), strict=False):
        curves = {method: (places, np.asarray(values, dtype=np.float64)) for method, values in of_method.items()}
        _lines(axes, curves, (bands or {}).get(name), styles, names)
        ends = [end for band in (bands or {}).get(name, {}).values() for end in band]
        lowest, highest = finite_range([*of_method.values(), *ends]) or (0.0, 1.0)
        axes.set_ylim(-1.05 if lowest < -0.5 else min(-0.05, lowest - 0.05), max(1.05, highest + 0.05))
        axes.axhline(0, color="#999999", linewidth=0.8)
        axes.set_title(wrapped(name, 90), fontsize=9)
        axes.set_ylabel(wrapped(label, 32), fontsize=9)
    step = -(-len(layers) // NAMED_LAYERS) or 1
    grid[-1].set_xticks(places[::step], [short(layer) for layer in layers[::step]], rotation=90, fontsize=7)
    grid[-1].set_xlabel("randomised layer" + _bands_said(bands), fontsize=9)
    _legend(figure, grid[0], "method")
    return encode(figure)


def _lines(
    axes: Axes,
    curves: Mapping[str, Curve],
    bands: Mapping[str, Band] | None,
    styles: Mapping[str, Style],
    names: Mapping[str, str],
) -> None:
    """Draws each method's curve in the order of ``names``, with its band."""
    despine_axes(axes)
    for method in (method for method in names if method in curves):
        places, values = curves[method]
        style = styles[method]
        every = 1 if len(places) < 15 else len(places) // 7
        start = list(names).index(method) % every  # or all markers would stand in one column
        axes.plot(
            places,
            values,
            **style._asdict(),
            linewidth=1.5,
            markersize=4.5,
            markevery=(start, every),
            label=names[method],
        )
        if bands and method in bands and len(places) == 1:
            axes.vlines(places, *bands[method], color=style.color, linewidth=1.2)
        elif bands and method in bands:
            axes.fill_between(
                places, *bands[method], color=style.color, alpha=max(0.04, 0.18 - 0.01 * len(curves)), lw=0
            )


def _legend(figure: Figure, axes: Axes, title: str) -> None:
    handles, names = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, names, title=title, loc="outside right upper", fontsize=8, title_fontsize=8, handlelength=3.4
        )


def _bands_said(bands: Mapping[str, object] | None) -> str:
    return " · bands: 95 % interval over images" if bands else ""


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "–"
