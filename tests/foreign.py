"""Classifiers that others might bring, written to files; each gives the scores of `reference`."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

CLASSES = 4
SIDE = 12
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
TRANSFORM = {"mean": MEAN, "std": STD}


class SmallNetwork(nn.Module):
    """Looks at the mean colour alone, which a test can write down, after a convolution that keeps the image."""

    def __init__(self, num_classes: int = CLASSES, softmax: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.head = nn.Linear(3, num_classes)
        self.softmax = softmax
        rng = torch.Generator().manual_seed(0)
        nn.init.dirac_(self.conv.weight)
        self.head.weight.data = 3 * torch.randn(num_classes, 3, generator=rng)
        self.head.bias.data = torch.randn(num_classes, generator=rng)

    def forward(self, images: Tensor) -> Tensor:
        logits = self.head(self.conv(images).mean((2, 3)))
        return logits.softmax(1) if self.softmax else logits


def reference(images: Tensor, normalise: bool = True) -> Tensor:
    """The scores of `SmallNetwork` for images in [0, 1]."""
    network = SmallNetwork()
    mean, std = torch.tensor(MEAN).reshape(3, 1, 1), torch.tensor(STD).reshape(3, 1, 1)
    colours = ((images - mean) / std if normalise else images).mean((2, 3))
    return (colours @ network.head.weight.T + network.head.bias).softmax(1).detach()


def write_torchscript(path: Path, network: nn.Module | None = None, size: tuple[int, int] = (SIDE, SIDE)) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, its files are not gone
        torch.jit.trace((network or SmallNetwork()).eval(), torch.rand(2, 3, *size)).save(str(path))
    return path


def write_exported(path: Path, rows: int | None, size: tuple[int, int] = (SIDE, SIDE)) -> Path:
    shapes = None if rows else ({0: torch.export.Dim("batch")},)
    program = torch.export.export(SmallNetwork().eval(), (torch.rand(rows or 2, 3, *size),), dynamic_shapes=shapes)
    torch.export.save(program, path)
    return path


def write_onnx(
    path: Path, shape: tuple[int | str | None, ...] = ("n", 3, SIDE, SIDE), half: bool = False, softmax: bool = False
) -> Path:
    onnx = pytest.importorskip("onnx")
    network = SmallNetwork()
    kind = np.float16 if half else np.float32
    numbers = {"weight": network.head.weight, "bias": network.head.bias}
    stored = [onnx.numpy_helper.from_array(v.detach().numpy().astype(kind), name) for name, v in numbers.items()]
    node = onnx.helper.make_node
    last = shape[1] != 3
    nodes = [node("Transpose", ["x"], ["first"], perm=[0, 3, 1, 2])] if last else []
    nodes += [
        node("GlobalAveragePool", ["first" if last else "x"], ["pooled"]),
        node("Flatten", ["pooled"], ["colours"]),
        node("Gemm", ["colours", "weight", "bias"], ["logits"], transB=1),
        node("Softmax" if softmax else "Identity", ["logits"], ["scores"]),
    ]
    element = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "small", [info("x", element, shape)], [info("scores", element, [shape[0], CLASSES])], stored
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


FACTORIES = """
import sys
import numpy as np
import torch
sys.path.append({tests!r})
from foreign import SmallNetwork, reference

def network(num_classes=2):
    return SmallNetwork(num_classes)

def fixed():
    return SmallNetwork()

def scorer():
    def score(images):
        assert isinstance(images, np.ndarray) and images.dtype == np.float32 and images.ndim == 4
        return reference(torch.from_numpy(images)).numpy()
    return score

def nothing():
    return None

def single():
    return lambda images: images.mean((1, 2, 3))[:, None]

def listed():
    return lambda images: [[0.25, 0.75]] * len(images)

def worded():
    return lambda images: {{"scores": images}}

def several():
    class Several(SmallNetwork):
        def forward(self, images):
            return super().forward(images), images
    return Several()

def breaks():
    raise RuntimeError("the disk is full")
"""


def importable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Makes `FACTORIES` a module of the current folder; yields its name."""
    name = "factories_of_a_test"
    (folder / f"{name}.py").write_text(FACTORIES.format(tests=str(Path(__file__).parent)))
    monkeypatch.chdir(folder)
    yield name
    sys.modules.pop(name, None)
