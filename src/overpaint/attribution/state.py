"""Prepares a network for gradients, and restores its state."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier


@contextmanager
def preserve_state(classifier: Classifier, method: str) -> Iterator[nn.Module]:
    """Gives a method the classifier's network with gradients on; afterwards all is as before, also after an error.

    Restored are: every attribute of every module (hooks, training flags, in-place flags, submodules), which
    parameters require gradients, their ``.grad``, the buffers that a forward pass in train mode changes, and the random
    state. Nothing is switched on the way in: a network is explained in the mode it is found in.

    Args:
        classifier: The classifier.
        method: The method's name, for errors.

    Yields:
        The network.

    Raises:
        OverpaintError: If there is no network, or under inference mode, where nothing has gradients.
    """
    network = network_of(classifier, method)
    if torch.is_inference_mode_enabled():
        raise OverpaintError(f"{method} needs gradients: use Trainer(inference_mode=False)")
    found, weights, buffers = list(network.modules()), list(network.parameters()), list(network.buffers())
    if any(tensor.is_inference() for tensor in weights + buffers):
        raise OverpaintError(f"{method} needs gradients, but the classifier was loaded under torch.inference_mode()")
    # Under autocast, weights that `scores` cast in inference mode would be used again and have no gradients.
    torch.clear_autocast_cache()
    modules = [(vars(module), _snapshot(module)) for module in found]
    parameters = [(weight, weight.requires_grad, weight.grad) for weight in weights]
    changing = [(buffer, buffer.clone()) for buffer in buffers] if any(module.training for module in found) else []
    gpus = sorted({weight.get_device() for weight in weights if weight.is_cuda})
    with torch.random.fork_rng(gpus), torch.enable_grad():
        try:
            yield network
        finally:
            for attributes, before in modules:
                _restore(attributes, before)
            for weight, required, gradient in parameters:
                weight.requires_grad_(required).grad = gradient
            for buffer, value in changing:
                buffer.detach().copy_(value)


def network_of(classifier: Classifier, method: str) -> nn.Module:
    """Returns the classifier's network.

    Raises:
        OverpaintError: If it has none.
    """
    if classifier.network is None:
        raise OverpaintError(
            f"{method} needs a classifier with layers and gradients; use a method that asks for scores alone, such as "
            "rise or mask_estimation"
        )
    return classifier.network


def _snapshot(module: nn.Module) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, dict) else value for name, value in vars(module).items()}


def _restore(attributes: dict[str, Any], before: dict[str, Any]) -> None:
    """Sets a module's attributes back; dictionaries stay the same objects, since hooks' handles refer to them."""
    for name in attributes.keys() - before.keys():
        del attributes[name]
    for name, value in before.items():
        current = attributes.get(name)
        if isinstance(value, dict) and isinstance(current, dict):
            current.clear()
            current.update(value)
        else:
            attributes[name] = value
