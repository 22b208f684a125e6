"""From a saliency map to the salient region B, and the ring weights R around it."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from torch import Tensor

from overpaint.core.bounds import DISTINCT, Count, CountOrNone, Seed, Share, ShareBelowAll
from overpaint.core.choices import FillKind
from overpaint.core.instantiate import checked_settings
from overpaint.core.types import Maps, Regions, RingWeights


def is_flat(maps: Maps) -> Bool[Tensor, " batch"]:
    """Returns True for a map without contrast, or with a value that is not finite: nothing in it is salient."""
    flat = maps.flatten(1)
    return ~flat.isfinite().all(1) | (flat.amax(1) == flat.amin(1))


def _most_salient(saliency_map: Float[Tensor, "*space"], count: int) -> Bool[Tensor, "*space"]:
    order = saliency_map.flatten().argsort(descending=True, stable=True)
    region = torch.zeros_like(order, dtype=torch.bool)
    region[order[: max(1, count)]] = True
    return region.reshape(saliency_map.shape)


def bounding_box_of_largest(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns the bounding box of the largest connected component (neighbours share a face) of a region."""
    labels, count = ndimage.label(region)
    if count == 0:
        return region
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    box = np.zeros_like(region)
    box[ndimage.find_objects(labels)[largest - 1]] = True
    return box


def moved_elsewhere(regions: Regions, maps: Maps) -> Regions:
    """Moves each region to where little is salient: a hole of the same shape and size for comparison.

    The region and its mirror images, along any of the axes, are shifted to every place; what a shift pushes over the
    border comes in at the opposite one. Of all these one is taken by, in this order: least overlap with the region; not
    cut by the border; least sum of the map; fewest mirrored axes; first place in reading order. Nothing is random. A
    region of more than half of the image can't but overlap; an empty one stays empty.
    """
    moved = [_moved(region, own) for region, own in zip(regions.cpu().numpy(), maps.cpu().numpy(), strict=True)]
    return torch.from_numpy(np.stack(moved)).to(regions.device) if moved else regions.clone()


