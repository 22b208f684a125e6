"""Methods, metrics and probes as a Python user gives them: by name, or as objects."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from overpaint.configuration.location import configs_folder
from overpaint.configuration.settings import default_sections
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import instantiate


def named_parts(given: Any, group: str, section: str, kind: type[Any], seed: int) -> dict[str, Any]:
    """Returns objects by name: those that are given as names are built with the settings of their files.

    Args:
        given: A name, an object, a list of either, or objects and names by names of one's own. ``all`` is all names.
        group: What they are called in errors: ``methods``, ``metrics`` or ``probes``.
        section: The folder of ``configs/`` that holds their files.
        kind: The class of the objects.
        seed: The seed of those that are given by name.

    Raises:
        OverpaintError: If a name is unknown or comes twice, or something is neither a name nor such an object.
    """
    found: dict[str, Any] = {}
    for name, each in _entries(given):
        if isinstance(each, str):
            sections = default_sections(configs_folder(), group, section, [each], seed)
            built = {key: instantiate(own, f"{section}.{key}") for key, own in sections.items()}
            new = built if each == "all" else {name: built[each]}
        elif isinstance(each, kind):
            new = {name: each}
        else:
            raise OverpaintError(f"{group}={each!r} is neither a name nor a {kind.__name__}")
        if twice := [key for key in new if key in found]:
            raise OverpaintError(f"{group} has two of the name {twice[0]}; give them names: {{'a': ..., 'b': ...}}")
        found |= new
    return found


def _entries(given: Any) -> list[tuple[str, Any]]:
    """Returns each part with its name: its own, or that of its class in snake case."""
    if isinstance(given, Mapping):
        return list(given.items())
    listed = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    return [(each if isinstance(each, str) else _snake_case(type(each).__name__), each) for each in listed]


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
