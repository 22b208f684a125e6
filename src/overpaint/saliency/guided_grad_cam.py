"""Guided Grad-CAM (Selvaraju et al., ICCV 2017, section 3.2)."""

from dataclasses import dataclass

import torch

from overpaint.attribution.batches import in_batches, input_gradients, rows_of
from overpaint.attribution.cam import class_activation_maps, layer_gradients
from overpaint.attribution.layers import choose_layer
from overpaint.attribution.relu import relu_rule
from overpaint.attribution.sign_reduction import Sign, reduce_channels
from overpaint.attribution.state import preserve_state
from overpaint.core.bounds import Count
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, Targets, TargetSets


@checked_settings
@dataclass(frozen=True)
class GuidedGradCam(SaliencyMethod):
    """Guided backpropagation times the Grad-CAM map: the fine pattern, where the coarse map says that it matters.

    Attributes:
        layer: The layer of Grad-CAM: a name (``python explain.py list_layers=true`` prints them), or ``auto``.
        sign: ``absolute`` is ``max_c |.|``; ``signed`` sums the channels; ``positive`` keeps of that what is above 0.
        batch_size: Images in one pass at most.

    Raises:
        OverpaintError: At the call, if the network has no ReLU, no gradients or no such layer, or under inference mode.
    """

    requires = "layers"

    layer: str = "auto"
    sign: Sign = "absolute"
    batch_size: Count = 8

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors (nothing is random); two forward passes a row."""
        name = "guided_grad_cam"
        with preserve_state(classifier, name) as network:
            layer = choose_layer(classifier, images, self.layer, name)

            def compute(images: Images, targets: Targets) -> Images:
                activations, gradients = layer_gradients(classifier, layer, images, targets, name)
                weights = gradients.flatten(2).mean(2)
                cam = class_activation_maps(activations, weights, tuple(images.shape[2:]), "positive")
                with relu_rule("guided", network, name):
                    return input_gradients(classifier, images, targets) * cam[:, None]

            products = in_batches(compute, *rows_of(images, targets), self.batch_size)
        return SaliencyMaps(reduce_channels(products, self.sign), None, torch.full_like(targets.flatten(), 2))
