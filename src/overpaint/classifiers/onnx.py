"""ONNX files, run by onnxruntime (the extra ``onnx``)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from overpaint.core.errors import OverpaintError

FLOATS = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16, "tensor(double)": torch.float64}
COLOURS = (1, 3, 4)
"""Channels by which an axis is known to be that of the channels."""


class OnnxFunction:
    """The network of an ONNX file as a function of arrays; the file is loaded once, here.

    It computes on CUDA where the installed onnxruntime can, otherwise on as many threads as torch. Its input may have
    the channels first or last.

    Args:
        path: The file.

    Attributes:
        channels: Channels of its input; None where the file leaves them open.
        sides: Height and width of its input, or the length of a series; None where the file leaves them open.
        rows: Images that it takes at a time; None where the file leaves it open.
        outputs: The names of its outputs.
        quantised: Whether it computes with 8-bit integers.

    Raises:
        OverpaintError: If onnxruntime is not installed or can't load the file, or if the network does not take one
            array of images.
    """

    def __init__(self, path: Path) -> None:
        self.session = _session(path)
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        if len(inputs) != 1 or len(inputs[0].shape) not in (3, 4) or inputs[0].type not in FLOATS:
            said = ", ".join(f"{entry.name} {entry.type} {entry.shape}" for entry in inputs)
            raise OverpaintError(
                f"classifier={path} takes {said}; it must take one array of images or series of floats"
            )
        self.outputs = [entry.name for entry in outputs]
        self.quantised = b"QuantizeLinear" in path.read_bytes()
        self.name, self.dtype = inputs[0].name, FLOATS[inputs[0].type]
        # A free side is a name or None, and exporters also write 0 or -1.
        shape = [side if isinstance(side, int) and side > 0 else None for side in inputs[0].shape]
        self.channels_last = _are_channels_last(shape)
        self.rows = shape[0]
        self.channels = shape[-1] if self.channels_last else shape[1]
        self.sides = tuple(shape[1:-1] if self.channels_last else shape[2:])

    def __call__(self, images: NDArray[np.float32]) -> Any:
        """Returns the output for images ``(batch, channel, *space)``; of several outputs all, by their names."""
        inputs = torch.from_numpy(images)
        if self.channels_last:
            inputs = inputs.movedim(1, -1)
        found = self.session.run(None, {self.name: inputs.to(self.dtype).contiguous().numpy()})
        return found[0] if len(found) == 1 else dict(zip(self.outputs, found, strict=True))


def _are_channels_last(shape: Sequence[int | None]) -> bool:
    """Tells whether an input's channels are its last axis: by their number in images, the shorter axis in series."""
    first, last = shape[1], shape[-1]
    if len(shape) == 4:
        return last in COLOURS and first not in COLOURS
    return (last or math.inf) < (first or math.inf)


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise OverpaintError(
            f"classifier={path} needs onnxruntime, which is not installed: pip install 'overpaint[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = 3  # errors; what it can't do is raised
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's errors have no common base class
        raise OverpaintError(f"classifier={path} is no ONNX file that onnxruntime can load: {error}") from error
