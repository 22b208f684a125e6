"""Guided backpropagation (Springenberg, Dosovitskiy, Brox & Riedmiller, ICLR workshop 2015)."""

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
class GuidedBackprop(SaliencyMethod):
    """The gradient, where each ReLU passes back only what is positive and where its input was (section 3.4).

    A ReLU with input ``x`` passes back ``max(g, 0) · [x > 0]`` of the gradient ``g``.

    The rule is this project's, with captum's as oracle in the tests: captum's acts on ``nn.ReLU`` modules alone, so a
    network with functional ReLUs would silently get its plain gradient.

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
        with preserve_state(classifier, "guided_backprop") as network, relu_rule("guided", network, "guided_backprop"):
            gradients = in_batches(partial(input_gradients, classifier), *rows_of(images, targets), self.batch_size)
        return SaliencyMaps(reduce_channels(gradients, self.sign), None, torch.ones_like(targets.flatten()))
