"""Networks by their name: torchvision's, and what any importable factory makes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from overpaint.classifiers.torchvision_names import check_name
from overpaint.core.errors import OverpaintError
from overpaint.core.importing import current_folder, import_attribute
from overpaint.networks.factories import call_factory, parameters_of, saved_arguments
from overpaint.networks.residual import build_classifier_network
from overpaint.networks.weights import WeightsFile, count_classes, read_weights


def torchvision_network(name: str, weights: str | None, image_size: int | None = None) -> nn.Module:
    """Makes a classification network of torchvision with its weights.

    Args:
        name: Its name there, such as ``resnet50``.
        weights: A state-dict file, from which the number of classes is derived; or ``DEFAULT`` for torchvision's best
            weights, from its cache or downloaded.
        image_size: The side of its images, for networks that are made for one size; None: torchvision's own.

    Raises:
        OverpaintError: If there is no such network, or its weights can't be loaded.
    """
    check_name(name, torchvision.models.list_models(module=torchvision.models))
    if weights is None:
        raise OverpaintError(f"classifier=torchvision:{name} needs classifier.weights: a state-dict file, or DEFAULT")
    default = torchvision.models.get_model_weights(name).DEFAULT
    if weights == "DEFAULT":
        try:
            ready: nn.Module = torchvision.models.get_model(name, weights=default)
        except (OSError, RuntimeError) as error:  # no network or no space; a damaged file
            raise OverpaintError(
                f"the weights of torchvision:{name} can't be downloaded ({error}); download {default.url} "
                "elsewhere and set classifier.weights to the file"
            ) from error
        return ready.eval().requires_grad_(False)
    file = read_weights(Path(weights), "classifier.weights")
    with torch.device("meta"):  # shapes alone, without memory
        probe = build_classifier_network(name, 3, 2, image_size)
        classes = count_classes(probe, file.matched(probe.state_dict()))
    network: Any = build_classifier_network(name, 3, classes, image_size)
    if name in ("googlenet", "inception_v3"):
        # Their ImageNet weights come from TensorFlow and take another range, to which these networks can turn.
        network.transform_input = classes == len(default.meta["categories"])
    file.load(network)
    trained: nn.Module = network
    return trained


def imported_network(source: str, weights: str | None, classes: int | None) -> nn.Module | Callable[..., Any]:
    """Calls the factory that ``package.module:factory`` names; the current folder can be imported from.

    The factory is called with the hyperparameters that Lightning saved in the weights file, those that it takes; and
    with ``num_classes`` if it takes that and the number is known, from the state dict (for which it is called once
    more) or the class names.

    Args:
        source: The module and the factory: a function or class.
        weights: A state-dict file for the network; None if the factory returns it trained.
        classes: The number of class names, if there are any.

    Returns:
        A network with its weights, or a function of arrays.

    Raises:
        OverpaintError: If the factory can't be imported or called or returns neither, or the weights are not its.
    """
    factory = import_attribute(source, "classifier")
    with current_folder():  # it may import more when it is called
        file = None if weights is None else read_weights(Path(weights), "classifier.weights")
        made = _called(source, factory, _arguments(source, factory, file, classes))
    if not isinstance(made, nn.Module):
        if weights is not None:
            raise OverpaintError(
                f"classifier.weights has no meaning: {source} returned a function, no network of torch"
            )
        function: Callable[..., Any] = made
        return function
    if file is not None:
        file.load(made)
    return made.eval().requires_grad_(False)


def _arguments(source: str, factory: Any, file: WeightsFile | None, classes: int | None) -> dict[str, Any]:
    """Returns the arguments of a factory: those that Lightning saved, and the number of classes."""
    saved = saved_arguments(factory, file)
    if "num_classes" not in parameters_of(factory) or "num_classes" in saved:
        return saved
    if file is not None:
        probe = _called(source, factory, saved | {"num_classes": 2})
        if isinstance(probe, nn.Module):
            classes = count_classes(probe, file.matched(probe.state_dict()))
    return saved if classes is None else saved | {"num_classes": classes}


def _called(source: str, factory: Any, arguments: Mapping[str, Any]) -> Any:
    made = call_factory(source, "classifier", factory, arguments)
    if not callable(made):
        raise OverpaintError(
            f"classifier={source} returned a {type(made).__name__}; it must return a network of torch or a function "
            "from an array (batch, channel, height, width), or (batch, channel, length), to scores"
        )
    return made
