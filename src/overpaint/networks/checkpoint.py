"""Reads what training left: tensors and plain values alone, so that loading a file runs no code of its own."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from overpaint.errors import OverpaintError
from overpaint.networks.dcgan import Discriminator, Generator

FORMAT_KEY = "overpaint"
"""The entry of a checkpoint that says what it holds: ``{"kind": ..., "settings": {...}}``."""


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
        raise OverpaintError(f"there is no checkpoint {path}; 'python train.py model={kind}' makes one")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols that torch.save does not write
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader lets nearly any kind of error through from a damaged file
        raise OverpaintError(
            f"{path} can't be loaded: it is damaged or no checkpoint, or it holds more than tensors and plain values, "
            f"which is refused since it could run code; 'python train.py model={kind}' makes a new one"
        ) from error
    about = content.get(FORMAT_KEY) if isinstance(content, dict) else None
    found = about.get("kind") if isinstance(about, dict) else None
    if found != kind:
        said = f"holds a {found}" if found else "was not made by this project"
        raise OverpaintError(f"{path} {said}; a {kind} checkpoint is needed, 'python train.py model={kind}' makes one")
    return content[FORMAT_KEY]["settings"], content["state_dict"]


def load_part(network: nn.Module, tensors: dict[str, torch.Tensor], prefix: str) -> None:
    """Loads into ``network`` those of ``tensors`` whose names start with ``prefix.``, and freezes it in eval mode."""
    start = f"{prefix}."
    network.load_state_dict({name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)})
    network.eval().requires_grad_(False)


def load_dcgan(path: Path) -> tuple[Generator, Discriminator]:
    """Loads the averaged generator and the discriminator of a ``dcgan`` checkpoint, frozen, in eval mode.

    Raises:
        OverpaintError: As `read_checkpoint`.
    """
    settings, tensors = read_checkpoint(path, "dcgan")
    generator, discriminator = Generator(**settings["generator"]), Discriminator(**settings["discriminator"])
    load_part(generator, tensors, "averaged_generator")
    load_part(discriminator, tensors, "discriminator")
    return generator, discriminator
