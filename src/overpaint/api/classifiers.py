"""Any model as a classifier."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType
from typing import Any, Protocol, runtime_checkable

from torch import nn

from overpaint.classifiers.blackbox import CallableClassifier
from overpaint.classifiers.first_layer import series_channels
from overpaint.classifiers.loading import open_classifier, wrap_function, wrap_network
from overpaint.classifiers.network import NetworkClassifier
from overpaint.classifiers.options import ClassifierOptions
from overpaint.core.choices import OutputOption
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.core.scale import SeriesScale
from overpaint.core.sizes import as_size
from overpaint.core.value_range import is_series


@runtime_checkable
class EvaluationTransform(Protocol):
    """The transform of torchvision's weights, ``weights.transforms()``: what a network's input is made by."""

    @property
    def crop_size(self) -> Sequence[int]:
        """Side of the images."""
        ...

    @property
    def mean(self) -> Sequence[float]:
        """Mean of each channel, for images in ``[0, 1]``."""
        ...

    @property
    def std(self) -> Sequence[float]:
        """Standard deviation of each channel."""
        ...


@dataclass(frozen=True)
class UnsizedClassifier:
    """A model whose images may have any size: it becomes a classifier when the size of its images is known.

    Attributes:
        model: A network of torch, or a function of arrays.
        options: What is said of it.
        scale: The units of its series.
    """

    model: nn.Module | Callable[..., Any]
    options: ClassifierOptions
    scale: SeriesScale | None = None

    @property
    def dimensions(self) -> int:
        """The spatial dimensions of its inputs: one where its first layer or ``image_size`` says so, else two."""
        if isinstance(self.options.image_size, Sequence):
            return len(self.options.image_size)
        return 1 if isinstance(self.model, nn.Module) and series_channels(self.model) is not None else 2

    def at(self, size: Sequence[int], channels: int) -> Classifier:
        """Returns the classifier of images of that size.

        Raises:
            OverpaintError: If the model does not take such images, or gives no scores for them.
        """
        own = series_channels(self.model) if isinstance(self.model, nn.Module) else None
        channels = self.options.channels or len(self.options.mean or ()) or own or channels
        options = replace(self.options, image_size=list(size), channels=channels)
        sides = [None] * len(size)
        if isinstance(self.model, nn.Module):
            return _in_units(wrap_network(self.model, options, sides=sides), self.scale)
        return _in_units(wrap_function(self.model, options, sides=sides), self.scale)


def as_classifier(
    model: Classifier | UnsizedClassifier | nn.Module | Callable[..., Any] | str | Path,
    class_names: Sequence[str] | str | None = None,
    transform: object = None,
    image_size: int | Sequence[int] | None = None,
    channels: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    output: OutputOption = "auto",
    weights: str | Path | None = None,
    output_name: str | int | None = None,
    threshold: float | None = None,
    allow_random: bool = False,
    allow_code: bool = False,
    scale: SeriesScale | None = None,
) -> Classifier | UnsizedClassifier:
    """Makes a classifier of a model.

    A network stays as it is, on its device and in its precision; while it is explained it is in eval mode.

    Args:
        model: A network of torch that takes images ``(batch, channel, height, width)``, or series ``(batch, channel,
            length)``, and returns scores ``(batch, class)``; a function of NumPy arrays in ``[0, 1]`` that does; or a
            word or path as ``classifier=`` of the command line takes it, such as ``outputs/digits/classifier.ckpt`` or
            ``torchvision:resnet50``.
        class_names: A name for each class, or a text file with one name a line; by default the source's own, or
            ``"0"`` to ``"K-1"``.
        transform: The transform of torchvision's weights, ``weights.transforms()``: gives size, mean and std.
        image_size: The size of the images that it takes, one number for a square or ``(height, width)``, or
            ``(length,)`` of its series; by default the source's own, the transform's, or that of the images that are
            explained.
        channels: Their channels; by default the source's own, or the length of ``mean``, or the images'.
        mean: The mean of each channel, for images in ``[0, 1]``; without it and ``std`` a network gets ``[0, 1]``.
        std: The standard deviation of each channel.
        output: The kind of its output: ``logits`` of a softmax, ``probabilities`` that sum to 1, or ``sigmoid``:
            each class is a question of its own (multi-label); ``auto`` finds out, see `output_kind`.
        weights: For ``torchvision:NAME`` and ``package.module:factory``: a state-dict file, or ``DEFAULT``.
        output_name: The name or number of the scores where it returns several outputs; found by shape and type.
        threshold: A class is kept while its score is above this; by default 0.5 of a multi-label classifier, and of
            others while its score is the highest.
        allow_random: Whether it may give other outputs when an image is shown again, or beside others.
        allow_code: Whether it may be opened from a file that can run code when it is: TorchScript, torch.export.
        scale: What scaled its series, so that they are drawn in their units; by default a checkpoint's own.

    Raises:
        OverpaintError: If the model does not take images or give scores as it is said to.
    """
    if isinstance(model, Classifier | UnsizedClassifier):
        return model
    if transform is not None:
        if not isinstance(transform, EvaluationTransform):
            raise OverpaintError(
                f"transform={type(transform).__name__} is not the transform of torchvision's weights "
                "(weights.transforms()); say image_size=, mean= and std= instead"
            )
        size = list(transform.crop_size)
        image_size = (size * 2 if len(size) == 1 else size) if image_size is None else image_size
        mean, std = mean or list(transform.mean), std or list(transform.std)
    options = ClassifierOptions(
        source=str(model) if isinstance(model, str | Path) else _name_of(model),
        weights=None if weights is None else str(weights),
        class_names=class_names if isinstance(class_names, str) or class_names is None else list(class_names),
        image_size=image_size if isinstance(image_size, int) or image_size is None else list(image_size),
        channels=channels,
        mean=None if mean is None else list(mean),
        std=None if std is None else list(std),
        output=output,
        output_name=output_name,
        threshold=threshold,
        allow_random=allow_random,
        allow_code=allow_code,
    )
    if isinstance(model, str | Path):
        return _in_units(open_classifier(options), scale)
    unsized = UnsizedClassifier(model, options, scale)
    if options.image_size is None:
        return unsized
    sides = as_size(options.image_size, unsized.dimensions)
    return unsized.at(sides, 1 if is_series(sides) else 3)


def _in_units(classifier: Classifier, scale: SeriesScale | None) -> Classifier:
    """Returns a classifier that knows the units of its series.

    Raises:
        OverpaintError: If the scale has another number of channels.
    """
    if scale is not None and isinstance(classifier, NetworkClassifier | CallableClassifier):
        if len(scale.low) != classifier.channels:
            raise OverpaintError(f"scale has {len(scale.low)} channels, but the classifier takes {classifier.channels}")
        classifier.scale = scale
    return classifier


def _name_of(model: object) -> str:
    """Returns how a model is called in errors: by its class, or by its name where it is a function."""
    name = model.__name__ if isinstance(model, FunctionType) else type(model).__name__
    return f"model:{name if name.isidentifier() else 'function'}"
