"""Agreement of the maps of several seeds: the mean over the pairs of seeds.

Without repeats, or with one seed, nothing is measured: NaN. A map without contrast, or with a value that is not finite,
agrees with no other: 0.
"""

import itertools
from abc import abstractmethod

import torch
from jaxtyping import Bool, Float
from scipy.stats import rankdata
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from overpaint.core.bounds import Share
from overpaint.core.instantiate import checked_settings
from overpaint.core.types import Maps
from overpaint.inpainting.region import is_flat
from overpaint.metrics.base import MapMetric, MetricInputs, RowValues
from overpaint.metrics.charts import GroupedBars
from overpaint.metrics.localisation import overlap

SIDE = 56
"""Pixels along each axis, at most, of the maps whose ranks are compared."""

SIGMA, REACH = 1.5, 5
"""SSIM's Gaussian (Wang et al., 2004): its standard deviation, and how far it reaches, in pixels."""


def _pooled(maps: Maps) -> Float[Tensor, "row *coarse"]:
    """Averages maps over the boxes that bring each axis to at most `SIDE`; what fills no box at the end is left out."""
    for axis in range(1, maps.ndim):
        step = -(-maps.shape[axis] // SIDE)
        whole = maps.narrow(axis, 0, maps.shape[axis] // step * step)
        maps = whole.unflatten(axis, (-1, step)).mean(axis + 1)
    return maps


def _ranks(values: Float[Tensor, "row pixel"]) -> Float[Tensor, "row pixel"]:
    """Returns each row's ranks, counted from 1; equal values share the mean of theirs."""
    return torch.from_numpy(rankdata(values.cpu().numpy(), axis=1)).to(values.device)


def spearman(first: Maps, second: Maps) -> RowValues:
    """Returns the rank correlation of each pair of maps, in [-1, 1]; 0 where a map is flat.

    The maps are averaged to at most `SIDE` pixels along each axis first: neighbouring pixels of a map are no
    independent witnesses, and 50,000 ranks say no more than 3,000.
    """
    small = [_pooled(maps) for maps in (first, second)]
    centred = [ranks - ranks.mean(1, keepdim=True) for ranks in (_ranks(maps.flatten(1)) for maps in small)]
    norms = [ranks.square().sum(1).sqrt() for ranks in centred]
    correlations = (centred[0] * centred[1]).sum(1) / (norms[0] * norms[1])
    # A map may have contrast only inside the boxes that are averaged.
    return correlations.masked_fill(is_flat(small[0]) | is_flat(small[1]), 0.0).clamp(-1, 1)


def ssim(first: Maps, second: Maps) -> RowValues:
    """Returns the structural similarity of each pair of maps, each scaled to [0, 1], in [-1, 1]; 0 where one is flat.

    Deviation from Wang et al. (2004): on maps of fewer than 11 pixels along an axis the Gaussian is as much narrower.
    Only maps of two dimensions, at least 3 pixels along each, are measured; of others the value is NaN.
    """
    reach = min(REACH, (min(first.shape[1:]) - 1) // 2)
    if first.ndim != 3 or reach < 1:
        return torch.full((len(first),), torch.nan, device=first.device)
    flat = is_flat(first) | is_flat(second)
    scaled = [_scaled(maps.masked_fill(flat[:, None, None], 0.0))[:, None] for maps in (first, second)]
    # torchmetrics gives the Gaussian a reach of 3.5 standard deviations, rounded.
    sigma = SIGMA * reach / REACH
    values = structural_similarity_index_measure(scaled[0], scaled[1], sigma=sigma, reduction="none", data_range=1.0)
    assert isinstance(values, Tensor)
    return values.reshape(-1).masked_fill(flat, 0.0).clamp(-1, 1)


def _scaled(maps: Maps) -> Maps:
    """Brings each map to [0, 1]; a flat one to 0."""
    spans = torch.stack([maps.flatten(1).amin(1), maps.flatten(1).amax(1)]).reshape(2, -1, *[1] * (maps.ndim - 1))
    return (maps - spans[0]) / (spans[1] - spans[0]).clamp(min=torch.finfo(maps.dtype).tiny)


def top_k(first: Maps, second: Maps, fraction: float) -> RowValues:
    """Returns ``|T_k(A) ∩ T_k(B)| / k`` (Ghorbani, Abid & Zou, AAAI 2019), ``T_k`` the ``k`` most salient pixels.

    Ties are taken in reading order, so that of maps that are 0 nearly everywhere the zeros agree where fewer than
    ``k`` pixels differ from 0.

    Args:
        first: Maps ``A``.
        second: Maps ``B``.
        fraction: ``k`` as a share of the pixels, rounded, at least one pixel.
    """
    chosen = []
    for maps in (first, second):
        values = maps.flatten(1)
        order = values.argsort(dim=1, descending=True, stable=True)[:, : max(1, round(fraction * values.shape[1]))]
        chosen.append(torch.zeros_like(values).scatter_(1, order, 1.0))
    values = (chosen[0] * chosen[1]).sum(1) / chosen[0].sum(1)
    return values.masked_fill(is_flat(first) | is_flat(second), 0.0)


class _Agreement(MapMetric):
    """The mean of a comparison over the pairs of seeds."""

    higher_is_better = True
    needs = "seeds=2 or more"
    chart = GroupedBars(
        name="agreement",
        title="Do the maps of two seeds agree?",
        caption="Agreement between the maps of several seeds",
    )

    def measure(self, inputs: MetricInputs) -> RowValues:
        """See `MapMetric.measure`."""
        repeats = self.compared(inputs)
        if repeats is None or len(repeats) < 2:
            return torch.full((len(inputs.maps),), torch.nan, device=inputs.maps.device)
        pairs = itertools.combinations(repeats, 2)
        return torch.stack([self.compare(first, second).double() for first, second in pairs]).mean(0)

    def compared(
        self, inputs: MetricInputs
    ) -> Float[Tensor, "seed row *space"] | Bool[Tensor, "seed row *space"] | None:
        """Returns what of the seeds is compared."""
        return inputs.repeats

    @abstractmethod
    def compare(self, first: Tensor, second: Tensor) -> RowValues:
        """Returns how much the rows of two seeds agree."""


class SpearmanAgreement(_Agreement):
    """How alike the maps of two seeds rank the pixels: the mean of `spearman` over the pairs of seeds."""

    label = "agreement of seeds, rank correlation"
    bounds = (-1.0, 1.0)

    def compare(self, first: Tensor, second: Tensor) -> RowValues:
        """See `spearman`."""
        return spearman(first, second)


class SsimAgreement(_Agreement):
    """How alike the maps of two seeds look: the mean of `ssim` over the pairs of seeds."""

    label = "agreement of seeds, SSIM"
    pictures_only = True
    bounds = (-1.0, 1.0)

    def compare(self, first: Tensor, second: Tensor) -> RowValues:
        """See `ssim`."""
        return ssim(first, second)


@checked_settings
class TopKAgreement(_Agreement):
    """Share of the most salient pixels that the maps of two seeds have in common, see `top_k`.

    Args:
        fraction: Share of the pixels that are compared; the default is the 1000 of 224 x 224 of the paper.

    Raises:
        OverpaintError: If it is not in (0, 1].
    """

    label = "agreement of seeds, share of the top pixels"

    def __init__(self, fraction: Share = 0.02) -> None:
        super().__init__()
        self.fraction = fraction

    def compare(self, first: Tensor, second: Tensor) -> RowValues:
        """See `top_k`."""
        return top_k(first, second, self.fraction)


class RegionAgreement(_Agreement):
    """How far the salient regions of two seeds overlap, see `overlap`; the run's region rule gives them."""

    label = "agreement of seeds, IoU of regions"

    def compared(self, inputs: MetricInputs) -> Bool[Tensor, "seed row *space"] | None:
        """Returns the regions of the seeds."""
        return inputs.repeated_regions

    def compare(self, first: Tensor, second: Tensor) -> RowValues:
        """See `overlap`."""
        return overlap(first, second)
