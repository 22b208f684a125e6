"""Grad-CAM++ (Chattopadhay, Sarkar, Howlader & Balasubramanian, WACV 2018)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.attribution.batches import in_batches, rows_of
from overpaint.attribution.cam import LayerMaps, class_activation_maps, layer_gradients
from overpaint.attribution.layers import choose_layer
from overpaint.attribution.sign_reduction import Sign
from overpaint.attribution.state import preserve_state
from overpaint.core.bounds import Count
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, Maps, Targets, TargetSets


def plus_plus_weights(activations: LayerMaps, gradients: LayerMaps) -> Float[Tensor, "row feature"]:
    """Returns ``w_k = Σ_ij α_kij max(g_kij, 0)`` with ``α_kij = g² / (2 g² + g³ Σ_ab A_kab)`` (equations 5 and 19).

    ``g = ∂ logit / ∂ A``. Deviations: the score whose derivatives the paper takes is ``exp(logit)``; its factor cancels
    in ``α`` and only scales a whole map, so it is left out, which spares its overflow. ``α`` is computed as
    ``1 / (2 + g Σ A)``, which is the same where ``g > 0`` and needs no ε against the underflow of ``g²``; where its
    denominator is 0 so is ``α``.
    """
    sums = activations.flatten(2).sum(2)
    denominators = 2 + gradients * sums.reshape(*sums.shape, *[1] * (activations.ndim - 2))
    terms = torch.where(denominators != 0, gradients.clamp(min=0) / denominators, 0)
    return terms.flatten(2).sum(2)


@checked_settings
@dataclass(frozen=True)
class GradCamPlusPlus(SaliencyMethod):
    """Grad-CAM with a weight for each place, so that several objects of the class and thin ones are covered.

    ``S = relu(Σ_k w_k A_k)``, see `plus_plus_weights`.

    Attributes:
        layer: A layer's name (``python explain.py list_layers=true`` prints them), or ``auto`` for the last one with a
            spatial map.
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
        with preserve_state(classifier, "grad_cam_plus_plus"):
            layer = choose_layer(classifier, images, self.layer, "grad_cam_plus_plus")

            def compute(images: Images, targets: Targets) -> Maps:
                activations, gradients = layer_gradients(classifier, layer, images, targets, "grad_cam_plus_plus")
                weights = plus_plus_weights(activations, gradients)
                return class_activation_maps(activations, weights, tuple(images.shape[2:]), self.sign)

            maps = in_batches(compute, *rows_of(images, targets), self.batch_size)
        return SaliencyMaps(maps, None, torch.ones_like(targets.flatten()))
