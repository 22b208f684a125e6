"""Eval mode and precision of other people's modules, which are left as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluation_mode(*roots: object) -> Iterator[None]:
    """Puts modules into eval mode, and afterwards each of their submodules into the mode in which it was.

    Args:
        roots: The modules; what is no module of torch is left alone.
    """
    modules = [module for root in roots if isinstance(root, nn.Module) for module in root.modules()]
    before = [(module, module.training) for module in modules]
    try:
        for module in modules:
            module.training = False
        yield
    finally:
        for module, training in before:
            module.training = training


def floats_like(module: nn.Module) -> Tensor:
    """Returns an empty tensor on the device and in the precision of a module's parameters; float32 without any."""
    for parameter in module.parameters():
        if parameter.is_floating_point():
            return parameter.new_empty(0)
    return torch.empty(0)
