"""Objects from plain settings, whose class, names and types are checked first."""

import difflib
import importlib
import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from overpaint.core.errors import OverpaintError

STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)
"""No text becomes a number and no Boolean an integer; jaxtyping's arrays and our protocols are types, too."""


def instantiate(settings: Mapping[str, Any], where: str, packages: Sequence[str] = ("overpaint",), **more: Any) -> Any:
    """Makes the object that a section describes: its ``target``, called with the section's other entries.

    Args:
        settings: The section.
        where: The section's key, for errors.
        packages: The packages whose classes the target may be.
        more: Further arguments; they win over the section's.

    Raises:
        OverpaintError: If the target can't be imported or an entry is of the wrong type.
    """
    arguments = {key: value for key, value in settings.items() if key not in ("target", "name")} | more
    target = import_class(settings["target"], packages, f"{where}.target")
    return target(**checked_arguments(target, arguments, where))


def import_class(path: str, packages: Sequence[str], where: str) -> type[Any]:
    """Imports a class by its path; only from ``packages``, so that a configuration runs no other code.

    Raises:
        OverpaintError: If there is no such class.
    """
    module_name, _, attribute = str(path).rpartition(".")
    try:
        if f"{module_name}.".startswith(tuple(f"{package}." for package in packages)):
            found = getattr(importlib.import_module(module_name), attribute)
            if inspect.isclass(found):
                return found
        why = f"it is no class of {' or '.join(packages)}"
    except (ImportError, AttributeError, ValueError) as error:
        why = str(error)
    raise OverpaintError(f"{where}={path} can't be imported: {why}")


def checked_arguments(target: Any, arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Checks the names and types of arguments from the configuration against a class's annotations.

    Returns:
        The arguments; whole numbers are floats where floats are taken.

    Raises:
        OverpaintError: If an argument is unknown, missing or of the wrong type.
    """
    parameters = inspect.signature(target).parameters
    for name in arguments:
        if name not in parameters:
            raise OverpaintError(f"there is no setting '{where}.{name}'{suggestion(name, list(parameters))}")
    missing = [name for name, value in arguments.items() if value == "???"]
    missing += [name for name, p in parameters.items() if p.default is p.empty and name not in arguments and p.kind < 2]
    if missing:
        raise OverpaintError(f"{where}.{missing[0]} must be given")
    return checked_types(arguments, _annotations(target), f"{where}.")


def _annotations(target: Any) -> dict[str, Any]:
    """Returns the annotations of what is called; none where they name what only a type checker imports."""
    try:
        return get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except NameError:
        return {}


def checked_types(values: Mapping[str, Any], hints: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Checks values against annotations; those without one are left alone.

    Args:
        values: The values by their names.
        hints: The annotations by the same names.
        prefix: What stands before a name in an error.

    Returns:
        The values; whole numbers are floats where floats are taken, and lists are tuples where tuples are.

    Raises:
        OverpaintError: If one does not fit; it names the setting, the value and what is taken.
    """
    return {n: _checked(f"{prefix}{n}", value, hints[n]) if n in hints else value for n, value in values.items()}


def _checked(name: str, value: Any, hint: Any) -> Any:
    try:
        text = json.dumps(value)  # pydantic is strict and yet takes lists for tuples where it reads JSON
    except TypeError:
        return value  # an object that the program made
    try:
        return TypeAdapter(hint, config=STRICT).validate_json(text)
    except ValidationError as error:
        taken = str(hint).replace("typing.", "").replace("collections.abc.", "") if get_origin(hint) else hint.__name__
        raise OverpaintError(f"{name}={value} is not of the right type: it takes {taken}") from error


def suggestion(key: str, keys: Sequence[str]) -> str:
    """Returns the end of an error about an unknown key: the known keys that were perhaps meant."""
    same_end = [known for known in keys if known.split(".")[-1] == key.split(".")[-1]]
    near = same_end or difflib.get_close_matches(key, keys, 3, 0.6)
    return f"; did you mean {' or '.join(near)}?" if near else "; the files in configs/ list all settings"
