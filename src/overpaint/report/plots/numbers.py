"""The chart of a probe that has none of its own."""

from collections.abc import Sequence

import numpy as np

from overpaint.report.plots.intervals import Numbers, interval_of, reach_of
from overpaint.report.plots.style import COLOURS, chart, despine_axes, encode, short, wrapped


def numbers_chart(rows: Sequence[Numbers], title: str) -> bytes:
    """Draws each number as a bar: its mean, with the 95 % interval over images.

    Args:
        rows: The probe's numbers of each row.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    found, places = interval_of(rows, names), np.arange(len(names))
    figure = chart(1.2 + 0.32 * len(names))
    axes = figure.add_subplot()
    despine_axes(axes, "x")
    axes.barh(places, found.mean, 0.62, color=COLOURS[0])
    axes.errorbar(found.mean, places, xerr=reach_of(found), fmt="none", color="black", linewidth=1.2, capsize=3)
    for place in places[np.isnan(found.mean)]:
        axes.text(0.01, place, "not measured", fontsize=7.5, va="center")
    axes.set_yticks(places, [short(name.replace("_", " "), 40) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("mean over images, with its 95 % interval", fontsize=8)
    axes.set_title(wrapped(title, 110), fontsize=9.5)
    return encode(figure, 64)
