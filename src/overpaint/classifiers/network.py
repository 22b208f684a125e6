"""A classifier that is a network of torch, with the input transform that belongs to it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from overpaint.classifiers.answers import AnswerForm
from overpaint.classifiers.output import (
    Output,
    as_logits,
    as_scores,
    decision_of,
    output_kind,
    resize_to_input,
    standardise,
)
from overpaint.core.bounds import FILLED, ImageSize, Positive
from overpaint.core.choices import OutputOption
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_types
from overpaint.core.memory import FLOAT, check_memory
from overpaint.core.modules import floats_like
from overpaint.core.scale import SeriesScale, scale_from_settings
from overpaint.core.sizes import as_size
from overpaint.core.types import Images, Scores
from overpaint.networks.checkpoint import load_part, read_checkpoint, settings_of_checkpoint
from overpaint.networks.residual import build_classifier_network


class NetworkClassifier(nn.Module):
    """A network behind its own input transform.

    ``answers = network((resize(images) - mean) / std)``; ``scores`` are their softmax or sigmoid, or the answers
    themselves if those are probabilities.

    Args:
        network: Takes normalised images, returns logits or probabilities as ``form`` says; in eval mode.
        class_names: The name of each class, in the order of the answers.
        input_size: Size of the images that the network was made for, ``(height, width)`` or a square's side, or of its
            series, ``(length,)``; others are resized to it.
        mean: The mean of each channel, for images in ``[0, 1]``; its length is the number of channels.
        std: The standard deviation of each channel; None if the network takes images in ``[0, 1]`` as they are, so
            that ``mean`` is nothing but the colour shown where an image is masked.
        output: The kind of its output; ``auto`` asks it about six images.
        form: How it is called, and where the scores are in what it returns.
        threshold: See `Decision`; None: 0.5 where each class is a question of its own.
        scale: The units of its series, for drawing.

    Raises:
        OverpaintError: If the transform is impossible, or ``output`` is not what the network answers with.
    """

    mean: Tensor
    std: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        class_names: Sequence[str],
        input_size: int | Sequence[int],
        mean: Sequence[float],
        std: Sequence[float] | None,
        output: OutputOption | Output = "logits",
        form: AnswerForm = AnswerForm(),  # noqa: B008 - it can't change
        threshold: float | None = None,
        scale: SeriesScale | None = None,
    ) -> None:
        super().__init__()
        if std is not None and (len(mean) != len(std) or min(std) <= 0):
            raise OverpaintError(f"mean={list(mean)} and std={list(std)} must have one entry a channel, std above 0")
        self.network: nn.Module = network
        self.class_names = list(class_names)
        self.input_size = as_size(input_size, None, "input_size")
        self.channels = len(mean)
        shape = (1, self.channels, *[1] * len(self.input_size))
        like = floats_like(network)  # on its device and in its precision, as if the whole classifier were moved there
        self.register_buffer("mean", torch.tensor(list(mean)).reshape(shape).to(like))
        self.register_buffer("std", None if std is None else torch.tensor(list(std)).reshape(shape).to(like))
        self._exact = (list(mean), list(std or ()))
        self.form, self.scale = form, scale
        self.output: Output = output_kind(output, self._probed, self.channels, self.input_size)
        self.decision = decision_of(self.output, threshold)

    def _probed(self, images: Images) -> Scores:
        return self.answers(images.to(self.mean.device))

    def answers(self, images: Images) -> Float[Tensor, "batch column"]:
        """Returns the network's output for images in ``[0, 1]``, logits or probabilities, with gradients.

        Raises:
            OverpaintError: If the images have another number of channels or dimensions, or the network's answer is not
                one number for each class and image.
        """
        inputs = resize_to_input(images, self.channels, self.input_size)
        if self.std is not None:
            # In half precision mean and std are rounded; images are normalised before that.
            rounded = self.mean.dtype.itemsize < torch.float32.itemsize
            inputs = standardise(inputs, *self._exact) if rounded else (inputs - self.mean) / self.std
        inputs = inputs.to(self.mean.dtype)  # that of a network in bf16, too
        # Not channels_last: a network that is made for it turns them itself, and one that is not may fail on them.
        return self.form.ask(self.network, inputs.contiguous(), len(self.class_names))

    def logits(self, images: Images) -> Scores:
        """Returns the class scores before the softmax or sigmoid, differentiable with respect to ``images``.

        Where the network answers with probabilities these follow from them, see `as_logits`.

        Raises:
            OverpaintError: As `answers`.
        """
        return as_logits(self.answers(images), self.output)

    @torch.inference_mode()
    def scores(self, images: Images) -> Scores:
        """Returns class probabilities, without gradients.

        Raises:
            OverpaintError: As `answers`, or if a score is not finite or a row of probabilities has another sum than 1.
        """
        return as_scores(self.answers(images), self.output)

    def compiled(self) -> "NetworkClassifier":
        """Returns this classifier with its network translated by ``torch.compile``, on the same device."""
        std = None if self.std is None else self.std.flatten().tolist()
        network: nn.Module = torch.compile(self.network)  # type: ignore[assignment]
        mean = self.mean.flatten().tolist()
        own: dict[str, Any] = {"form": self.form, "threshold": self.decision.threshold, "scale": self.scale}
        twin = NetworkClassifier(network, self.class_names, self.input_size, mean, std, self.output, **own)
        return twin.to(self.mean.device, self.mean.dtype)


SETTINGS: dict[str, Any] = {
    "architecture": str,
    "class_names": Annotated[Sequence[str], FILLED],
    "image_size": ImageSize,
    "mean": Annotated[Sequence[float], FILLED],
    "std": Annotated[Sequence[Positive], FILLED],
    "scale": Mapping[str, Sequence[float]] | None,
}
"""What a checkpoint says of its classifier."""


def classifier_from_settings(settings: dict[str, Any]) -> NetworkClassifier:
    """Builds an untrained classifier from the plain values that a checkpoint keeps.

    Args:
        settings: ``architecture``, ``class_names``, ``image_size`` (a square's side or a list), ``mean``, ``std``;
            of series their ``scale``.
    """
    size = as_size(settings["image_size"], None)
    network = build_classifier_network(
        settings["architecture"], len(settings["mean"]), len(settings["class_names"]), dimensions=len(size)
    )
    transform = {name: settings[name] for name in ("class_names", "mean", "std")}
    scale = scale_from_settings(settings.get("scale"))
    classifier = NetworkClassifier(network, input_size=size, scale=scale, **transform)
    return classifier.to(memory_format=torch.channels_last)


def load_classifier(path: Path) -> NetworkClassifier:
    """Loads a classifier that ``train.py`` made, frozen, in eval mode.

    Raises:
        OverpaintError: If the file is absent or no such checkpoint.
    """
    settings, tensors = read_checkpoint(path, "classifier")
    with settings_of_checkpoint(path, "classifier"):
        checked_types(settings, SETTINGS, "settings.")
        image = len(settings["mean"]) * math.prod(as_size(settings["image_size"], None))
        check_memory(f"an image of image_size={settings['image_size']}", FLOAT * image)
        classifier = classifier_from_settings(settings)
    load_part(classifier, tensors, "classifier", path)
    return classifier
