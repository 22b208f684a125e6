"""The deconvolutional network (Zeiler & Fergus, ECCV 2014)."""

from dataclasses import dataclass
from functools import partial

import torch

from overpaint.attribution.guard import untouched
from overpaint.attribution.passes import in_passes, input_gradients, rows_of
from overpaint.attribution.relu import relu_rule
from overpaint.attribution.signs import Sign, over_channels
from overpaint.types import Classifier, Images, SaliencyMaps, TargetSets


@dataclass(frozen=True)
class Deconvnet:
    """The gradient, where each ReLU passes back ``max(g, 0)`` wherever its own input was (section 2.1).

    The paper's other steps are those of the gradient: filters are transposed, and max pooling goes back to the places
    of its maxima ("switches"), as section 4 of Simonyan et al. (2014) shows.

    Since nothing holds back what did not contribute, a layer can be left without any positive gradient: then the map
    is 0 (so on most photographs with ImageNet's SqueezeNet, exactly as captum's).

    Attributes:
        sign: ``absolute`` is ``max_c |.|``; ``signed`` sums the channels; ``positive`` keeps of that what is above 0.
        rows: Images in one pass at most.

    Raises:
        OverpaintError: At the call, if the network has no ReLU or no gradients, or under inference mode.
    """

    sign: Sign = "absolute"
    rows: int = 8

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors (nothing is random); one forward and backward pass a row."""
        with untouched(classifier, "deconvnet") as network, relu_rule("deconvnet", network, "deconvnet"):
            gradients = in_passes(partial(input_gradients, classifier), *rows_of(images, targets), self.rows)
        return SaliencyMaps(over_channels(gradients, self.sign), None, torch.ones_like(targets.flatten()))
