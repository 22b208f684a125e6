"""From a saliency map to the salient region B, and the ring weights R around it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu
from torch import Tensor

from overpaint.errors import OverpaintError
from overpaint.types import Maps, Regions, RingWeights


def is_flat(maps: Maps) -> Bool[Tensor, " batch"]:
    """Returns True for a map without contrast, or with a value that is not finite: nothing in it is salient."""
    flat = maps.flatten(1)
    return ~flat.isfinite().all(1) | (flat.amax(1) == flat.amin(1))


def _most_salient(saliency_map: Float[Tensor, "*space"], fraction: float) -> Bool[Tensor, "*space"]:
    order = saliency_map.flatten().argsort(descending=True, stable=True)
    region = torch.zeros_like(order, dtype=torch.bool)
    region[order[: max(1, round(fraction * len(order)))]] = True
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


@dataclass(frozen=True)
class RegionRule:
    """How a saliency map becomes the region that is repainted.

    Attributes:
        method: ``fraction``: the most salient ``fraction`` of the pixels, ties in reading order; ``threshold``: where
            the map exceeds ``min + threshold · (max - min)``; ``otsu``: Otsu's threshold (1979).
        fraction: Share of the pixels, for ``fraction``.
        threshold: Share of the map's range, for ``threshold``.
        shape: ``blob``: those pixels; ``box``: the bounding box of their largest connected component.
        dilation: Pixels by which the region grows at the end.
        ring: Side of the ring's window as a share of the image's (the published notebooks: 0.31 at 224 pixels, 0.23
            at 64).

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    method: Literal["fraction", "threshold", "otsu"] = "fraction"
    fraction: float = 0.1
    threshold: float = 0.5
    shape: Literal["blob", "box"] = "blob"
    dilation: int = 0
    ring: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1 or not 0 <= self.threshold < 1 or self.dilation < 0 or not 0 < self.ring <= 1:
            raise OverpaintError(
                f"region: fraction={self.fraction} and ring={self.ring} must lie in (0, 1], threshold="
                f"{self.threshold} in [0, 1), and dilation={self.dilation} must not be negative"
            )

    def salient_region(self, maps: Maps) -> Regions:
        """Returns the region B of each map: True where it is to be repainted; empty for a flat map."""
        regions = torch.zeros_like(maps, dtype=torch.bool)
        for i, flat in enumerate(is_flat(maps).tolist()):
            if not flat:
                regions[i] = self._region(maps[i].cpu()).to(maps.device)
        return regions

    def _region(self, saliency_map: Float[Tensor, "*space"]) -> Bool[Tensor, "*space"]:
        if self.method == "fraction":
            region = _most_salient(saliency_map, self.fraction).numpy()
        elif self.method == "threshold":
            low, high = saliency_map.min(), saliency_map.max()
            region = (saliency_map > low + self.threshold * (high - low)).numpy()
        else:
            values = saliency_map.double().numpy()  # float32 has no room for 256 bins between close values
            region = values > threshold_otsu(values)
        if self.shape == "box":
            region = bounding_box_of_largest(region)
        if self.dilation:
            region = ndimage.binary_dilation(region, iterations=self.dilation)
        return torch.from_numpy(region)

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
