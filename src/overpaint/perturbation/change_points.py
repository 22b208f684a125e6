"""Segments of a series by its change points: binary segmentation by least squares."""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray


def change_points(series: Float[np.ndarray, "channel length"], count: int, shortest: int) -> list[int]:
    """Cuts a series into segments, each nearly constant, one cut after the other (Scott & Knott, 1974).

    The next cut is the one of all segments that most lowers the sum of squared differences from each segment's mean,
    summed over the channels. No cut is moved once it is made, so that the result is not the least sum there is, in
    ``count`` times the length steps.

    Args:
        series: The series; a channel counts by the square of its range.
        count: Segments, at most: where no cut lowers the sum there are fewer.
        shortest: Steps of a segment at least.

    Returns:
        The first step of each segment but the first, in order.
    """
    sums = np.pad(np.cumsum(series.astype(np.float64), axis=1), ((0, 0), (1, 0)))
    edges, gains = [0, series.shape[1]], {0: _best_cut(sums, 0, series.shape[1], shortest)}
    while len(edges) - 1 < count:
        start = max(gains, key=lambda edge: (gains[edge][0], -edge))
        gain, cut = gains[start]
        if gain <= 0:
            break
        stop = edges[edges.index(start) + 1]
        edges = sorted([*edges, cut])
        gains[start], gains[cut] = _best_cut(sums, start, cut, shortest), _best_cut(sums, cut, stop, shortest)
    return edges[1:-1]


def _best_cut(sums: NDArray[np.float64], start: int, stop: int, shortest: int) -> tuple[float, int]:
    """Returns by how much the best cut of a segment lowers the sum of squares, and where it is; 0 where none does."""
    cuts = np.arange(start + shortest, stop - shortest + 1)
    if not len(cuts):
        return 0.0, start
    left, right = sums[:, cuts] - sums[:, [start]], sums[:, [stop]] - sums[:, cuts]
    before, behind = cuts - start, stop - cuts
    gains = ((left / before - right / behind) ** 2 * before * behind / (stop - start)).sum(0)
    best = int(gains.argmax())
    return float(gains[best]), int(cuts[best])
