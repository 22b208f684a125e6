"""A control: an edge detector, which sees the image but not the classifier (Adebayo et al., NeurIPS 2018)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, TargetSets


@dataclass(frozen=True)
class Edges(SaliencyMethod):
    """How strong the image's edges are, which knows nothing of the classifier.

    ``S = sqrt(Σ_axes (∂_axis g)²)`` with ``g`` the mean of the channels.
    Sobel's operator in any number of dimensions: ``∂_axis`` is the central difference ``(g(λ+1) - g(λ-1)) / 2`` along
    its axis, smoothed by ``(¼, ½, ¼)`` along the others; the image's border is repeated.
    """

    is_control: ClassVar[bool] = True

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors and without queries, the same for all targets of an image."""
        maps = _edges(images.mean(1)).repeat_interleave(targets.shape[1], 0)
        return SaliencyMaps(maps, None, torch.zeros_like(targets.flatten()))


def _edges(grey: Float[Tensor, "batch *space"]) -> Float[Tensor, "batch *space"]:
    squares = torch.zeros_like(grey)
    for across in range(1, grey.ndim):
        slope = grey
        for axis in range(1, grey.ndim):
            before, after = _neighbours(slope, axis)
            slope = (after - before) / 2 if axis == across else (before + 2 * slope + after) / 4
        squares += slope.square()
    return squares.sqrt()


def _neighbours(grey: Float[Tensor, "batch *space"], axis: int) -> tuple[Tensor, Tensor]:
    """Returns for each pixel the one before and the one after it along an axis, at the border the pixel itself."""
    last = grey.shape[axis] - 1
    places = torch.arange(last + 1, device=grey.device)
    return tuple(grey.index_select(axis, (places + step).clamp(0, last)) for step in (-1, 1))  # type: ignore[return-value]
