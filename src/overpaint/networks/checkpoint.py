"""Reads checkpoints of training: tensors and plain values alone, so that loading a file runs no code of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from overpaint.core.commands import command
from overpaint.core.errors import OverpaintError
from overpaint.core.scale import scale_from_settings
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.networks.encoder import Encoder
from overpaint.networks.gan import Gan
from overpaint.networks.safe_loading import read_plain

Part = TypeVar("Part", bound=nn.Module)

FORMAT_KEY = "overpaint"
"""The entry of a checkpoint that says what it holds: ``{"kind": ..., "settings": {...}}``.

Lightning's hyperparameters beside it are the module's; the networks' settings follow from them by the recipe alone.
"""


def read_checkpoint(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Reads a checkpoint file of this project.

    Args:
        path: The file.
        kind: What it must hold: ``classifier`` or ``dcgan``.

    Returns:
        The settings its networks are built from, and its tensors by name.

    Raises:
        OverpaintError: If the file is absent, is no checkpoint of that kind, or holds more than tensors and plain
            values.
    """
    if not path.is_file():
        raise OverpaintError(f"there is no checkpoint {path}; {_maker(kind)} makes one")
    content = read_plain(path, f"{_maker(kind)} makes a new one")
    about = content.get(FORMAT_KEY) if isinstance(content, dict) else None
    found = about.get("kind") if isinstance(about, dict) else None
    if found is None:
        setting = "classifier" if kind == "classifier" else "generator"
        raise OverpaintError(
            f"{path} was not made by this project; a {kind} checkpoint is needed, {_maker(kind)} makes one, or "
            f"{setting}=package.module:Class {setting}.weights={path}, which takes another network's weights"
        )
    if found != kind:
        raise OverpaintError(f"{path} holds a {found}; a {kind} checkpoint is needed, {_maker(kind)} makes one")
    settings, tensors = content[FORMAT_KEY].get("settings"), content.get("state_dict")
    if not isinstance(settings, dict) or not isinstance(tensors, dict):
        raise _incomplete(path, kind, "it has no settings or no state_dict")
    others = [f"{name} is a {type(value).__name__}" for name, value in tensors.items() if not isinstance(value, Tensor)]
    if others:
        raise _incomplete(path, kind, f"in its state_dict {few(others)}, where tensors belong")
    return settings, {str(name): tensor for name, tensor in tensors.items()}


def _incomplete(path: Path, kind: str, why: str) -> OverpaintError:
    return OverpaintError(f"{path} is an incomplete {kind} checkpoint: {why}; {_maker(kind)} makes one")


def _maker(kind: str) -> str:
    """Returns the command that makes a checkpoint."""
    return f"'{command('train')} model={kind}'"


@contextmanager
def settings_of_checkpoint(path: Path, kind: str) -> Iterator[None]:
    """Turns what a network's constructor says of a checkpoint's settings into one sentence that names the file.

    Raises:
        OverpaintError: If a setting is missing, unknown or impossible.
    """
    try:
        yield
    except Exception as error:  # a damaged file can hold anything
        missing = f"there is no setting {error}" if isinstance(error, KeyError) else str(error)
        raise _incomplete(path, kind, missing) from error


def load_part(network: nn.Module, tensors: Mapping[str, torch.Tensor], prefix: str, path: Path) -> None:
    """Loads into ``network`` those of ``tensors`` whose names start with ``prefix.``, and freezes it in eval mode.

    Raises:
        OverpaintError: As `load_tensors`.
    """
    load_tensors(network, _part(tensors, prefix), path)


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    start = f"{prefix}."
    return {str(name).removeprefix(start): tensor for name, tensor in tensors.items() if str(name).startswith(start)}


def load_tensors(network: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Loads ``tensors`` of the file ``path`` into ``network``, and freezes it in eval mode.

    Raises:
        OverpaintError: If tensors are missing, left over or of another shape; it names the first few.
    """
    _check_tensors(network, tensors, path)
    own = network.state_dict()
    own.update(tensors)  # it carries the layers' versions, which a file without them would lack
    network.load_state_dict(own)
    network.eval().requires_grad_(False)


def _check_tensors(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Checks that what a file holds are the tensors of a network, which may be on the device ``meta``.

    Raises:
        OverpaintError: If not; it names the first few.
    """
    own = network.state_dict()
    # Files from before PyTorch 0.4.1 have no such counters, and in eval mode nothing needs them.
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    extra = [name for name in tensors if name not in own]
    differing = [
        f"{name} {tuple(tensors[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in tensors and tensors[name].shape != own[name].shape
    ]
    faults = {"are missing": missing, "belong to no layer": extra, "have another shape": differing}
    said = [f"{len(names)} tensors {fault} ({few(names)})" for fault, names in faults.items() if names]
    if said:
        raise OverpaintError(f"the tensors of {path} are not those of the network: {'; '.join(said)}")


def _network(
    kind: Callable[..., Part],
    settings: Mapping[str, Any],
    entry: str,
    tensors: Mapping[str, torch.Tensor],
    prefix: str,
    path: Path,
) -> Part:
    """Builds a network of a checkpoint, once its tensors are found to be those of its settings.

    Before that it is built without memory: damaged settings may ask for more than there is.
    """
    with settings_of_checkpoint(path, "dcgan"), torch.device("meta"):
        shapes = kind(**settings[entry])
    _check_tensors(shapes, _part(tensors, prefix), path)
    network = kind(**settings[entry])
    load_part(network, tensors, prefix, path)
    return network


def few(names: Sequence[str]) -> str:
    """Returns the first few of many names."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def load_generator(path: str | Path) -> Gan:
    """Loads the generator of a checkpoint of ``train.py`` and what was trained beside it, frozen, in eval mode.

    Raises:
        OverpaintError: As `read_checkpoint`.
    """
    path = Path(path)
    settings, tensors = read_checkpoint(path, "dcgan")
    # Files from before the average was torch's AveragedModel have it under another name.
    older = any(name.startswith("averaged_generator.") for name in tensors)
    generator = _network(
        Generator, settings, "generator", tensors, "averaged_generator" if older else "ema.module", path
    )
    discriminator = _network(Discriminator, settings, "discriminator", tensors, "discriminator", path)
    encoder = _network(Encoder, settings, "encoder", tensors, "encoder", path) if "encoder" in settings else None
    for network in (generator, discriminator):
        network.to(memory_format=torch.channels_last)  # the search is faster so
    with settings_of_checkpoint(path, "dcgan"):
        names = [str(name) for name in settings.get("class_names", [])]
        scale = scale_from_settings(settings.get("scale"))
    return Gan(generator, discriminator, encoder, names, scale)
