"""Imports attributes that are named ``package.module:attribute``."""

import importlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from overpaint.core.errors import OverpaintError


def is_factory(source: str) -> bool:
    """Returns whether a word has the form ``package.module:attribute``."""
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", source) is not None


def import_attribute(source: str, key: str) -> Any:
    """Imports an attribute; modules of the current folder can be imported, as with ``python -m``.

    Args:
        source: ``package.module:attribute``.
        key: The setting that names it, for errors.

    Raises:
        OverpaintError: If it can't be imported.
    """
    module_name, _, attribute = source.partition(":")
    with current_folder():
        try:
            return getattr(importlib.import_module(module_name), attribute)
        except Exception as error:  # someone else's code
            raise OverpaintError(f"{key}={source} can't be imported: {error}") from error


def module_file(source: str) -> Path | None:
    """Returns the file of the module that ``package.module:attribute`` names; None where it is not imported."""
    module = sys.modules.get(source.partition(":")[0])
    return None if module is None or module.__file__ is None else Path(module.__file__)


@contextmanager
def current_folder() -> Iterator[None]:
    """Lets modules of the current folder be imported within it."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
