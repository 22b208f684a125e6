"""The gradient of the class score (Simonyan, Vedaldi & Zisserman, ICLR workshop 2014)."""

from dataclasses import dataclass
from functools import partial

import torch

from overpaint.attribution.guard import untouched
from overpaint.attribution.passes import in_passes, input_gradients, rows_of
from overpaint.attribution.signs import Sign, over_channels
from overpaint.types import Classifier, Images, SaliencyMaps, TargetSets


@dataclass(frozen=True)
class Gradient:
    """``M_ij = max_c |∂ logit / ∂ x_cij|`` (section 3.1) at the image ``x``, of shape ``(channel, height, width)``.

    The gradient is taken through the classifier's transform, with respect to the image in ``[0, 1]``.

    Attributes:
        sign: ``absolute``, as published; ``signed`` sums the channels; ``positive`` keeps of that what is above 0.
        rows: Images in one pass at most.

    Raises:
        OverpaintError: At the call, if the classifier has no gradients, or under inference mode.
    """

    sign: Sign = "absolute"
    rows: int = 8

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors (nothing is random); one forward and backward pass a row."""
        with untouched(classifier, "gradient"):
            gradients = in_passes(partial(input_gradients, classifier), *rows_of(images, targets), self.rows)
        return SaliencyMaps(over_channels(gradients, self.sign), None, torch.ones_like(targets.flatten()))
