"""Grad-CAM: gradient-weighted class activation mapping (Selvaraju et al., ICCV 2017)."""

from dataclasses import dataclass

import torch

from overpaint.attribution.batches import in_batches, rows_of
from overpaint.attribution.cam import class_activation_maps, layer_gradients
from overpaint.attribution.layers import choose_layer
from overpaint.attribution.sign_reduction import Sign
from overpaint.attribution.state import preserve_state
from overpaint.core.bounds import Count
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, Maps, Targets, TargetSets


@checked_settings
@dataclass(frozen=True)
class GradCam(SaliencyMethod):
    """A layer's channels ``A_k``, weighted by how much the class score rises with them.

    ``S = relu(Σ_k α_k A_k)`` with ``α_k`` the spatial mean of ``∂ logit / ∂ A_k`` (equations 1 and 2), brought to the
    image's size by linear interpolation.

    Attributes:
        layer: A layer's name (``python explain.py list_layers=true`` prints them), or ``auto`` for the last one with a
            spatial map: the last convolutional block, or what the last attention of a transformer reads.
        sign: ``positive``, as published; ``signed`` leaves the relu out; ``absolute``.
        batch_size: Images in one pass at most.

    Raises:
        OverpaintError: At the call, if the classifier has no gradients or no such layer, or under inference mode.
    """

    requires = "layers"

    layer: str = "auto"
    sign: Sign = "positive"
    batch_size: Count = 8

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors (nothing is random); one forward pass a row."""
        with preserve_state(classifier, "grad_cam"):
            layer = choose_layer(classifier, images, self.layer, "grad_cam")

            def compute(images: Images, targets: Targets) -> Maps:
                activations, gradients = layer_gradients(classifier, layer, images, targets, "grad_cam")
                weights = gradients.flatten(2).mean(2)
                return class_activation_maps(activations, weights, tuple(images.shape[2:]), self.sign)

            maps = in_batches(compute, *rows_of(images, targets), self.batch_size)
        return SaliencyMaps(maps, None, torch.ones_like(targets.flatten()))
