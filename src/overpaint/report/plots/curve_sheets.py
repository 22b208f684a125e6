"""Series as small curves on a sheet, in their own units."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray
from torch import Tensor

from overpaint.core.scale import SeriesScale
from overpaint.report.plots.style import COLOURS, CONTROL_COLOUR, chart, encode, plain, wrapped

Curves = NDArray[np.floating[Any]]
"""Series, panel x channel x step."""

WIDTH, HEIGHT = 1.3, 0.9
"""Of a panel, in inches."""

ACROSS, DOWN, TITLE = 1.12, 1.15, 0.22
"""The way from one panel to the next, and the room of a title, in panels."""

FRAME = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])


def in_own_units(
    series: Float[Tensor, "panel channel step"], scale: SeriesScale | None
) -> Float[Tensor, "panel channel step"]:
    """Returns scaled series in their own units; as they are where these are not known."""
    return series if scale is None else scale.in_units(series)


def curve_sheet(
    series: Curves, columns: int = 8, behind: Curves | None = None, titles: Sequence[str] = (), heading: str = ""
) -> bytes:
    """Draws each series as a curve in a panel of its own; the ends of the scale of all stand at the first panel.

    Args:
        series: The series, panel after panel; the channels of one have different colours.
        columns: Panels in a row.
        behind: A series for each panel that is drawn behind it in grey.
        titles: What stands above each panel.
        heading: What stands above the sheet.

    Returns:
        A PNG file's content.
    """
    rows, steps = -(-len(series) // columns), series.shape[-1]
    room = TITLE if titles else 0.0
    corners = np.array([(i % columns * ACROSS, -(i // columns) * (DOWN + room)) for i in range(len(series))])
    low, high = _ends(series if behind is None else np.concatenate([series, behind]))
    figure = chart(rows * HEIGHT * (DOWN + room) + 0.7, columns * WIDTH + 0.6)
    if heading:
        figure.suptitle(wrapped(heading, 14 * columns), fontsize=9)
    axes = figure.add_subplot()
    if behind is not None:
        _draw(axes, (behind - low) / (high - low), corners, [CONTROL_COLOUR])
    _draw(axes, (series - low) / (high - low), corners, COLOURS)
    axes.add_collection(LineCollection(list(FRAME + corners[:, None]), colors="#cccccc", linewidths=0.5))
    for title, (left, bottom) in zip(titles, corners, strict=False):
        axes.text(left + 0.5, bottom + 1.04, plain(title), fontsize=7, ha="center")
    axes.set_xlim(-0.02, (columns - 1) * ACROSS + 1.02)
    axes.set_ylim(corners[-1, 1] - 0.02, 1.02 + room)
    axes.set_yticks([0, 1], [f"{low:.3g}", f"{high:.3g}"])
    axes.set_xticks([0, 1], ["1", str(steps)])
    axes.tick_params(length=0, labelsize=7)
    axes.set_xlabel("step", fontsize=7, loc="left")
    axes.spines[:].set_visible(False)
    return encode(figure)


def _ends(values: Curves) -> tuple[float, float]:
    """Returns the least and the greatest value, or one unit around all where they are alike."""
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _draw(axes: Axes, heights: Curves, corners: NDArray[np.float64], colours: Sequence[str]) -> None:
    """Draws curves between 0 and 1 into their panels."""
    for channel in range(heights.shape[1]):
        own = heights[:, channel]
        lines = np.stack([np.broadcast_to(np.linspace(0, 1, own.shape[1]), own.shape), own], axis=2)
        colour = colours[channel % len(colours)]
        axes.add_collection(LineCollection(list(lines + corners[:, None]), colors=colour, linewidths=0.8))
