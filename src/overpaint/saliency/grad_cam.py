"""Grad-CAM: gradient-weighted class activation mapping (Selvaraju et al., ICCV 2017)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overpaint.errors import OverpaintError
from overpaint.types import Classifier, Images, Maps, SaliencyMaps, Targets, TargetSets


@contextmanager
def _hooked(module: nn.Module, hook: Any) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def last_spatial_layer(classifier: Classifier, images: Images) -> str:
    """Returns the name of the last layer of the classifier's network whose output is a map of more than one cell.

    Raises:
        OverpaintError: If the classifier has no network, or its network no such layer.
    """
    if classifier.network is None:
        raise OverpaintError("grad_cam needs a classifier with layers and gradients; use rise or mask_estimation")
    found: list[str] = []

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.ndim == images.ndim and output[0, 0].numel() > 1:
                found.append(name)

        return hook

    handles = [m.register_forward_hook(note(name)) for name, m in classifier.network.named_modules() if name]
    try:
        classifier.scores(images[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise OverpaintError("grad_cam found no layer with a spatial map in the classifier's network")
    return found[-1]


@dataclass(frozen=True)
class GradCam:
    """The last spatial layer's channels, weighted by how much the class score rises with them.

    ``S = relu(Σ_k α_k A_k)`` with ``α_k`` the spatial mean of ``∂ logit_c / ∂ A_k`` (equations 1 and 2), brought to
    the image's size by linear interpolation. Only gradients of the activations are computed.

    Attributes:
        layer: A layer's name, or ``auto`` for the last one with a spatial map.

    Raises:
        OverpaintError: At the call, if the classifier has no gradients or no such layer, or under inference mode.
    """

    layer: str = "auto"

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors (nothing is random); one forward and backward pass an image."""
        if torch.is_inference_mode_enabled():
            raise OverpaintError("grad_cam needs gradients: use Trainer(inference_mode=False)")
        name = last_spatial_layer(classifier, images) if self.layer == "auto" else self.layer
        layers = dict(classifier.network.named_modules()) if classifier.network is not None else {}
        if name not in layers:
            raise OverpaintError(
                f"grad_cam: layer={name!r} is not in the network; it has {', '.join(filter(None, layers))}"
            )
        # One image at a time: a network's arithmetic may differ in the last bit with the size of the batch.
        rows = images.repeat_interleave(targets.shape[1], dim=0), targets.flatten()
        maps = [self._map(classifier, layers[name], name, x[None], t[None]) for x, t in zip(*rows, strict=True)]
        return SaliencyMaps(torch.cat(maps), None, torch.ones_like(rows[1]))

    @staticmethod
    def _map(classifier: Classifier, layer: nn.Module, name: str, images: Images, targets: Targets) -> Maps:
        kept: list[Tensor] = []

        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
            kept.append(output)
            return output.clone()  # a later in-place operation must not change what is kept

        with torch.enable_grad(), _hooked(layer, keep):
            inputs = images.detach().clone().requires_grad_()
            logits = classifier.logits(inputs)
            chosen = logits.gather(1, targets[:, None]).sum()
            activations = kept[-1]
            if activations.ndim != images.ndim:
                raise OverpaintError(
                    f"grad_cam: layer={name!r} has an output of shape {tuple(activations.shape)}, which is no map"
                )
            (gradients,) = torch.autograd.grad(chosen, activations)
        weights = gradients.flatten(2).mean(2).reshape(*gradients.shape[:2], *[1] * (gradients.ndim - 2))
        maps = F.relu((weights * activations.detach()).sum(1, keepdim=True))
        mode = "linear" if images.ndim == 3 else "bilinear"
        return F.interpolate(maps.float(), tuple(images.shape[2:]), mode=mode)[:, 0]
