"""Opens a classifier of any kind."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn

from overpaint.classifiers.archives import Archive, load_exported, load_torchscript
from overpaint.classifiers.blackbox import GREY, CallableClassifier, ScoreFunction, normalised
from overpaint.classifiers.class_names import count_class_names, name_classes
from overpaint.classifiers.first_layer import series_channels
from overpaint.classifiers.hubs import open_hugging_face, open_timm
from overpaint.classifiers.named import imported_network, torchvision_network
from overpaint.classifiers.network import NetworkClassifier, load_classifier
from overpaint.classifiers.onnx import OnnxFunction
from overpaint.classifiers.options import HUBS, ClassifierOptions, check_code, kind_of
from overpaint.classifiers.output import answered, probe_images, standardise
from overpaint.classifiers.quantised import is_quantised
from overpaint.classifiers.trial import Trial, Tried, try_classifier
from overpaint.core.errors import OverpaintError
from overpaint.core.modules import evaluation_mode, floats_like
from overpaint.core.protocols import Classifier
from overpaint.core.sizes import as_size, format_size
from overpaint.core.value_range import is_series


def open_classifier(options: ClassifierOptions) -> Classifier:
    """Opens a classifier; a network of torch is frozen and in eval mode.

    Raises:
        OverpaintError: If the source can't be found or loaded, does not say what it must, contradicts what is said of
            it, or does not answer an image with a score for each class.
    """
    kind, path = kind_of(options.source), Path(options.source)
    if kind not in (*HUBS, "factory") and not path.is_file():
        raise OverpaintError(f"there is no file classifier={path}")
    check_code(options, "classifier")
    if kind == "checkpoint":
        classifier = load_classifier(path)
        images = probe_images(classifier.channels, classifier.input_size)
        with torch.inference_mode():
            answered(classifier.answers(images))
        return classifier
    if kind == "torchvision":
        return _open_torchvision(options)
    if kind in ("timm", "hf"):
        hub = open_timm(options) if kind == "timm" else open_hugging_face(options)
        return _frozen(wrap_network(hub.network, hub.options, hub.channels, names=hub.names))
    if kind == "torchscript":
        return _frozen(wrap_network(load_torchscript(path), options))
    if kind == "exported":
        network, (_, channels, *sides) = load_exported(path)
        return _frozen(wrap_network(network, options, channels, sides))
    if kind == "onnx":
        function = OnnxFunction(path)
        return wrap_function(function, options, function.channels, function.sides)
    return _open_factory(options)


def _open_torchvision(options: ClassifierOptions) -> Classifier:
    """Opens a network of torchvision; what is not given is that of its default weights."""
    name = options.source.partition(":")[2]
    side = None if options.image_size is None else max(as_size(options.image_size, 2, "classifier.image_size"))
    network = torchvision_network(name, options.weights, side).to(memory_format=torch.channels_last)
    weights = torchvision.models.get_model_weights(name).DEFAULT
    transform = weights.transforms()
    if options.image_size is None:
        options = replace(options, image_size=transform.crop_size[0])
    if options.output == "auto":
        options = replace(options, output="logits")  # as all of its classification networks give
    if options.mean is None and options.std is None:
        options = replace(options, mean=transform.mean, std=transform.std)
    return _frozen(wrap_network(network, options, channels=3, names=weights.meta["categories"]))


def _open_factory(options: ClassifierOptions) -> Classifier:
    made = imported_network(options.source, options.weights, count_class_names(options))
    if isinstance(made, nn.Module):
        return _frozen(wrap_network(made, options))
    if options.std is not None:
        raise OverpaintError(
            f"classifier.std has no meaning: {options.source} returned a function, which takes images in [0, 1]"
        )
    return wrap_function(made, options)


def _frozen(classifier: NetworkClassifier | CallableClassifier) -> NetworkClassifier | CallableClassifier:
    """Freezes a network that was loaded here, and puts it in eval mode."""
    return classifier.eval().requires_grad_(False) if isinstance(classifier, NetworkClassifier) else classifier


def wrap_network(
    network: nn.Module,
    options: ClassifierOptions,
    channels: int | None = None,
    sides: Sequence[int | None] = (None, None),
    names: Sequence[str] | None = None,
) -> NetworkClassifier | CallableClassifier:
    """Wraps a network, which stays as it is and where it is; one without gradients becomes a black box.

    Args:
        network: The network.
        options: What is said of it; its ``source`` names it in errors.
        channels: The channels of its images, where its source says it.
        sides: Their size along each spatial dimension, where its source says it.
        names: The classes' names, where its source says them.

    Raises:
        OverpaintError: As `open_classifier`.
    """
    if channels is None and (channels := series_channels(network)) is not None:
        sides = sides if len(sides) == 1 else (None,)
    size = _input_size(options, sides)
    channels = _channels(options, channels, size)
    mean, std = _normalisation(options, channels)
    like = floats_like(network)
    prepare = _transform(mean, std, like)
    archive = network if isinstance(network, Archive) else None
    rows, quantised = (None, is_quantised(network)) if archive is None else (archive.rows, archive.quantised)
    with evaluation_mode(network), torch.random.fork_rng():
        inputs = prepare(probe_images(channels, size))
        trial = try_classifier(Tried(network, inputs, options, rows, count_class_names(options), like.dtype, quantised))
        class_names = name_classes(options, names, trial)
        told: dict[str, Any] = {"output": options.output, "form": trial.form, "threshold": options.threshold}
        if _has_gradients(network, inputs[2:3], trial, quantised):
            # Not in inference mode, in which its mean and std would be tensors that no gradient can pass.
            return NetworkClassifier(network, class_names, size, mean, std, **told)

    def scores(images: NDArray[np.float32]) -> object:
        with evaluation_mode(network), torch.inference_mode():
            return network(prepare(torch.from_numpy(images)))

    kind = "quantised" if quantised else "its output has none"
    return CallableClassifier(scores, class_names, size, channels, mean, kind=kind, **told)


def wrap_function(
    function: ScoreFunction,
    options: ClassifierOptions,
    channels: int | None = None,
    sides: Sequence[int | None] = (None, None),
) -> CallableClassifier:
    """Wraps a function of arrays, of which ``channels`` and ``sides`` are known from its source."""
    size = _input_size(options, sides)
    channels = _channels(options, channels, size)
    mean: Sequence[float] | None = options.mean
    rows, quantised, kind = None, False, "a function"
    if isinstance(function, OnnxFunction):
        rows, quantised, kind = function.rows, function.quantised, "ONNX"
        mean, std = _normalisation(options, channels)
        function = function if std is None else normalised(function, mean, std)
    known = count_class_names(options)
    ask: ScoreFunction = function
    tried = Tried(
        lambda part: ask(part.numpy()), probe_images(channels, size), options, rows, known, quantised=quantised
    )
    trial = try_classifier(tried)
    told: dict[str, Any] = {"output": options.output, "form": trial.form, "threshold": options.threshold}
    return CallableClassifier(function, name_classes(options, None, trial), size, channels, mean, kind=kind, **told)


def _transform(mean: Sequence[float], std: Sequence[float] | None, like: Tensor) -> Callable[[Tensor], Tensor]:
    """Returns what makes a network's inputs of images in ``[0, 1]``, on its device and in its precision."""

    def prepare(images: Tensor) -> Tensor:
        images = images.to(like.device)
        return (images if std is None else standardise(images, mean, std)).to(like.dtype)

    return prepare


