"""Builds the objects that the configuration describes, after checking its values against their annotations."""

import importlib
import inspect
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import lightning as L
import torch

from overpaint.cli.config import suggestion
from overpaint.core.errors import OverpaintError


def build(settings: Mapping[str, Any], where: str, **more: Any) -> Any:
    """Makes the object that a section describes: its ``target``, called with the section's other entries.

    Args:
        settings: The section.
        where: The section's key, for errors.
        more: Further arguments; they win over the section's.

    Raises:
        OverpaintError: If the target can't be imported or an entry is of the wrong type.
    """
    arguments = {key: value for key, value in settings.items() if key not in ("target", "name")} | more
    module_name, _, attribute = str(settings["target"]).rpartition(".")
    try:
        target = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise OverpaintError(f"{where}.target={settings['target']} can't be imported: {error}") from error
    return target(**checked_arguments(target, arguments, where))


def checked_arguments(target: Any, arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Checks the names and types of arguments from the configuration against a class's annotations.

    Raises:
        OverpaintError: If an argument is unknown or of the wrong type.
    """
    parameters = inspect.signature(target).parameters
    hints = get_type_hints(target.__init__ if inspect.isclass(target) else target)
    for name in arguments:
        if name not in parameters:
            raise OverpaintError(f"there is no setting '{where}.{name}'{suggestion(name, list(parameters))}")
    check_types(arguments, hints, f"{where}.")
    ready = {name: _as_float(value, hints.get(name)) for name, value in arguments.items()}
    missing = [n for n, p in parameters.items() if p.default is p.empty and n not in arguments and p.kind < 2]
    if missing or any(value == "???" for value in arguments.values()):
        raise OverpaintError(f"{where}.{(missing or [n for n, v in arguments.items() if v == '???'])[0]} must be given")
    return ready


def trainer_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the Trainer's arguments from the configuration, checked.

    Where ``auto`` would take Apple's GPU it becomes ``cpu``: that GPU has no float64, which the maps' sums need.

    Raises:
        OverpaintError: If an argument is unknown or of the wrong type.
    """
    checked = checked_arguments(L.Trainer, options, "trainer")
    if checked["accelerator"] == "auto" and torch.backends.mps.is_available():
        checked["accelerator"] = "cpu"
    return checked


def check_types(values: Mapping[str, Any], hints: Mapping[str, Any], prefix: str = "") -> None:
    """Checks values against annotations.

    Raises:
        OverpaintError: If one does not fit; it names the setting, the value and what is taken.
    """
    for name, value in values.items():
        if name in hints and not _fits(value, hints[name]):
            shown = str(hints[name]).replace("typing.", "") if get_origin(hints[name]) else hints[name].__name__
            raise OverpaintError(f"{prefix}{name}={value} is not of the right type: it takes {shown}")


def _as_float(value: Any, annotation: Any) -> Any:
    """Turns a whole number, alone or in a list, into a float where one is taken and no int is."""
    options = get_args(annotation) or (annotation,)
    for option in (annotation, *options):
        if isinstance(value, list) and get_origin(option) in (list, Sequence):
            return [_as_float(entry, get_args(option)[0]) for entry in value]
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if whole and float in options and int not in options else value


def _fits(value: Any, annotation: Any) -> bool:
    origin = get_origin(annotation)
    if annotation is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_fits(value, option) for option in get_args(annotation))
    if origin is Literal:
        return value in get_args(annotation)
    if origin in (list, Sequence):
        return isinstance(value, list | tuple) and all(_fits(entry, get_args(annotation)[0]) for entry in value)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation is str or annotation is bool or annotation is type(None):
        return isinstance(value, annotation)
    return True
