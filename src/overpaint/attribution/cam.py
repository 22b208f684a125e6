"""Class activation maps: a layer's channels, weighted and brought to the image's size."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from overpaint.attribution.layers import Layout, LayoutReader, impossible_layer, watched
from overpaint.attribution.sign_reduction import Sign, reduce_sign
from overpaint.attribution.state import network_of
from overpaint.core.protocols import Classifier
from overpaint.core.types import Images, Maps, Targets

LayerMaps = Float[Tensor, "row feature *cells"]


def layer_gradients(
    classifier: Classifier, layer: str, images: Images, targets: Targets, method: str
) -> tuple[LayerMaps, LayerMaps]:
    """Returns a layer's activations ``A`` and ``∂ logit_target / ∂ A`` of each row, folded to their grid.

    No graph is made before the layer and none of the parameters' gradients is computed, so that the memory is that of
    a forward pass and of the layers behind the chosen one.

    Raises:
        OverpaintError: If the layer's output is no map, or the logits do not depend on it.
    """
    layers = dict(network_of(classifier, method).named_modules())
    # A transformer's tokens are folded to the grid that a convolution made of the patches.
    needed = {n: m for n, m in layers.items() if n in ("", layer) or isinstance(m, nn.modules.conv._ConvNd)}
    kept: list[tuple[Tensor, Layout]] = []

    def note(name: str, output: Any, layout: Layout | None) -> Any:
        if name != layer or layout is None:
            return None
        torch.set_grad_enabled(True)
        leaf = output.detach().requires_grad_()
        kept.append((leaf, layout))
        return leaf.clone()  # a later in-place operation must not change what is kept

    with torch.no_grad(), watched(needed, LayoutReader(), note):
        logits = classifier.logits(images)
    if not kept or not logits.requires_grad:
        raise impossible_layer(classifier, images, layer, method)
    activations, layout = kept[-1]
    chosen = torch.gather(logits, 1, targets[:, None])
    (gradients,) = torch.autograd.grad(chosen, [activations], torch.ones_like(chosen))
    folded = layout.fold(gradients)
    if layout.extra and bool(gradients.any()) and not bool(folded.any()):  # only the class token is read behind it
        raise impossible_layer(classifier, images, layer, method)
    return layout.fold(activations.detach()).float(), folded.float()


def class_activation_maps(
    activations: LayerMaps, weights: Float[Tensor, "row feature"], size: tuple[int, ...], sign: Sign
) -> Maps:
    """Returns ``Σ_k w_k A_k``, with the chosen sign, brought to ``size`` by linear interpolation."""
    weighted = weights.reshape(*weights.shape, *[1] * len(size)) * activations  # no einsum: autocast would round it
    maps = reduce_sign(weighted.sum(1), sign)
    return F.interpolate(maps[:, None], size, mode="linear" if len(size) == 1 else "bilinear")[:, 0]