def _moved(region: NDArray[np.bool_], saliency_map: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    if not region.any():
        return region
    axes = range(region.ndim)
    best: tuple[float, ...] = (math.inf,)
    for mirrored in itertools.chain.from_iterable(itertools.combinations(axes, n) for n in range(region.ndim + 1)):
        shape = np.flip(region, mirrored)
        overlaps = np.rint(_sums_under(shape, region)).astype(np.int64)
        cut = _cut_by_border(shape)
        candidates = np.argwhere(overlaps == overlaps.min())
        candidates = candidates[cut[tuple(candidates.T)] == cut[tuple(candidates.T)].min()]
        sums = _sums_under(shape, saliency_map)[tuple(candidates.T)]
        scale = float(np.abs(saliency_map).sum()) or 1.0
        sums = np.round(sums / scale, 9)  # what the Fourier transform can't tell apart is equal
        place = candidates[int(sums.argmin())]
        rank = (float(overlaps[tuple(place)]), float(cut[tuple(place)]), float(sums.min()))
        if rank < best:
            best, moved = rank, np.roll(shape, tuple(place), tuple(axes))
    return moved


def _sums_under(shape: NDArray[np.bool_], values: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the sum of the values under the shape, for each cyclic shift of it."""
    spectrum = np.fft.fftn(shape.astype(np.float64)).conj() * np.fft.fftn(values.astype(np.float64))
    return np.fft.ifftn(spectrum).real


def _cut_by_border(shape: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns, for each cyclic shift, whether the shape's bounding box leaves the image."""
    cut = np.zeros(shape.shape, dtype=bool)
    for axis, (box, side) in enumerate(zip(ndimage.find_objects(shape.astype(int))[0], shape.shape, strict=True)):
        starts = (box.start + np.arange(side)) % side
        leaves = starts + (box.stop - box.start) > side
        cut |= leaves.reshape([-1 if a == axis else 1 for a in range(shape.ndim)])
    return cut


@checked_settings
@dataclass(frozen=True)
class RegionRule:
    """How a saliency map becomes the region that is repainted.

    Attributes:
        method: ``fraction``: the most salient ``fraction`` of the pixels, ties in reading order; ``threshold``: where
            the map exceeds ``min + threshold · (max - min)``; ``otsu``: Otsu's threshold (1979); ``decisive``: the
            smallest region without which the class is gone, see `overpaint.inpainting.decisive.find_regions`. That one
            is searched for the region that is repainted; metrics of regions compare the methods' maps at ``fraction``.
        fraction: Share of the pixels, for ``fraction``, and for ``decisive`` where no region is decisive.
        threshold: Share of the map's range, for ``threshold``.
        keep: Share of the fills that may keep the class, for ``decisive``.
        fills: What takes the region's place, for ``decisive``.
        draws: Fills of each kind that decide, for ``decisive``.
        seed: Seed of the fills.
        shape: ``blob``: those pixels; ``box``: the bounding box of their largest connected component.
        dilation: Pixels by which the region grows at the end.
        ring: Side of the ring's window as a share of the image's (the published notebooks: 0.31 at 224 pixels, 0.23
            at 64).

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    method: Literal["fraction", "threshold", "otsu", "decisive"] = "fraction"
    fraction: Share = 0.1
    threshold: ShareBelowAll = 0.5
    keep: ShareBelowAll = 0.15
    fills: Annotated[Sequence[FillKind], DISTINCT] = ("patch", "sample", "mean")
    draws: Count = 8
    seed: Seed = 0
    shape: Literal["blob", "box"] = "blob"
    dilation: CountOrNone = 0
    ring: Share = 0.5

    @property
    def fills_drawn(self) -> Sequence[FillKind]:
        """The fills that finding the region takes: none unless it is the decisive one."""
        return self.fills if self.method == "decisive" else ()

    def salient_region(self, maps: Maps) -> Regions:
        """Returns the region B of each map: True where it is to be repainted; empty for a flat map."""
        regions = torch.zeros_like(maps, dtype=torch.bool)
        for i, flat in enumerate(is_flat(maps).tolist()):
            if not flat:
                regions[i] = self._region(maps[i].cpu()).to(maps.device)
        return regions

    def fraction_of_box(self, maps: Maps, share: float) -> Regions:
        """Returns the most salient pixels of each map, as many as ``share`` of the box that its salient region fills.

        The box is the bounding box of the largest connected component of `salient_region`. So regions of several
        shares lie in one another, and their size follows the object's and not the image's. It is how the paper's "% of
        bounding box" is read here (figure "acceptable variations"; its rule is not published).

        Args:
            maps: The maps.
            share: Of the box's area; 1 is as many pixels as the box has.

        Returns:
            The regions; empty for a flat map.
        """
        regions = self.salient_region(maps)
        for i, region in enumerate(regions.cpu().numpy()):
            if region.any():
                area = int(bounding_box_of_largest(region).sum())
                regions[i] = _most_salient(maps[i].cpu(), round(share * area)).to(maps.device)
        return regions

    def nested_region(self, saliency_map: Float[Tensor, "*space"], fraction: float) -> NDArray[np.bool_]:
        """Returns the most salient share of a map's pixels, in the rule's shape."""
        return self._shaped(_most_salient(saliency_map, round(fraction * saliency_map.numel())).numpy())

    def _region(self, saliency_map: Float[Tensor, "*space"]) -> Bool[Tensor, "*space"]:
        if self.method in ("fraction", "decisive"):
            return torch.from_numpy(self.nested_region(saliency_map, self.fraction))
        if self.method == "threshold":
            low, high = saliency_map.min(), saliency_map.max()
            region = (saliency_map > low + self.threshold * (high - low)).numpy()
        else:
            values = saliency_map.double().numpy()  # float32 has no room for 256 bins between close values
            region = values > threshold_otsu(values)
        return torch.from_numpy(self._shaped(region))

    def _shaped(self, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if self.shape == "box":
            region = bounding_box_of_largest(region)
        if self.dilation:
            region = ndimage.binary_dilation(region, iterations=self.dilation)
        return region

    def ring_weights(self, regions: Regions, normalised: bool = True) -> RingWeights:
        """Returns ``R = (1 - B) ⊙ boxconv_s(B)``: a ring that is heaviest next to the region.

        ``boxconv_s`` is the mean over a window of ``s`` pixels, ``s`` the odd number nearest to ``ring`` times the
        side but at least 3, the image mirrored at its border (edge pixels doubled) as in the published notebooks. The
        poster's "inverted and convolved version of B" read literally would weigh most what is farthest from the
        region. Where the region is empty or everything, there is no ring and R is 0.

        Args:
            regions: ``B``.
            normalised: Whether each ring is scaled to a sum of 1, so that a loss weighted by it does not depend on
                the resolution.
        """
        rings = torch.zeros(regions.shape)
        for i, region in enumerate(regions.cpu().numpy()):
            window = [2 * max(1, round((self.ring * side - 1) / 2)) + 1 for side in region.shape]
            counts = region.astype(np.float64)  # whole numbers: exactly 0 where the window sees nothing of B
            for axis, length in enumerate(window):
                counts = ndimage.convolve1d(counts, np.ones(length), axis, mode="reflect")
            ring = ~region * counts / math.prod(window)
            rings[i] = torch.from_numpy(ring / ring.sum() if normalised and ring.sum() > 0 else ring)
        return rings.to(regions.device)
