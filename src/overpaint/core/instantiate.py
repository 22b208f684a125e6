"""Objects from plain settings, whose class, names and types are checked first."""

import difflib
import functools
import importlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from overpaint.core.bounds import fault, without_bounds
from overpaint.core.errors import OverpaintError
from overpaint.core.importing import current_folder

Class = TypeVar("Class", bound=type[Any])

STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)
"""No text becomes a number and no Boolean an integer; jaxtyping's arrays and our protocols are types, too."""

LONGEST = 200
"""Characters of a value that a sentence shows."""


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

    Packages other than this one may lie in the current folder.

    Raises:
        OverpaintError: If there is no such class.
    """
    check_importable(path, packages, where)
    module_name, _, attribute = path.rpartition(".")
    try:
        with current_folder():
            found = getattr(importlib.import_module(module_name), attribute)
        if inspect.isclass(found) and _is_within(found.__module__, packages):
            return found
        why = f"it is no class of {' or '.join(packages)}"
    except Exception as error:  # perhaps of someone else's code
        why = str(error)
    raise OverpaintError(f"{where}={path} can't be imported: {why}")


def check_importable(path: str, packages: Sequence[str], where: str) -> None:
    """Checks that a class is one of those packages', without importing it.

    Raises:
        OverpaintError: If not.
    """
    module_name = str(path).rpartition(".")[0]
    if not _is_within(module_name, packages):
        raise OverpaintError(
            f"{where}={path} can't be imported: it is no class of {' or '.join(packages)}; if you trust its package, "
            f"allow_import=[{module_name.partition('.')[0] or 'package'}] permits it"
        )


def _is_within(module: str, packages: Sequence[str]) -> bool:
    return f"{module}.".startswith(tuple(f"{package}." for package in packages))


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


@functools.cache
def _annotations(target: Any) -> dict[str, Any]:
    """Returns the annotations of what is called; none where they name what only a type checker imports."""
    try:
        return get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)
    except NameError:
        return {}


def checked_settings(kind: Class) -> Class:
    """Makes a class check its arguments as the command line does: against the types and bounds of its annotations.

    Arguments that are no plain values, such as networks, are left alone.

    Raises:
        OverpaintError: By the class's constructor, which names the class, the argument and its value.
    """
    made: Callable[..., None] = kind.__init__
    owner: Any = kind
    signature = inspect.signature(made)

    @functools.wraps(made)
    def checked(self: Any, *arguments: Any, **named: Any) -> None:
        with suppress(TypeError):  # of unknown or missing arguments, which the constructor names
            given = signature.bind(self, *arguments, **named).arguments
            values = {name: value for name, value in given.items() if value is not self}
            checked_types(values, _annotations(owner), f"{type(self).__name__}.")
        made(self, *arguments, **named)

    kind.__init__ = checked
    return kind


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
    if wrong := fault(value, hint):
        raise OverpaintError(f"{name}={_short(value)} {wrong}")
    try:
        text = json.dumps(value)  # pydantic is strict and yet takes lists for tuples where it reads JSON
    except (TypeError, ValueError):
        return value  # an object that the program made
    try:
        return TypeAdapter(hint, config=STRICT).validate_json(text)
    except ValidationError as error:
        raise OverpaintError(f"{name}={_short(value)} is not of the right type: it takes {_called(hint)}") from error


def _called(hint: Any) -> str:
    bare = without_bounds(hint)
    return str(bare).replace("typing.", "").replace("collections.abc.", "") if get_origin(bare) else bare.__name__


def _short(value: Any) -> str:
    """Returns a value as it is said: of a long one its beginning."""
    said = str(value)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}..."


def suggestion(key: str, keys: Sequence[str]) -> str:
    """Returns the end of an error about an unknown key: the known keys that were perhaps meant."""
    same_end = [known for known in keys if known.split(".")[-1] == key.split(".")[-1]]
    near = same_end or difflib.get_close_matches(key, keys, 3, 0.6)
    return f"; did you mean {' or '.join(near)}?" if near else "; the files in configs/ list all settings"
