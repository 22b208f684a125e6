"""Change points of series against steps that are known and a search that recomputes every sum."""

import itertools

import numpy as np
import pytest
import torch
from jaxtyping import Float

from overpaint.core.errors import OverpaintError
from overpaint.perturbation.change_points import change_points
from overpaint.perturbation.segments import segments_of


def _spread(part: Float[np.ndarray, "channel step"]) -> float:
    return float(((part - part.mean(1, keepdims=True)) ** 2).sum())


def _slow(series: Float[np.ndarray, "channel length"], count: int, shortest: int) -> list[int]:
    edges = [0, series.shape[1]]
    while len(edges) - 1 < count:
        best = (0.0, 0)
        for start, stop in itertools.pairwise(edges):
            for cut in range(start + shortest, stop - shortest + 1):
                parts = _spread(series[:, start:cut]) + _spread(series[:, cut:stop])
                gain = _spread(series[:, start:stop]) - parts
                best = max(best, (round(gain, 9), -cut))
        if best[0] <= 0:
            break
        edges = sorted([*edges, -best[1]])
    return edges[1:-1]


def test_steps_are_found_to_the_place() -> None:
    series = np.repeat([[0.0, 1.0, 0.2, 0.9]], [7, 13, 11, 9], axis=1)[0][None]
    assert change_points(series, 10, 4) == [7, 20, 31]
    segments = segments_of(torch.from_numpy(series).float(), "change_points", 10)
    assert segments.bincount().tolist() == [7, 13, 11, 9]


@pytest.mark.parametrize("channels", [1, 3])
def test_against_a_slow_search(channels: int) -> None:
    series = np.random.default_rng(0).normal(size=(channels, 60)).cumsum(1)
    found = change_points(series, 8, 4)
    assert found == _slow(series, 8, 4)
    assert len(found) == 7


def test_a_constant_series_is_one_segment() -> None:
    assert change_points(np.full((2, 40), 0.5), 8, 4) == []


def test_pictures_have_no_change_points() -> None:
    with pytest.raises(OverpaintError, match="change_points is for series"):
        segments_of(torch.zeros(1, 8, 8), "change_points", 8)
