"""How a classifier is run best: how many rows in a pass, in which precision."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics.functional import spearman_corrcoef

from overpaint.perturbation.masks import MaskGeometry
from overpaint.perturbation.moments import MaskMoments
from overpaint.types import Images, Scores

Precision = Literal["auto", "float32", "bfloat16"]

ROWS = 8
"""Passes have a multiple of this many rows: then a convolutional network's arithmetic of a row has been found the same
whatever the number of rows (a single row, and odd numbers of rows, take other kernels)."""

LARGEST = 256
"""Rows that are tried at most on a processor; other devices try eight times as many."""

GAIN = 1.05
"""A larger pass must be this much faster for each row."""

AGREEMENT = 0.99
"""Rank correlation that maps in bfloat16 and float32 must exceed."""


def autocast(device: torch.device, precision: Precision) -> Any:
    """Returns the context in which the classifier runs."""
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def find_rows(ask: Callable[[Images], Scores], rows: Images) -> tuple[int, float]:
    """Finds how many rows a pass should have: doubled for as long as that gains speed and the memory lasts.

    Args:
        ask: Runs the classifier.
        rows: `ROWS` masked images.

    Returns:
        The number of rows, and the greatest difference between the scores of the same images in passes of the
        different sizes: 0 where the classifier's arithmetic does not depend on them.
    """
    reference = ask(rows).cpu()  # also warms up
    best, best_rate, difference = ROWS, 0.0, 0.0
    size = ROWS
    while size <= (LARGEST if rows.device.type == "cpu" else 8 * LARGEST):
        images = rows.repeat(size // ROWS, *[1] * (rows.ndim - 1))
        try:
            rate, scores = _rate(ask, images)
        except torch.OutOfMemoryError:
            break
        difference = max(difference, float((scores[:ROWS] - reference).abs().max()))
        if rate < GAIN * best_rate:
            break
        best, best_rate, size = size, rate, 2 * size
    return best, difference


def _rate(ask: Callable[[Images], Scores], images: Images) -> tuple[float, Scores]:
    """Returns the better of two measured rates in rows a second, and the scores."""
    spent = []
    for _ in range(2):
        start = time.perf_counter()
        scores = ask(images).cpu()  # waits for the device
        spent.append(time.perf_counter() - start)
    return len(images) / min(spent), scores


def bfloat16_agreement(
    ask: Callable[[Images, Precision], Scores],
    image: Float[Tensor, "channel *space"],
    fill: Float[Tensor, "channel *space"],
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
            scores = ask(torch.lerp(fill, image, masks[:, None]), precision)
            moments.update(scores[:, target : target + 1], masks)
        maps.append(moments.covariance()[0].flatten().float())
    if any(float(m.max() - m.min()) == 0 for m in maps):
        return 0.0
    return float(spearman_corrcoef(*maps))
