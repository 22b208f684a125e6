"""Networks that compute with 8-bit integers."""

import torch
from torch import nn

QUANTISED_MODULES = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")
"""Packages of torch whose modules compute with integers."""


def is_quantised(network: nn.Module) -> bool:
    """Returns whether a network computes with 8-bit integers: modules of torch, TorchScript, or torch.export."""
    if isinstance(network, torch.jit.ScriptModule):
        return "quantized::" in str(network.inlined_graph)
    if isinstance(network, torch.fx.GraphModule) and "quantize" in network.code:
        return True
    return any(
        type(module).__module__.startswith(QUANTISED_MODULES)
        or (isinstance(module, torch.jit.ScriptModule) and "quantized::" in str(module.inlined_graph))
        for module in network.modules()
    )
