"""Classifiers whose right explanation is known, and a reader of what W&B records."""

import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from wandb.proto import wandb_internal_pb2


class FunctionClassifier:
    """A black box of two classes whose score for class 1 is a given function of the images."""

    def __init__(self, score: Callable[[Tensor], Tensor], channels: int = 1, dimensions: int = 2) -> None:
        self.score = score
        self.class_names: Sequence[str] = ["other", "wanted"]
        self.channels, self.image_size = channels, 32
        self.mean = torch.zeros(1, channels, *[1] * dimensions)
        self.network: nn.Module | None = None
        self.rows: list[int] = []

    def scores(self, images: Tensor) -> Tensor:
        self.rows.append(len(images))
        wanted = self.score(images).clamp(0, 1)
        return torch.stack([1 - wanted, wanted], dim=1)

    def logits(self, images: Tensor) -> Tensor:
        return self.scores(images).clamp(1e-6).log()


def planted(kept_share: Callable[[Tensor], Tensor]) -> FunctionClassifier:
    """Class 1 is decided by how much of the patch at rows 8-15, columns 16-23 of a white 32x32 image is kept."""
    return FunctionClassifier(lambda images: kept_share(images[:, 0, 8:16, 16:24].mean((1, 2))))


SATURATED: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda share: share,
    "sure with a third of the object": lambda share: (share / 0.35).clamp(0, 1).pow(0.05),
    "sure only with 80 % of it": lambda share: torch.sigmoid(40 * (share - 0.8)),
}
"""Scores by the share of the patch that is kept, for `planted`."""


@pytest.fixture
def white_images() -> Tensor:
    return torch.ones(1, 1, 32, 32)


def wandb_records(file: Path) -> Iterator[Any]:
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
        parts += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record
