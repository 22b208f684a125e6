"""Networks that bring their own computation: TorchScript files and programs of torch.export.

Loading one builds, and asking it runs, what the file describes, and both formats may hold pickled objects: load only
files whose origin you trust.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from overpaint.classifiers.options import is_torchscript
from overpaint.classifiers.quantised import is_quantised
from overpaint.core.errors import OverpaintError


class Archive(nn.Module):
    """A loaded network as one closed module.

    Its inner modules are no submodules of this one: they take no hooks (TorchScript) or are never called (torch.export
    keeps them for their tensors alone), and some refuse ``eval()``. So methods that need layers find none and say so.

    Args:
        network: The loaded network.
        rows: The number of images it takes at a time; None for any.

    Attributes:
        scripted: Whether it is TorchScript.
        quantised: Whether it computes with 8-bit integers.
    """

    def __init__(self, network: nn.Module, rows: int | None = None) -> None:
        super().__init__()
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        self._hidden = [network]  # in a list, or torch would register it
        self.rows = rows
        self.scripted, self.quantised = isinstance(network, torch.jit.ScriptModule), is_quantised(network)

    @property
    def loaded(self) -> nn.Module:
        """The loaded network, to look at; it is asked through this module."""
        return self._hidden[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Archive":
        """Moves the network when this module, which has no tensors of its own, is moved to another device."""
        self._hidden[0]._apply(fn, recurse)
        return self

    def forward(self, images: Tensor) -> Any:
        """Returns the network's output for as many images as it takes."""
        return self._hidden[0](images)


def load_torchscript(path: Path) -> Archive:
    """Loads a TorchScript file.

    Raises:
        OverpaintError: If it is none.
    """
    other = OverpaintError(
        f"classifier={path} is no TorchScript file; a state dict needs its network's name as well, such as "
        f"classifier=torchvision:resnet50 classifier.weights={path}, and a pickled network is refused since it "
        "could run code"
    )
    if not is_torchscript(path):
        raise other
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*torch.jit.load.* is deprecated")
            network = torch.jit.load(path, map_location="cpu")
    except Exception as error:  # torch's reader lets nearly any kind of error through
        raise other from error
    network.eval()
    return Archive(network)


def load_exported(path: Path) -> tuple[Archive, list[int | None]]:
    """Loads a program that ``torch.export.save`` wrote.

    Returns:
        The network, and the shape of its input, None where it is free. A program for a fixed number of images is run
        in passes of that many, see `AnswerForm`.

    Raises:
        OverpaintError: If it is no such program, or takes anything else than one array of images.
    """
    try:
        if not is_zipfile(path):
            raise ValueError("it is no archive")
        program = torch.export.load(path)
    except Exception as error:  # torch's reader lets nearly any kind of error through
        raise OverpaintError(f"classifier={path} is no program that torch.export.save wrote") from error
    inputs = [node.meta["val"] for node in program.graph.nodes if node.name in program.graph_signature.user_inputs]
    if len(inputs) != 1 or not isinstance(inputs[0], Tensor) or inputs[0].ndim not in (3, 4):
        raise OverpaintError(
            f"classifier={path} takes {len(inputs)} inputs; it must take one array (batch, channel, height, width), "
            "or (batch, channel, length) of series"
        )
    shape = [_fixed(side) for side in inputs[0].shape]
    return Archive(program.module(), shape[0]), shape


def _fixed(side: Any) -> int | None:
    """Returns a side of an exported input that is a number; a free one is a symbol."""
    return side if isinstance(side, int) else None
