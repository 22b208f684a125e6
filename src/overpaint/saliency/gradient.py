"""The gradient of the class score (Simonyan, Vedaldi & Zisserman, ICLR workshop 2014)."""

from dataclasses import dataclass
from functools import partial

import torch

from overpaint.attribution.batches import in_batches, input_gradients, rows_of
from overpaint.attribution.sign_reduction import Sign, reduce_channels
from overpaint.attribution.state import preserve_state
from overpaint.core.bounds import Count
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, TargetSets


@checked_settings
@dataclass(frozen=True)
class Gradient(SaliencyMethod):
    """How fast the class's logit changes with each pixel (section 3.1).

    ``M_ij = max_c |∂ logit / ∂ x_cij|`` at the image ``x``, of shape ``(channel, height, width)``.
    The gradient is taken through the classifier's transform, with respect to the image in ``[0, 1]``.

    Attributes:
        sign: ``absolute``, as published; ``signed`` sums the channels; ``positive`` keeps of that what is above 0.
        batch_size: Images in one pass at most.

    Raises:
        OverpaintError: At the call, if the classifier has no gradients, or under inference mode.
    """

    requires = "gradients"

    sign: Sign = "absolute"
    batch_size: Count = 8

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors (nothing is random); one forward and backward pass a row."""
        with preserve_state(classifier, "gradient"):
            gradients = in_batches(partial(input_gradients, classifier), *rows_of(images, targets), self.batch_size)
        return SaliencyMaps(reduce_channels(gradients, self.sign), None, torch.ones_like(targets.flatten()))
