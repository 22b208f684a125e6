"""The overview of an explained series: the curve under each map, and what may stand in its region."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from overpaint.report.plots.letters import fit_letters
from overpaint.report.plots.series_panels import (
    Arrays,
    curve_height,
    draw_accepted,
    draw_flipped,
    draw_method,
    panel_heights,
)
from overpaint.report.plots.style import wrapped

WIDTH = 11.0
"""Inches."""


def series_overview(
    arrays: Arrays,
    methods: Sequence[str],
    title: str,
    variants: Arrays | None,
    class_names: Sequence[str],
    said: tuple[str, str],
) -> Figure:
    """Draws an explained series.

    For each method: the curve in its units coloured by the map, with the region of that map shaded; the map as a strip;
    the map as a line with its standard error. Where channels were explained apart, each has the colours and the strip
    of its own map, and the line is their sum. Below, the different variants drawn over each other inside the region
    that was repainted: the accepted ones with their envelope, and the flipped ones coloured by the class that they are
    taken for.

    Args:
        arrays: As of `overpaint.report.plots.overview.overview_figure`, with the series as the image; ``scale`` are the
            values of each channel that are 0 and 1, where the units are known.
        methods: The methods' names.
        title: What stands above.
        variants: As there.
        class_names: The classifier's.
        said: What is said of the accepted, and of the flipped variants.

    Returns:
        The figure.
    """
    columns = min(2, len(methods))
    lines = -(-len(methods) // columns)
    each = sum(max(panel_heights(arrays, method)[i] for method in methods) for i in range(3)) + 0.55
    rows = [each] * lines + ([0.9 + curve_height(arrays)] if variants is not None else [])
    figure = Figure(figsize=(WIDTH, sum(rows) + 0.5), dpi=110, layout="constrained")
    figure.suptitle(wrapped(title, 120), fontsize=10)
    grid = GridSpec(len(rows), 2, figure=figure, height_ratios=rows)
    for number, method in enumerate(methods):
        line, column = divmod(number, columns)
        place = grid[line, :] if columns == 1 else grid[line, column]
        draw_method(figure, place, arrays, method)
    if variants is not None:
        left, right = figure.add_subplot(grid[-1, 0]), figure.add_subplot(grid[-1, 1])
        draw_accepted(left, arrays, variants, said[0])
        draw_flipped(right, arrays, variants, class_names, said[1])
    fit_letters(figure)
    return figure
