"""A control: the middle of the image."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, TargetSets


@dataclass(frozen=True)
class Center(SaliencyMethod):
    """A Gaussian around the middle of the image, which knows nothing of the classifier.

    ``S(λ) = exp(-½ Σ_axes ((λ - m) / σ)²)``; ``m`` is the middle of an axis and ``σ`` a quarter of its length. What a
    method has in common with this map it need not have learnt from the classifier.
    """

    is_control: ClassVar[bool] = True

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors and without queries, the same for all rows."""
        space = images.shape[2:]
        exponent = images.new_zeros(space)
        for axis, side in enumerate(space):
            place = torch.arange(side, dtype=images.dtype, device=images.device) - (side - 1) / 2
            exponent += (place / (side / 4)).square().reshape(-1, *[1] * (len(space) - 1 - axis))
        maps = torch.exp(-0.5 * exponent).repeat(targets.numel(), *[1] * len(space))
        return SaliencyMaps(maps, None, torch.zeros_like(targets.flatten()))
