"""Samples of a generator beside their nearest training images."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from numpy.typing import NDArray

from overpaint.report.plots.images import figure_png, picture_grid, show_as_picture

PAIRS = 6
"""How many samples stand in a row beside their training images."""


def neighbour_pairs(
    samples: NDArray[np.floating[Any]],
    neighbours: NDArray[np.floating[Any]],
    distances: NDArray[np.floating[Any]],
    title: str,
) -> bytes:
    """Draws samples, each beside its nearest training image, with their distance.

    Args:
        samples: Samples of a generator: in the upper half of the figure those with the smallest distances, in the
            lower half others, spread evenly over the distances.
        neighbours: The nearest training image of each.
        distances: Their distances.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    rows, (height, width) = -(-len(samples) // PAIRS), samples.shape[-2:]
    figure = Figure(figsize=(2 * PAIRS, rows * (0.36 + height / width) + 0.6), dpi=110, layout="constrained")
    figure.suptitle(title, fontsize=10)
    grid = GridSpec(rows, PAIRS, figure=figure)
    for index, pair in enumerate(zip(samples, neighbours, strict=True)):
        axes = figure.add_subplot(grid[index // PAIRS, index % PAIRS])
        axes.imshow(picture_grid(np.stack(pair), columns=2))
        show_as_picture(axes, f"{distances[index]:.3g}")
    return figure_png(figure)
