"""The common style of the charts: size, colours, styles of methods, saving."""

import io
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from overpaint.report.plots.letters import fit_letters

WIDTH = 9.0
"""Inches; at `DPI` a chart is 1080 pixels wide, about the width of the report's page."""

DPI = 120

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colour-blind safe palette, without its yellow, which white swallows."""

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)))

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")

CONTROL_COLOUR = "#8a8a8a"

NAME_LENGTH = 24
"""Longer names of methods and layers are cut."""


class Style(NamedTuple):
    """How a method's line is drawn, as keyword arguments of ``Axes.plot``."""

    color: str
    linestyle: Any
    marker: str


def method_styles(methods: Sequence[str], controls: Sequence[str] = ()) -> dict[str, Style]:
    """Gives each method a style of its own; controls are grey.

    Colours, dashes and markers go round in turn, so that 28 methods differ in colour or dash, and more in the marker.
    A chart of some of the methods shows them as the others do if it is given the styles of all.
    """
    styles, coloured, grey = {}, 0, 0
    for method in methods:
        if method in controls:
            styles[method] = Style(CONTROL_COLOUR, DASHES[grey % len(DASHES)], MARKERS[-1 - grey % len(MARKERS)])
            grey += 1
        else:
            dash = DASHES[coloured // len(COLOURS) % len(DASHES)]
            styles[method] = Style(COLOURS[coloured % len(COLOURS)], dash, MARKERS[coloured % len(MARKERS)])
            coloured += 1
    return styles


def plain(text: str) -> str:
    """Returns a text in which matplotlib finds no formula: file and class names may hold ``$``."""
    return text.replace("$", r"\$")


def short(name: str, length: int = NAME_LENGTH) -> str:
    """Cuts the middle out of a long name, and escapes it."""
    kept = length // 2
    return plain(name if len(name) <= length else f"{name[: length - kept - 1]}…{name[-kept:]}")


def wrapped(text: str, width: int) -> str:
    """Breaks a text into lines and escapes it."""
    return plain(textwrap.fill(text, width))


def direction(higher_is_better: bool | None) -> str:
    """Says which side of a metric is better; empty where none is."""
    return {True: "higher is better", False: "lower is better", None: ""}[higher_is_better]


def chart(height: float, width: float = WIDTH) -> Figure:
    """Makes an empty chart of that size in inches."""
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def despine_axes(axes: Axes, grid: str = "both") -> None:
    """Takes the frame's upper and right side away and draws a faint grid behind everything."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.grid(axis=grid, color="#e4e4e4", linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, color="#999999")


def encode(figure: Figure, colours: int | None = 128) -> bytes:
    """Returns a PNG file's content: W&B and the report show the same file.

    Args:
        figure: The chart.
        colours: The palette's size, with which a chart needs a fraction of the bytes; None for photographs.
    """
    canvas = FigureCanvasAgg(figure)
    fit_letters(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # once; savefig would draw a first time for the layout
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    picture = Image.fromarray(pixels).convert("RGB")
    if colours is not None:
        picture = picture.quantize(colours, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def finite_range(values: Sequence[Any]) -> tuple[float, float] | None:
    """Returns the least and the greatest finite value; None where there is none."""
    joined = np.concatenate([np.ravel(np.asarray(v, dtype=np.float64)) for v in values] or [np.empty(0)])
    joined = joined[np.isfinite(joined)]
    return (float(joined.min()), float(joined.max())) if len(joined) else None
