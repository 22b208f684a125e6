"""The acceptance curve: where along a map the class is lost."""

import numpy as np
from matplotlib.axes import Axes

from overpaint.report.plots.curves import Band, Curve
from overpaint.report.plots.images import REGION_COLOUR
from overpaint.report.plots.style import COLOURS, WIDTH, chart, despine_axes, encode, wrapped


def acceptance_chart(
    curve: Curve, title: str, fraction: float | None = None, band: Band | None = None, width: float = WIDTH
) -> bytes:
    """Draws the share of the fills that keep the class over the share of the whole that is filled.

    Args:
        curve: The shares of the image, and the shares of the fills.
        title: What stands above.
        fraction: The region's share of the image, which is marked; None: nothing is.
        band: An interval around the curve, where it is a mean over images.
        width: In inches.

    Returns:
        A PNG file's content.
    """
    figure = chart(3.2, width)
    axes: Axes = figure.add_subplot()
    places, values = (np.concatenate([[start], part]) for start, part in zip((0.0, 1.0), curve, strict=True))
    axes.plot(places, values, color=COLOURS[0], marker="o", markersize=3)
    if band is not None:
        axes.fill_between(curve[0], *band, color=COLOURS[0], alpha=0.15, linewidth=0)
    if fraction is not None:
        axes.axvline(fraction, color=REGION_COLOUR, linewidth=1.5)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("share that is filled, most salient first", fontsize=9)
    axes.set_ylabel("share of the fills that keep the class", fontsize=9)
    axes.set_title(wrapped(title, round(90 * width / WIDTH)), fontsize=10)
    despine_axes(axes)
    return encode(figure)