def _has_gradients(network: nn.Module, inputs: Tensor, trial: Trial, quantised: bool) -> bool:
    """Returns whether a network's output has gradients by its input; arithmetic of integers has none."""
    if quantised:
        return False
    with torch.inference_mode(False), torch.enable_grad():
        inputs = inputs.clone().requires_grad_()
        try:
            output = trial.form.ask(network, inputs, trial.classes)
            return output.requires_grad and torch.autograd.grad(output.sum(), inputs, allow_unused=True)[0] is not None
        except RuntimeError:  # weights that were made in inference mode: the methods say so of them
            return True


def _channels(options: ClassifierOptions, own: int | None, size: tuple[int, ...]) -> int:
    """Returns the channels of the images, from the source and from what is given.

    Raises:
        OverpaintError: If the two contradict each other.
    """
    if None not in (own, options.channels) and own != options.channels:
        raise OverpaintError(f"classifier.channels={options.channels}, but classifier={options.source} takes {own}")
    return options.channels or own or len(options.mean or ()) or (1 if is_series(size) else 3)


def _input_size(options: ClassifierOptions, sides: Sequence[int | None]) -> tuple[int, ...]:
    """Returns the size of the images, from the source and from what is given; a free side is as long as the other.

    Raises:
        OverpaintError: If the two contradict each other, or neither says the size.
    """
    known = [side for side in sides if side is not None]
    if options.image_size is not None:
        dimensions = len(sides)
        if not known and isinstance(options.image_size, Sequence):
            dimensions = len(options.image_size)  # nothing but the setting says whether it takes images or series
            sides = [None] * dimensions
        size = as_size(options.image_size, dimensions, "classifier.image_size")
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
