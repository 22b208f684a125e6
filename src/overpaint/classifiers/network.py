"""A classifier that is a network of torch, with the input transform that belongs to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overpaint.errors import OverpaintError
from overpaint.networks.checkpoint import load_part, read_checkpoint
from overpaint.networks.residual import build_classifier_network
from overpaint.types import Images, Scores


class NetworkClassifier(nn.Module):
    """A network behind its own input transform.

    ``logits = network((resize(images) - mean) / std)``, ``scores = softmax(logits)``.

    Args:
        network: Takes normalised images, returns logits.
        class_names: The name of each class, in the order of the logits.
        image_size: Side of the images that the network was made for; others are resized to it.
        mean: The mean of each channel, for images in ``[0, 1]``; its length is the number of channels.
        std: The standard deviation of each channel.

    Raises:
        OverpaintError: If the transform is impossible.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        class_names: Sequence[str],
        image_size: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        if len(mean) != len(std) or min(std) <= 0:
            raise OverpaintError(f"mean={list(mean)} and std={list(std)} must have one entry a channel, std above 0")
        self.network: nn.Module = network
        self.class_names = list(class_names)
        self.image_size = image_size
        self.channels = len(mean)
        shape = (1, self.channels, 1, 1)
        self.register_buffer("mean", torch.tensor(list(mean)).reshape(shape))
        self.register_buffer("std", torch.tensor(list(std)).reshape(shape))

    def logits(self, images: Images) -> Scores:
        """Returns the class scores before the softmax, differentiable with respect to ``images``.

        Raises:
            OverpaintError: If the images have another number of channels, or the network's answer is not one score
                for each class and image.
        """
        if images.shape[1] != self.channels:
            raise OverpaintError(
                f"the classifier takes {self.channels} channels, but the images have {images.shape[1]}"
            )
        if images.shape[-2:] != (self.image_size, self.image_size):
            images = F.interpolate(images, (self.image_size, self.image_size), mode="bilinear", antialias=True)
        inputs = ((images - self.mean) / self.std).to(self.mean.dtype)  # that of a network in bf16, too
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.network(inputs)
        expected = (len(images), len(self.class_names))
        if tuple(logits.shape) != expected:
            raise OverpaintError(f"the classifier answered with shape {tuple(logits.shape)} instead of {expected}")
        return logits

    @torch.inference_mode()
    def scores(self, images: Images) -> Scores:
        """Returns class probabilities, without gradients.

        Raises:
            OverpaintError: As `logits`, or if a score is not finite.
        """
        scores = self.logits(images).float().softmax(1)
        if not bool(scores.isfinite().all()):
            raise OverpaintError("the classifier gave a score that is not a finite number")
        return scores


def classifier_from_settings(settings: dict[str, Any]) -> NetworkClassifier:
    """Builds an untrained classifier from the plain values that a checkpoint keeps.

    Args:
        settings: ``architecture``, ``class_names``, ``image_size``, ``mean`` and ``std``.
    """
    network = build_classifier_network(settings["architecture"], len(settings["mean"]), len(settings["class_names"]))
    transform = {name: settings[name] for name in ("class_names", "image_size", "mean", "std")}
    return NetworkClassifier(network, **transform).to(memory_format=torch.channels_last)


def load_classifier(path: Path) -> NetworkClassifier:
    """Loads a classifier that ``train.py`` made, frozen, in eval mode.

    Raises:
        OverpaintError: If the file is absent or no such checkpoint.
    """
    settings, tensors = read_checkpoint(path, "classifier")
    classifier = classifier_from_settings(settings)
    load_part(classifier, tensors, "classifier")
    return classifier
