"""The percentile bootstrap of means over images, paired between columns."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

LEVEL = 0.95
"""The share of resamples that an interval holds."""

BLOCK = 2**20
"""So many draws are held at once, 8 MiB of them."""


class Interval(NamedTuple):
    """The means of columns and where they may lie.

    Attributes:
        mean: Mean over the rows that were measured; NaN where none was.
        low: The interval's lower end; NaN where fewer than two images were measured.
        high: Its upper end.
        rows: How many rows were measured.
    """

    mean: Float[np.ndarray, " column"]
    low: Float[np.ndarray, " column"]
    high: Float[np.ndarray, " column"]
    rows: Int[np.ndarray, " column"]


@dataclass(frozen=True)
class Bootstrap:
    """The percentile bootstrap of means over images (Efron & Tibshirani, 1993, chapter 13).

    A resample draws as many images as there are, with replacement. An image comes with all its rows, since those of one
    image (several classes) are not independent; so the mean of column ``j`` in resample ``b`` is

        ``m_bj = Σ_g w_bg S_gj / Σ_g w_bg N_gj``

    with ``w_bg`` how often image ``g`` was drawn, ``S_gj`` the sum of its measured rows and ``N_gj`` their number. The
    interval is the 2.5 % and the 97.5 % quantile of ``m_bj``. All columns see the same draws, and each call sees the
    same again. For ``n`` images the interval is too narrow by about ``sqrt((n - 1) / n)``: 11 % for 5 images.
    (``scipy.stats.bootstrap`` knows no images of several rows, and no row that was not measured.)

    Attributes:
        resamples: How many resamples are drawn.
        seed: Of the draws.
    """

    resamples: int = 2000
    seed: int = 0

    def interval(self, values: Float[np.ndarray, "row column"], groups: Sequence[Hashable] | None = None) -> Interval:
        """Returns the mean of each column and its 95 % interval.

        Args:
            values: A row for each measurement; what is not finite was not measured.
            groups: The image of each row; None where each row is an image of its own.
        """
        measured = np.isfinite(values)
        rows = measured.sum(0)
        with np.errstate(invalid="ignore"):
            mean = np.where(measured, values, 0).sum(0, dtype=np.float64) / rows
        # Deviations from the mean lose less to rounding, and are exactly 0 where all rows are 0.
        sums = _per_image(np.where(measured, values - mean, 0), groups)
        counts = _per_image(measured.astype(np.float64), groups)
        low, high = np.full((2, values.shape[1]), np.nan)
        enough = (counts > 0).sum(0) > 1
        if enough.any():
            tail = (1 - LEVEL) / 2
            moved = np.nanquantile(self._means(sums[:, enough], counts[:, enough]), [tail, 1 - tail], axis=0)
            low[enough], high[enough] = mean[enough] + moved
        return Interval(mean, low, high, rows)

    def _means(
        self, sums: Float[np.ndarray, "image column"], counts: Float[np.ndarray, "image column"]
    ) -> Float[np.ndarray, "resample column"]:
        """Returns the mean of each column in each resample; NaN where none of its images was drawn."""
        images = len(sums)
        rng = np.random.default_rng(self.seed)
        means = np.empty((self.resamples, sums.shape[1]))
        block = max(1, BLOCK // images)
        for start in range(0, self.resamples, block):
            count = min(block, self.resamples - start)
            draws = rng.integers(images, size=(count, images)) + images * np.arange(count)[:, None]
            weights = np.bincount(draws.ravel(), minlength=count * images).reshape(count, images).astype(np.float64)
            with np.errstate(invalid="ignore"):
                means[start : start + count] = (weights @ sums) / (weights @ counts)
        return means


def _per_image(
    values: Float[np.ndarray, "row column"], groups: Sequence[Hashable] | None
) -> Float[np.ndarray, "image column"]:
    """Sums the rows of each image."""
    if groups is None:
        return values
    number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    sums = np.zeros((len(number), values.shape[1]))
    np.add.at(sums, [number[group] for group in groups], values)
    return sums
