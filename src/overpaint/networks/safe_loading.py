"""Reads files of tensors without running code that they might hold."""

import argparse
import datetime
import importlib
import pathlib
import re
import threading
import typing
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from overpaint.core.errors import OverpaintError

LOCK = threading.Lock()
"""Torch's list of permitted classes belongs to the whole process."""


def read_plain(path: Path, advice: str) -> Any:
    """Reads what ``torch.save`` wrote, if that is tensors, plain values and a few containers of these.

    Beyond what torch itself permits, these are: numpy's scalars and arrays, ``argparse.Namespace``, paths, dates,
    ``defaultdict`` (as a dictionary), ``deque`` (as a list) and OmegaConf's containers. None of them runs code of the
    file's.

    Args:
        path: The file.
        advice: The end of the error's sentence: what to do instead.

    Raises:
        OverpaintError: If the file can't be read, or holds more than that.
    """
    try:
        with LOCK, torch.serialization.safe_globals(_permitted()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols that torch.save does not write
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader lets nearly any kind of error through from a damaged file
        if "TorchScript" in str(error):
            raise OverpaintError(
                f"{path} is a TorchScript file, which holds its network; give it as classifier={path}"
            ) from error
        raise OverpaintError(
            f"{path} can't be loaded: it is damaged or no checkpoint, or it holds more than tensors and plain values"
            f"{_foreign_name(error)}, which is refused since it could run code; {advice}"
        ) from error


def read_safetensors(path: Path, key: str) -> dict[str, torch.Tensor] | None:
    """Reads a file of safetensors; None if it is none.

    Args:
        path: The file.
        key: The setting that names it, for errors.

    Raises:
        OverpaintError: If the package is not installed, or the file is damaged.
    """
    with path.open("rb") as file:
        head = file.read(9)
    if path.suffix != ".safetensors" and not (len(head) == 9 and head[8:] == b"{" and not any(head[5:8])):
        return None
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise OverpaintError(
            f"{key}={path} needs safetensors, which is not installed: pip install 'overpaint[safetensors]'"
        ) from error
    try:
        return dict(load_file(path))
    except Exception as error:  # of safetensors' own kind, or the file system's
        raise OverpaintError(f"{key}={path} is a damaged file of safetensors: {error}") from error


def as_plain(saved: object) -> dict[str, Any]:
    """Returns saved hyperparameters as a dictionary; interpolations of OmegaConf stay the text that they are."""
    if isinstance(saved, argparse.Namespace):
        return dict(vars(saved))
    if type(saved).__module__.startswith("omegaconf."):
        container = importlib.import_module("omegaconf").OmegaConf.to_container(saved, resolve=False)
        return as_plain(container)
    return {str(name): value for name, value in saved.items()} if isinstance(saved, Mapping) else {}


def _permitted() -> list[Any]:
    """Returns the classes that may be made of a file's content: none whose construction runs code of the file's."""
    floats = [type(np.dtype(name)) for name in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?")]
    core = importlib.import_module(
        "numpy._core.multiarray" if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else "numpy.core.multiarray"
    )
    of_numpy = [
        *((core.scalar, f"numpy.{name}.multiarray.scalar") for name in ("core", "_core")),
        *((core._reconstruct, f"numpy.{name}.multiarray._reconstruct") for name in ("core", "_core")),
        *(np.dtype, np.ndarray, *floats, type(np.dtype("U1")), type(np.dtype("S1"))),
    ]
    paths = [pathlib.PosixPath, pathlib.PurePosixPath, pathlib.PureWindowsPath]
    if pathlib.Path is not pathlib.PosixPath:
        paths.append((pathlib.PurePosixPath, "pathlib.PosixPath"))  # type: ignore[arg-type]
    dates = [datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone]
    plain: list[Any] = [argparse.Namespace, dict, list, int, float, str, tuple, set]
    plain += [(_empty_dict, "collections.defaultdict"), (_as_list, "collections.deque")]  # torch fills no others
    return [*of_numpy, *paths, (pathlib.PureWindowsPath, "pathlib.WindowsPath"), *dates, *plain, *_of_omegaconf()]


def _empty_dict(_factory: object = None) -> dict[Any, Any]:
    return {}


def _as_list(content: Iterable[Any] = (), _length: int | None = None) -> list[Any]:
    return list(content)


def _of_omegaconf() -> list[Any]:
    """Returns the classes of OmegaConf's containers."""
    omegaconf = importlib.import_module("omegaconf")
    base, nodes = (importlib.import_module(f"omegaconf.{name}") for name in ("base", "nodes"))
    leaves = [vars(nodes)[name] for name in vars(nodes) if name.endswith("Node") and name != "ValueNode"]
    return [omegaconf.DictConfig, omegaconf.ListConfig, base.ContainerMetadata, base.Metadata, *leaves, typing.Any]


def _foreign_name(error: Exception) -> str:
    """Returns, in brackets, the name of what weights-only loading refused, where torch says it."""
    said = re.search(r"GLOBAL ([\w.]+)", str(error))
    return f" ({said[1]})" if said else ""
