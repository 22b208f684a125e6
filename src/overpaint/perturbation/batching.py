"""Batch size and precision of the classifier's forward passes."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics.functional import spearman_corrcoef

from overpaint.core.types import Images, Scores
from overpaint.perturbation.baselines import Fill, masked
from overpaint.perturbation.masks import MaskGeometry
from overpaint.perturbation.moments import MaskMoments

Precision = Literal["auto", "float32", "bfloat16"]

ROWS = 16
"""Passes have a multiple of this many rows: then a convolutional network's arithmetic of a row has been found the same
whatever the number of rows (a single row, odd numbers of rows and, on some processors, 8 rows take other kernels)."""

FIRST_BATCH_SIZE = 32
"""Rows that are tried first: the networks that were tried are slower with 8 and little faster with more."""

LARGEST_BATCH_SIZE = 256
"""Rows that are tried at most on a processor; other devices try eight times as many."""

GAIN = 1.02
"""A larger pass must be this much faster for each row."""

TRIES = 2
"""Passes by which a size is judged."""

AGREEMENT = 0.99
"""Rank correlation that maps in bfloat16 and float32 must exceed."""


def autocast(device: torch.device, precision: Precision) -> Any:
    """Returns the context in which the classifier runs."""
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


class BatchSizeTuner:
    """Finds how many rows a pass should have while the passes do their work: doubled until twice nothing is gained.

    A size is judged by the fastest of `TRIES` passes that had it; the first pass of all only warms up.

    Attributes:
        best: The best size so far.
    """

    def __init__(self) -> None:
        self.best = FIRST_BATCH_SIZE
        self._best_time = math.inf
        self._size = FIRST_BATCH_SIZE
        self._times: list[float] | None = None

    def next_size(self, rows: int, seconds: float, device: torch.device) -> int | None:
        """Takes the time of a pass.

        Args:
            rows: How many rows it had: fewer than wanted, where no more queries waited, say nothing.
            seconds: Its time.
            device: Where it ran.

        Returns:
            How many rows the next one should have; None when `best` is found.
        """
        if self._times is None:
            self._times = []
        elif rows == self._size:
            self._times.append(seconds / rows)
        if len(self._times) < TRIES:
            return self._size
        if GAIN * min(self._times) < self._best_time:
            self.best, self._best_time = rows, min(self._times)
        largest = LARGEST_BATCH_SIZE if device.type == "cpu" else 8 * LARGEST_BATCH_SIZE
        self._size, self._times = 2 * rows, []
        return self._size if self._size <= min(largest, 4 * self.best) else None


def bfloat16_agreement(
    ask: Callable[[Images, Precision], Scores],
    image: Float[Tensor, "channel *space"],
    fill: Fill,
    target: int,
    queries: int = 256,
) -> float:
    """Returns the rank correlation of an image's maps in bfloat16 and in float32.

    The maps are the covariances of the score with the same random masks, 7 cells an axis.
    """
    size = tuple(image.shape[1:])
    geometry = MaskGeometry(tuple(min(7, s) for s in size), size)
    rng = torch.Generator().manual_seed(0)
    grids = (torch.rand(queries, *geometry.cells, generator=rng) < 0.5).float().to(image.device)
    shifts = geometry.draw_shifts(queries, rng).to(image.device)
    maps = []
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    for precision in precisions:
        moments = MaskMoments(size, image.device)
        for start in range(0, queries, 32):
            masks = geometry.masks(grids[start : start + 32], shifts[start : start + 32])
            scores = ask(masked(image, fill, masks), precision)
            moments.update(scores[:, target : target + 1], masks)
        maps.append(moments.covariance()[0].flatten().float())
    if any(float(m.max() - m.min()) == 0 for m in maps):
        return 0.0
    return float(spearman_corrcoef(*maps))
