"""Classifiers whose right explanation is known, charts and pictures read back, and a reader of what W&B records."""

import functools
import io
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from wandb.proto import wandb_internal_pb2

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.decision import Decision
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.networks.residual import ResidualNetwork
from overpaint.report.plots import style

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # the workers share the cores


class FunctionClassifier:
    """A black box of two classes whose score for class 1 is a given function of the images."""

    def __init__(self, score: Callable[[Tensor], Tensor], channels: int = 1, dimensions: int = 2) -> None:
        self.score = score
        self.class_names: Sequence[str] = ["other", "wanted"]
        self.channels, self.input_size = channels, (32,) * dimensions
        self.mean = torch.zeros(1, channels, *[1] * dimensions)
        self.network: nn.Module | None = None
        self.decision, self.scale = Decision(), None
        self.rows: list[int] = []

    def scores(self, images: Tensor) -> Tensor:
        self.rows.append(len(images))
        wanted = self.score(images).clamp(0, 1)
        return torch.stack([1 - wanted, wanted], dim=1)

    def logits(self, images: Tensor) -> Tensor:
        return self.scores(images).clamp(1e-6).log()


class FunctionMethod(SaliencyMethod):
    """A saliency method that is a plain function."""

    def __init__(self, maps: Callable[[Classifier, Tensor, Tensor], SaliencyMaps]) -> None:
        self.maps = maps

    def __call__(self, classifier: Classifier, images: Tensor, targets: Tensor) -> SaliencyMaps:
        return self.maps(classifier, images, targets)


PATCH = (slice(8, 16), slice(16, 24))
"""Where the evidence of `planted` lies in an image of 32x32; in a series of 32 steps where its columns are."""


def planted(kept_share: Callable[[Tensor], Tensor], dimensions: int = 2) -> FunctionClassifier:
    """Class 1 is decided by how much of the `PATCH` of a white image or series is kept."""
    place = (slice(None), 0, *PATCH[-dimensions:])
    return FunctionClassifier(lambda inputs: kept_share(inputs[place].flatten(1).mean(1)), dimensions=dimensions)


REPEATS = {1: 100, 2: 20}
"""Seeds from which the spread of maps is told to a tenth: those of series have fewer independent places."""


def points_to_patch(saliency_map: Tensor) -> bool:
    """Tells whether the most salient place lies in the `PATCH`."""
    place = np.unravel_index(int(saliency_map.argmax()), saliency_map.shape)
    return all(side.start <= p < side.stop for p, side in zip(place, PATCH[-saliency_map.ndim :], strict=True))


def weighing(weights: Tensor, offset: float = 0.0) -> FunctionClassifier:
    """The score of class 1 is linear in an image or series: ``offset + Σ w(λ) x(λ)``."""
    return FunctionClassifier(
        lambda inputs: offset + (inputs[:, 0] * weights).flatten(1).sum(1), dimensions=weights.ndim
    )


def blind(dimensions: int) -> FunctionClassifier:
    """Its score is .7 whatever it sees."""
    return FunctionClassifier(lambda inputs: torch.full((len(inputs),), 0.7), dimensions=dimensions)


def two_patches(dimensions: int) -> Tensor:
    """Weights of a patch that raises the score by .4 and of one, half as long, that lowers it by .2."""
    weights = torch.zeros([32] * dimensions)
    weights[PATCH[-dimensions:]] = 0.4 / 8**dimensions
    weights[(slice(20, 24), slice(4, 8))[-dimensions:]] = -0.2 / 4**dimensions
    return weights


SATURATED: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda share: share,
    "sure with a third of the object": lambda share: (share / 0.35).clamp(0, 1).pow(0.05),
    "sure only with 80 % of it": lambda share: torch.sigmoid(40 * (share - 0.8)),
}
"""Scores by the share of the patch that is kept, for `planted`."""


class PooledNetwork(nn.Module):
    """Convolution, in-place ReLU, global average pooling, linear: its class activation map is known."""

    def __init__(self, dimensions: int = 2) -> None:
        super().__init__()
        convolution = {1: nn.Conv1d, 2: nn.Conv2d}[dimensions]
        self.features = nn.Sequential(convolution(1, 4, 3, 2, 1), nn.ReLU(inplace=True))
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images).flatten(2).mean(2))


