"""The deconvolutional network (Zeiler & Fergus, ECCV 2014)."""

from dataclasses import dataclass
from functools import partial

import torch

from overpaint.attribution.batches import in_batches, input_gradients, rows_of
from overpaint.attribution.relu import relu_rule
from overpaint.attribution.sign_reduction import Sign, reduce_channels
from overpaint.attribution.state import preserve_state
from overpaint.core.bounds import Count
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, TargetSets


@checked_settings
@dataclass(frozen=True)
class Deconvnet(SaliencyMethod):
    """The gradient, where each ReLU passes back what is positive, whatever its own input was (section 2.1).

    A ReLU passes back ``max(g, 0)`` of the gradient ``g``.

    The paper's other steps are those of the gradient: filters are transposed, and max pooling goes back to the places
    of its maxima ("switches"), as section 4 of Simonyan et al. (2014) shows.

    Since nothing holds back what did not contribute, a layer can be left without any positive gradient: then the map
    is 0 (so on most photographs with ImageNet's SqueezeNet, exactly as captum's).

    Attributes:
        sign: ``absolute`` is ``max_c |.|``; ``signed`` sums the channels; ``positive`` keeps of that what is above 0.
        batch_size: Images in one pass at most.

    Raises:
        OverpaintError: At the call, if the network has no ReLU or no gradients, or under inference mode.
    """

    requires = "relus"

    sign: Sign = "absolute"
    batch_size: Count = 8

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors (nothing is random); one forward and backward pass a row."""
        with preserve_state(classifier, "deconvnet") as network, relu_rule("deconvnet", network, "deconvnet"):
            gradients = in_batches(partial(input_gradients, classifier), *rows_of(images, targets), self.batch_size)
        return SaliencyMaps(reduce_channels(gradients, self.sign), None, torch.ones_like(targets.flatten()))
