"""Networks of timm and of Hugging Face's transformers, with the transform, class names and size that belong to them.

Both are extras. A folder is read without a network connection, and no code that comes with a model is run.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from overpaint.classifiers.options import ClassifierOptions
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.sizes import as_size, format_size
from overpaint.networks.weights import count_classes, read_weights


@dataclass(frozen=True)
class HubNetwork:
    """A network and what its hub says of it.

    Attributes:
        network: The network, frozen, in eval mode.
        options: What is said of it, with what was not said by the user taken from the hub.
        channels: Channels of its images.
        names: The names of its classes; None where the hub has none.
    """

    network: nn.Module
    options: ClassifierOptions
    channels: int
    names: Sequence[str] | None


def open_timm(options: ClassifierOptions) -> HubNetwork:
    """Makes a network of timm.

    Args:
        options: ``source`` is ``timm:NAME``, or ``timm:FOLDER`` with a ``config.json`` and the weights that
            ``timm.models.save_for_hf`` writes. ``weights`` of a name is a state-dict file, or ``DEFAULT`` for timm's
            own, from its cache or downloaded.

    Raises:
        OverpaintError: If timm is not installed, knows no such network, or can't load its weights.
    """
    name = options.source.partition(":")[2]
    with _extra("timm", options.source):
        import timm

        hub: Any = timm.data  # it exports these without saying so
    folder = Path(name).is_dir()
    if not folder and options.weights is None:
        raise OverpaintError(f"classifier={options.source} needs classifier.weights: a state-dict file, or DEFAULT")
    told: dict[str, Any] = {}
    if options.image_size is not None and _fixed_size(timm, name, folder):
        told["img_size"] = tuple(as_size(options.image_size, 2, "classifier.image_size"))
    own_file = None if folder or options.weights == "DEFAULT" else str(options.weights)
    file = None if own_file is None else read_weights(Path(own_file), "classifier.weights")
    word = f"local-dir:{name}" if folder else name
    with _loading(options.source):
        if file is not None:
            probe = timm.create_model(word, **told, num_classes=2)
            told["num_classes"] = count_classes(probe, file.matched(probe.state_dict()))
        network: Any = timm.create_model(word, pretrained=own_file is None, **told)
    if file is not None:
        file.load(network)
    data, about = hub.resolve_model_data_config(network), network.pretrained_cfg
    channels, *size = data["input_size"]
    tested = (about.get("test_input_size") or (channels, *size))[1:]
    if options.image_size is None and tuple(size) != tuple(tested):
        _note(
            options.source,
            f"was trained at {format_size(tuple(size))} and is tested by timm at {format_size(tuple(tested))} pixels; "
            "the first is used, classifier.image_size= takes another",
        )
    options = _completed(options, size, data["mean"], data["std"])
    names = about.get("label_names")
    if names is None and (subset := hub.infer_imagenet_subset(network)):
        names = hub.ImageNetInfo(subset).label_descriptions()
        if options.class_names is None:
            _note(options.source, f"names no classes; since there are {len(names)}, they are taken to be {subset}'s")
    return HubNetwork(network.eval().requires_grad_(False), options, channels, names)


def open_hugging_face(options: ClassifierOptions) -> HubNetwork:
    """Makes an image classifier of Hugging Face's transformers.

    Args:
        options: ``source`` is ``hf:FOLDER``, as ``save_pretrained`` of a model and its image processor write it, or
            ``hf:NAME`` of a model on the hub, from its cache or downloaded.

    Raises:
        OverpaintError: If transformers is not installed, or there is no such image classifier.
    """
    name = options.source.partition(":")[2]
    with _extra("transformers", options.source):
        from transformers import AutoImageProcessor, AutoModelForImageClassification
    told: dict[str, Any] = {"local_files_only": Path(name).is_dir(), "trust_remote_code": False}
    with _loading(options.source):
        network = AutoModelForImageClassification.from_pretrained(name, **told)
        processor: dict[str, Any] = AutoImageProcessor.from_pretrained(name, **told).to_dict()
    config = network.config
    size = _processor_size(processor, config.to_dict().get("image_size"))
    if size is None and options.image_size is None:
        raise OverpaintError(f"classifier.image_size must be given: {options.source} does not say how large its images")
    mean, std = _processor_statistics(processor)
    channels = config.to_dict().get("num_channels", 3)
    if mean is not None and std is not None and len(mean) != channels:
        mean, std = mean[:1] * channels, std[:1] * channels
    options = _completed(options, size, mean, std)
    if options.output == "auto":
        multi_label = config.problem_type == "multi_label_classification"
        options = replace(options, output="sigmoid" if multi_label else "logits")
    names = [str(config.id2label[index]) for index in range(config.num_labels)]
    unnamed = names == [f"LABEL_{index}" for index in range(len(names))]
    return HubNetwork(network.eval().requires_grad_(False), options, channels, None if unnamed else names)


def _completed(
    options: ClassifierOptions,
    size: Sequence[int] | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> ClassifierOptions:
    """Returns the options with what the hub says where the user says nothing."""
    if options.image_size is None and size is not None:
        options = replace(options, image_size=list(size))
    if options.mean is None and options.std is None and mean is not None and std is not None:
        options = replace(options, mean=list(mean), std=list(std))
    return options


def _processor_size(processor: Mapping[str, Any], of_network: int | Sequence[int] | None) -> list[int] | None:
    """Returns the height and width that an image processor makes by its crop, else by resizing, else the network's.

    Of a shortest or longest edge that is a square: the images are shown whole.
    """
    cropped = processor.get("crop_size") if processor.get("do_center_crop") else None
    resized = processor.get("size") if processor.get("do_resize", True) else None
    for given in (cropped, resized, of_network):
        if isinstance(given, int):
            return [given, given]
        if isinstance(given, Sequence) and len(given) == 2:
            return list(given)
        if isinstance(given, Mapping):
            for height, width in (("height", "width"), ("shortest_edge",) * 2, ("longest_edge",) * 2):
                if given.get(height) and given.get(width):
                    return [int(given[height]), int(given[width])]
            if given.get("max_height") and given.get("max_width"):
                return [int(given["max_height"]), int(given["max_width"])]
    return None


def _processor_statistics(processor: Mapping[str, Any]) -> tuple[list[float] | None, list[float] | None]:
    """Returns the mean and std by which images in ``[0, 1]`` become what the processor makes of images to 255.

    It makes ``(255 f x - m) / s``, with ``f`` its rescaling factor, or 1 without rescaling, and without normalisation
    ``m = 0`` and ``s = 1``.
    """
    factor = 255 * (float(processor.get("rescale_factor") or 1 / 255) if processor.get("do_rescale", True) else 1.0)
    mean, std = [0.0], [1.0]
    if processor.get("do_normalize") and processor.get("image_mean") is not None:
        mean, std = (_as_list(processor[name]) for name in ("image_mean", "image_std"))
    elif abs(factor - 1) < 1e-6:
        return None, None  # it takes [0, 1]
    return [m / factor for m in mean], [s / factor for s in std]


def _as_list(value: float | Sequence[float]) -> list[float]:
    return [float(v) for v in value] if isinstance(value, Sequence) else [float(value)]


def _fixed_size(timm: Any, name: str, folder: bool) -> bool:
    """Returns whether a network of timm is made for one size of image, as vision transformers are."""
    if folder:
        try:
            about: dict[str, Any] = json.loads((Path(name) / "config.json").read_text()).get("pretrained_cfg", {})
        except (OSError, ValueError, AttributeError):  # timm says what it misses
            return False
        return bool(about.get("fixed_input_size"))
    config = timm.models.get_pretrained_cfg(name) if timm.is_model(name) else None
    return config is not None and bool(config.fixed_input_size)


def _note(source: str, what: str) -> None:
    warnings.warn(f"classifier={source} {what}", OverpaintWarning, stacklevel=3)


@contextmanager
def _extra(package: str, source: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        extra = {"timm": "timm", "transformers": "hf"}[package]
        raise OverpaintError(
            f"classifier={source} needs {package}, which is not installed: pip install 'overpaint[{extra}]'"
        ) from error


@contextmanager
def _loading(source: str) -> Iterator[None]:
    """Turns what a hub's library raises into one sentence."""
    try:
        yield
    except OverpaintError:
        raise
    except Exception as error:  # of many kinds: no such name or file, no connection, damaged weights
        reason = " ".join(str(error).split())
        raise OverpaintError(f"classifier={source} can't be loaded: {reason[:300]}") from error
