"""Classifier networks: a small residual network, or any architecture of torchvision by its name."""

from typing import Any, cast

import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from overpaint.core.errors import OverpaintError
from overpaint.networks.residual_series import SeriesResidualNetwork


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., 2016, figure 2)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, features: Tensor) -> Tensor:
        """Returns ``relu(conv(relu(conv(x))) + shortcut(x))``."""
        hidden = F.relu(self.norm1(self.conv1(features)))
        return F.relu(self.norm2(self.conv2(hidden)) + self.shortcut(features))


class ResidualNetwork(nn.Module):
    """A residual network for images of up to 64 pixels: 7 convolutions on its longest path.

    The last spatial layer keeps a quarter of the image's resolution, so that a class activation map of a 32-pixel
    image still has 8x8 cells.

    Args:
        channels: Channels of the images.
        num_classes: Number of classes.
        width: Channels of the first stage; the later ones have two and four times as many.
    """

    def __init__(self, channels: int, num_classes: int, width: int = 32) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.stages = nn.Sequential(
            ResidualBlock(width, width, 1),
            ResidualBlock(width, 2 * width, 2),
            ResidualBlock(2 * width, 4 * width, 1),
        )
        self.head = nn.Linear(4 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits of normalised images."""
        features: Tensor = self.stages(self.stem(images))
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


class RepeatGrey(nn.Module):
    """Shows a grey image to a network that was made for three channels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Returns the network's logits of the image repeated in three channels."""
        logits: Tensor = self.network(images.expand(-1, 3, -1, -1))
        return logits


def size_option(architecture: str, image_size: int | None) -> dict[str, Any]:
    """Returns the argument by which torchvision makes an architecture for a size of image; none where it has none."""
    if image_size is None:
        return {}
    if architecture.startswith("vit_"):
        return {"image_size": image_size}
    return {"input_size": (image_size, image_size)} if architecture.startswith("maxvit") else {}


def build_classifier_network(
    architecture: str, channels: int, num_classes: int, image_size: int | None = None, dimensions: int = 2
) -> nn.Module:
    """Makes an untrained classifier network.

    Args:
        architecture: ``residual`` for the small network of this module, or for series of `SeriesResidualNetwork`; or
            the name of a torchvision classification model such as ``resnet18``.
        channels: Of the images or series; torchvision's networks, made for 3, see grey three times, and others by a
            first convolution of that many channels.
        num_classes: Number of classes.
        image_size: The side of the images, for architectures that are made for one size, as vision transformers are;
            None: torchvision's own. Others take any size.
        dimensions: Spatial dimensions of what it classifies: 1 for series, which ``residual`` alone takes.

    Raises:
        OverpaintError: If there is no such architecture, or it can't be made for that size.
    """
    if dimensions == 1:
        if architecture != "residual":
            raise OverpaintError(f"architecture={architecture!r} is not 'residual', which alone is made for series")
        return SeriesResidualNetwork(channels, num_classes)
    if architecture == "residual":
        return ResidualNetwork(channels, num_classes)
    known = torchvision.models.list_models(module=torchvision.models)
    if architecture not in known:
        raise OverpaintError(
            f"architecture={architecture!r} is neither 'residual' nor a classification model of torchvision; "
            f"it has {', '.join(known[:3])} ... {', '.join(known[-2:])} ({len(known)} in all)"
        )
    # GoogLeNet and Inception return auxiliary outputs beside the logits unless they are switched off.
    options: dict[str, Any] = (
        {"aux_logits": False, "init_weights": True} if architecture in ("googlenet", "inception_v3") else {}
    )
    options |= size_option(architecture, image_size)
    try:
        network: nn.Module = torchvision.models.get_model(
            architecture, weights=None, num_classes=num_classes, **options
        )
    except (ValueError, RuntimeError, AssertionError) as error:  # a side that its patches do not divide
        raise OverpaintError(
            f"torchvision's {architecture} can't be made for image_size={image_size}: {error}"
        ) from error
    if channels not in (1, 3):
        _take_channels(network, channels)
    return RepeatGrey(network) if channels == 1 else network


def _take_channels(network: nn.Module, channels: int) -> None:
    """Replaces a network's first convolution by one of another number of input channels."""
    name, first = next((name, m) for name, m in network.named_modules() if isinstance(m, nn.Conv2d))
    replaced = nn.Conv2d(
        channels,
        first.out_channels,
        cast(tuple[int, int], first.kernel_size),
        cast(tuple[int, int], first.stride),
        first.padding if isinstance(first.padding, str) else cast(tuple[int, int], first.padding),
        bias=first.bias is not None,
    )
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, replaced)
