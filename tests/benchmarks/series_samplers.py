"""TimeREISE's and TiME's sampling, after their papers and published settings; both are no packages."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from series import Subjects
from torch import Tensor

DENSITIES = [round(0.05 + 0.1 * i, 2) for i in range(10)]
"""TimeREISE's: probabilities that a cell is on."""


@dataclass(frozen=True)
class Way:
    """A way to a map.

    Attributes:
        fill: What it was built with.
        explain: Returns the maps of series by a seed, and how many queries each took.
        random: Whether it draws at random.
    """

    fill: str
    explain: Callable[[Subjects, int], tuple[Tensor, int]]
    random: bool = True


def target_scores(found: Subjects, row: int, inputs: Tensor) -> Tensor:
    """Returns the scores of the explained class, a column."""
    passes = [found.classifier.scores(own) for own in inputs.split(256)]
    return torch.cat(passes)[:, found.targets[row], None]


def time_reise(each: int) -> Way:
    """TimeREISE: RISE with masks of ten densities, 20 cells, each step's sum divided by how often it was shown.

    The masks are upsampled linearly and cropped at random; the mean is seen through them. Its settings are 1000 masks
    of each density; its scaling of the finished map changes no rank and is left out.
    """

    def explain(found: Subjects, seed: int) -> tuple[Tensor, int]:
        rng, length, maps = torch.Generator().manual_seed(seed), found.series.shape[2], []
        cell = -(-length // 20)
        for row, series in enumerate(found.series):
            densities = torch.tensor(DENSITIES).repeat_interleave(each)[:, None]
            grids = (torch.rand(len(densities), 20, generator=rng) < densities).float()
            wide = F.interpolate(grids[:, None], 21 * cell, mode="linear")[:, 0]
            crops = torch.randint(cell, (len(grids), 1), generator=rng) + torch.arange(length)
            masks = wide.gather(1, crops)
            inputs = torch.lerp(found.classifier.mean, series, masks[:, None])
            maps.append((target_scores(found, row, inputs) * masks).sum(0) / masks.sum(0))
        return torch.stack(maps), each * len(DENSITIES)

    return Way("mean", explain)


def time_masks(count: int = 2000) -> Way:
    """TiME: one or two windows of a fifth of the length, times smoothed noise, times the series; ``Σ p M / N``.

    The product is stretched to ``[0, 1]`` before the classifier sees it, as the mask and the series are before.
    """

    def smooth(values: Tensor, width: int) -> Tensor:
        return F.avg_pool1d(F.pad(values[:, None], (width - 1, 0), "reflect"), width, 1)[:, 0]

    def stretched(values: Tensor) -> Tensor:
        low, high = values.amin(-1, keepdim=True), values.amax(-1, keepdim=True)
        return (values - low) / (high - low).clamp(min=1e-12)

    def explain(found: Subjects, seed: int) -> tuple[Tensor, int]:
        rng, length, maps = torch.Generator().manual_seed(seed), found.series.shape[2], []
        for row, series in enumerate(found.series):
            order = torch.rand(count, length, generator=rng).argsort(1)
            windows = (order < torch.randint(1, 3, (count, 1), generator=rng)).float()
            noise = (torch.randn(count, length, generator=rng) < 0.5).float()
            masks = stretched(smooth(windows, length // 5)) * smooth(noise, 20)
            inputs = stretched(masks * stretched(series))[:, None]
            maps.append((target_scores(found, row, inputs) * masks).mean(0))
        return torch.stack(maps), count

    return Way("zero", explain)
