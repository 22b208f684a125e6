"""The classifier network for series."""

import torch.nn.functional as F
from torch import Tensor, nn

KERNELS = (7, 5, 3)
"""Of the three convolutions of a block."""


class SeriesResidualBlock(nn.Module):
    """Three convolutions around a shortcut, which keep the length."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for depth, kernel in enumerate(KERNELS):
            inputs = out_channels if depth else in_channels
            layers += [nn.Conv1d(inputs, out_channels, kernel, padding=kernel // 2, bias=False)]
            layers += [nn.BatchNorm1d(out_channels), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers[:-1])
        self.shortcut = nn.Sequential(nn.Conv1d(in_channels, out_channels, 1, bias=False), nn.BatchNorm1d(out_channels))
        if in_channels == out_channels:
            self.shortcut = nn.Sequential(nn.BatchNorm1d(out_channels))

    def forward(self, features: Tensor) -> Tensor:
        """Returns ``relu(layers(x) + shortcut(x))``."""
        return F.relu(self.layers(features) + self.shortcut(features))


class SeriesResidualNetwork(nn.Module):
    """The residual network of Wang, Yan & Oates (2017, "Time series classification from scratch"), made smaller.

    Three blocks, the mean over the steps, a linear layer. No layer strides or pools, so that a class activation map has
    the length of the series. Deviations: a quarter of the channels, and kernels of 7 instead of 8 steps, which have a
    middle, so that the map lies on its steps.

    Args:
        channels: Channels of the series.
        num_classes: Number of classes.
        width: Channels of the first block; the other two have twice as many.
    """

    def __init__(self, channels: int, num_classes: int, width: int = 16) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            SeriesResidualBlock(channels, width),
            SeriesResidualBlock(width, 2 * width),
            SeriesResidualBlock(2 * width, 2 * width),
        )
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, series: Tensor) -> Tensor:
        """Returns the logits of normalised series."""
        features: Tensor = self.blocks(series)
        logits: Tensor = self.head(features.mean(2))
        return logits
