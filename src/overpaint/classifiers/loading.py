"""Opens a classifier of any kind."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from overpaint.classifiers.archives import load_exported, load_torchscript
from overpaint.classifiers.blackbox import GREY, CallableClassifier, ScoreFunction, normalised
from overpaint.classifiers.named import imported_network, torchvision_network
from overpaint.classifiers.network import NetworkClassifier, load_classifier
from overpaint.classifiers.onnx import OnnxFunction
from overpaint.classifiers.options import ClassifierOptions, kind_of
from overpaint.classifiers.output import probe_images
from overpaint.core.errors import OverpaintError
from overpaint.core.modules import evaluation_mode, floats_like
from overpaint.core.protocols import Classifier
from overpaint.core.resize import as_size, format_size


def open_classifier(options: ClassifierOptions) -> Classifier:
    """Opens a classifier; a network of torch is frozen and in eval mode.

    Raises:
        OverpaintError: If the source can't be found or loaded, does not say what it must, contradicts what is said of
            it, or does not answer an image with a score for each class.
    """
    kind, path = kind_of(options.source), Path(options.source)
    if kind not in ("torchvision", "factory") and not path.is_file():
        raise OverpaintError(f"there is no file classifier={path}")
    if kind == "checkpoint":
        return load_classifier(path)
    if kind == "torchvision":
        return _open_torchvision(options)
    if kind == "torchscript":
        return _frozen(wrap_network(load_torchscript(path), options))
    if kind == "exported":
        network, (_, channels, *sides) = load_exported(path)
        return _frozen(wrap_network(network, options, channels, sides))
    if kind == "onnx":
        function = OnnxFunction(path)
        return wrap_function(function, options, function.channels, function.sides)
    return _open_factory(options)


def _open_torchvision(options: ClassifierOptions) -> NetworkClassifier:
    """Opens a network of torchvision; what is not given is that of its default weights."""
    name = options.source.partition(":")[2]
    network = torchvision_network(name, options.weights).to(memory_format=torch.channels_last)
    weights = torchvision.models.get_model_weights(name).DEFAULT
    transform = weights.transforms()
    if options.image_size is None:
        options = replace(options, image_size=transform.crop_size[0])
    if options.mean is None and options.std is None:
        options = replace(options, mean=transform.mean, std=transform.std)
    return _frozen(wrap_network(network, options, channels=3, names=weights.meta["categories"]))


def _open_factory(options: ClassifierOptions) -> Classifier:
    given = None if options.class_names is None else len(_read_class_names(options.class_names))
    made = imported_network(options.source, options.weights, given)
    if isinstance(made, nn.Module):
        return _frozen(wrap_network(made, options))
    if options.std is not None:
        raise OverpaintError(
            f"classifier.std has no meaning: {options.source} returned a function, which takes images in [0, 1]"
        )
    return wrap_function(made, options)


def _frozen(classifier: NetworkClassifier) -> NetworkClassifier:
    """Freezes a network that was loaded here, and puts it in eval mode."""
    return classifier.eval().requires_grad_(False)


def wrap_network(
    network: nn.Module,
    options: ClassifierOptions,
    channels: int | None = None,
    sides: Sequence[int | None] = (None, None),
    names: Sequence[str] | None = None,
) -> NetworkClassifier:
    """Wraps a network, which stays as it is and where it is.

    Args:
        network: The network.
        options: What is said of it; its ``source`` names it in errors.
        channels: The channels of its images, where its source says it.
        sides: Their size along each spatial dimension, where its source says it.
        names: The classes' names, where its source says them.

    Raises:
        OverpaintError: As `open_classifier`.
    """
    channels, size = _channels(options, channels), _input_size(options, sides)
    mean, std = _normalisation(options, channels)
    like = floats_like(network)
    with evaluation_mode(network):
        with torch.inference_mode():
            classes = _count_classes(lambda images: network(images.to(like)), options, channels, size)
        class_names = _class_names(options, names, classes)
        # Not in inference mode, in which its mean and std would be tensors that no gradient can pass.
        return NetworkClassifier(network, class_names, size, mean, std, options.output)


def wrap_function(
    function: ScoreFunction,
    options: ClassifierOptions,
    channels: int | None = None,
    sides: Sequence[int | None] = (None, None),
) -> CallableClassifier:
    """Wraps a function of arrays, of which ``channels`` and ``sides`` are known from its source."""
    channels, size = _channels(options, channels), _input_size(options, sides)
    mean: Sequence[float] | None = options.mean
    if isinstance(function, OnnxFunction):
        mean, std = _normalisation(options, channels)
        function = function if std is None else normalised(function, mean, std)
    classes = _count_classes(lambda images: np.asarray(function(images.numpy())), options, channels, size)
    return CallableClassifier(function, _class_names(options, None, classes), size, channels, mean, options.output)


def _channels(options: ClassifierOptions, own: int | None) -> int:
    """Returns the channels of the images, from the source and from what is given.

    Raises:
        OverpaintError: If the two contradict each other, or the images are neither grey nor RGB.
    """
    if None not in (own, options.channels) and own != options.channels:
        raise OverpaintError(f"classifier.channels={options.channels}, but classifier={options.source} takes {own}")
    channels = options.channels or own or len(options.mean or ()) or 3
    if channels not in (1, 3):
        raise OverpaintError(f"classifier={options.source} takes {channels} channels; images are grey (1) or RGB (3)")
    return channels


def _input_size(options: ClassifierOptions, sides: Sequence[int | None]) -> tuple[int, ...]:
    """Returns the size of the images, from the source and from what is given; a free side is as long as the other.

    Raises:
        OverpaintError: If the two contradict each other, or neither says the size.
    """
    known = [side for side in sides if side is not None]
    if options.image_size is not None:
        size = as_size(options.image_size, len(sides))
        if any(own not in (None, side) for own, side in zip(sides, size, strict=True)):
            raise OverpaintError(
                f"classifier.image_size={options.image_size}, but classifier={options.source} takes "
                f"{format_size(sides)}"
            )
        return size
    if not known:
        raise OverpaintError(
            f"classifier.image_size must be given: {options.source} does not say how large its images are"
        )
    return tuple(known[0] if side is None else side for side in sides)


def _normalisation(options: ClassifierOptions, channels: int) -> tuple[Sequence[float], Sequence[float] | None]:
    """Returns mean and standard deviation; without them a middle grey, and no normalisation."""
    if options.mean is None and options.std is None:
        return [GREY] * channels, None
    if options.mean is None or options.std is None:
        missing, given = ("mean", "std") if options.mean is None else ("std", "mean")
        raise OverpaintError(f"classifier.{given} is given without classifier.{missing}; images need both or neither")
    if len(options.mean) != channels:
        raise OverpaintError(f"classifier.mean={options.mean} must have one entry for each of the {channels} channels")
    return options.mean, options.std


def _count_classes(
    ask: Callable[[Tensor], object], options: ClassifierOptions, channels: int, size: tuple[int, ...]
) -> int:
    """Tries a classifier with one image, and counts the scores of its answer.

    Raises:
        OverpaintError: If it can't take the image, or does not answer with a row of at least two scores.
    """
    try:
        answer = ask(probe_images(channels, size)[:1])
    except Exception as error:  # someone else's code
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise OverpaintError(
            f"classifier={options.source} can't take images of {format_size(size)} pixels with {channels} channels: "
            f"{reason}"
        ) from error
    shape = answer.shape if isinstance(answer, Tensor | np.ndarray) else None
    if shape is None or len(shape) != 2 or shape[0] != 1 or shape[1] < 2:
        said = f"with a {type(answer).__name__}" if shape is None else f"with shape {tuple(shape)}"
        raise OverpaintError(
            f"classifier={options.source} answered one image {said}; it must give (1, classes), two classes or more"
        )
    return int(shape[1])


def _class_names(options: ClassifierOptions, own: Sequence[str] | None, classes: int) -> list[str]:
    """Returns a name for each class: given, the source's own, or numbers; of a name that comes twice, with its number.

    Raises:
        OverpaintError: If other than ``classes`` names are given.
    """
    if options.class_names is None:
        names = list(own) if own is not None and len(own) == classes else [str(index) for index in range(classes)]
    else:
        names = _read_class_names(options.class_names)
    if len(names) != classes:
        raise OverpaintError(
            f"classifier.class_names has {len(names)} names, but classifier={options.source} gives {classes} scores"
        )
    return [f"{name} ({index})" if names.count(name) > 1 else name for index, name in enumerate(names)]


def _read_class_names(given: str | Sequence[str | int]) -> list[str]:
    """Returns the class names that are given as a list or as a text file of one name a line.

    Raises:
        OverpaintError: If the file is absent or no text, or a name is missing.
    """
    lines: Sequence[str | int] = given
    if isinstance(given, str):
        try:
            lines = Path(given).read_text(encoding="utf-8-sig").rstrip().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise OverpaintError(f"classifier.class_names={given} can't be read as a text file: {error}") from error
    names = [str(line).strip() for line in lines]
    if not all(names):
        raise OverpaintError(f"classifier.class_names has no name for class {names.index('')}")
    return names
