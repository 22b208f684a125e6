"""The channels and spatial dimensions that a network's first convolution takes."""

import torch
from torch import nn

from overpaint.classifiers.archives import Archive

DIMENSIONS = {"Conv1d": 1, "Conv2d": 2, "Conv3d": 3}
"""Spatial dimensions of a convolution's input by its class, which TorchScript keeps as a name."""


def series_channels(network: nn.Module) -> int | None:
    """Returns the channels of the series that a network takes.

    They are those of its first convolution, in the order in which the modules were registered.

    Args:
        network: A network, or a loaded archive, whose layers are looked at where it shows them.

    Returns:
        None where the first convolution is of images, or there is none.
    """
    module = next((m for m in _layers(network) if _class_name(m) in DIMENSIONS), None)
    if module is None or DIMENSIONS[_class_name(module)] != 1:
        return None
    weight = module.weight
    assert isinstance(weight, torch.Tensor)
    groups = module.groups if isinstance(module, nn.Conv1d) else 1
    return int(weight.shape[1] * groups)


def _layers(network: nn.Module) -> list[nn.Module]:
    return list((network.loaded if isinstance(network, Archive) else network).modules())


def _class_name(module: nn.Module) -> str:
    return module.original_name if isinstance(module, torch.jit.ScriptModule) else type(module).__name__
