"""Classifiers whose right explanation is known."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn


class FunctionClassifier:
    """A black box of two classes whose score for class 1 is a given function of the images."""

    def __init__(self, score: Callable[[Tensor], Tensor], channels: int = 1, dimensions: int = 2) -> None:
        self.score = score
        self.class_names: Sequence[str] = ["other", "wanted"]
        self.channels = channels
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


@pytest.fixture
def white_images() -> Tensor:
    return torch.ones(1, 1, 32, 32)