def frozen_classifier(
    network: nn.Module, size: int | Sequence[int] = 16, channels: int = 1, classes: int = 3
) -> NetworkClassifier:
    """A classifier around a network, frozen, in eval mode."""
    names = [str(i) for i in range(classes)]
    classifier = NetworkClassifier(network, names, size, [0.5] * channels, [0.25] * channels)
    return classifier.eval().requires_grad_(False)


SIZES = {"resnet18": 64, "vgg11": 64, "mobilenet_v3_small": 64, "squeezenet1_1": 64, "swin_t": 64, "vit_b_16": 224}
"""torchvision's networks on which oracles are asked, and the side of the images they are shown."""


@functools.cache
def torchvision_classifier(name: str) -> NetworkClassifier:
    """One of torchvision's networks with random weights, five classes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torchvision.models.get_model(name, weights=None, num_classes=5)
        if name == "vit_b_16":  # a head of zeros passes no gradient
            nn.init.normal_(network.heads.head.weight)
    return frozen_classifier(network, SIZES[name], 3, 5)


def noise_images(count: int, size: int, channels: int = 1, seed: int = 0, dimensions: int = 2) -> Tensor:
    """Images, or series, of noise in [0, 1]."""
    return torch.rand(count, channels, *[size] * dimensions, generator=torch.Generator().manual_seed(seed))


LINEAR = {1: "linear", 2: "bilinear"}
"""Interpolation of series and of images."""


def assert_same(found: Tensor, expected: Tensor, share: float = 1e-4) -> None:
    """Checks that maps agree to a share of their range, whatever that is; maps of 0 agree with nothing."""
    assert found.shape == expected.shape
    assert bool(expected.any())
    assert float((found - expected).abs().max()) <= share * float(expected.abs().max())


class LogitModule(nn.Module):
    """A classifier as the module that captum wants."""

    def __init__(self, classifier: NetworkClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier.logits(images)


@pytest.fixture(scope="session")
def network() -> NetworkClassifier:
    """A small residual network with random weights: four classes of colour images of 32 pixels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ResidualNetwork(3, 4, 8)
    classifier = NetworkClassifier(net, list("abcd"), 32, [0.4, 0.5, 0.6], [0.2] * 3)
    return classifier.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@pytest.fixture
def white_images() -> Tensor:
    return torch.ones(1, 1, 32, 32)


@pytest.fixture(params=[1, 2], ids=["series", "images"])
def dimensions(request: pytest.FixtureRequest) -> int:
    """The dimensions of the inputs: a test that takes this runs for series and for images."""
    return int(request.param)


@pytest.fixture
def white(dimensions: int) -> Tensor:
    """A series or an image of ones; under ``baseline=linear`` its holes would not be seen."""
    return torch.ones(1, 1, *[32] * dimensions)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The charts that are encoded in the test."""
    figures: list[Figure] = []

    def keep(figure: Figure) -> FigureCanvasAgg:
        figures.append(figure)
        return FigureCanvasAgg(figure)

    monkeypatch.setattr(style, "FigureCanvasAgg", keep)
    return figures


def pixels_of(content: bytes) -> NDArray[np.uint8]:
    """Returns the pixels of a PNG file's content, which must not be empty."""
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.std() > 1
    return pixels


def wandb_records(file: Path) -> list[Any]:
    """Reads the log of a finished W&B run, whose service may still be writing it: waits for its last record."""
    deadline = time.monotonic() + 120
    while True:
        records = list(_records(file))
        if any(record.WhichOneof("record_type") == "exit" for record in records):
            return records
        assert time.monotonic() < deadline, f"{file} has no end"
        time.sleep(0.1)


def _records(file: Path) -> Iterator[Any]:
    """Reads a W&B transaction log: LevelDB's log format (blocks of 32 KiB, records of up to four kinds of part)."""
    content, position, parts = file.read_bytes(), 7, b""
    while position + 7 <= len(content):
        left = 32768 - position % 32768
        if left < 7:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", content[position : position + 7])
        if kind == 0:
            position += left
            continue
        if position + 7 + length > len(content):
            return  # not written to the end
        parts += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record
