"""Guided backpropagation (Springenberg, Dosovitskiy, Brox & Riedmiller, ICLR workshop 2015)."""

from dataclasses import dataclass
from functools import partial

import torch

from overpaint.attribution.guard import untouched
from overpaint.attribution.passes import in_passes, input_gradients, rows_of
from overpaint.attribution.relu import relu_rule
from overpaint.attribution.signs import Sign, over_channels
from overpaint.types import Classifier, Images, SaliencyMaps, TargetSets


@dataclass(frozen=True)
class GuidedBackprop:
    """The gradient, where each ReLU passes back only what is positive, ``max(g, 0) · [x > 0]`` (section 3.4).

    The rule is this project's, with captum's as oracle in the tests: captum's acts on ``nn.ReLU`` modules alone, so a
    network with functional ReLUs would silently get its plain gradient.

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
        with untouched(classifier, "guided_backprop") as network, relu_rule("guided", network, "guided_backprop"):
            gradients = in_passes(partial(input_gradients, classifier), *rows_of(images, targets), self.rows)
        return SaliencyMaps(over_channels(gradients, self.sign), None, torch.ones_like(targets.flatten()))
