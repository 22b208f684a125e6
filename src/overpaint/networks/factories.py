"""What a factory, ``package.module:factory``, is called with, and what it returns."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from overpaint.core.errors import OverpaintError
from overpaint.networks.weights import WeightsFile


class Hyperparameters(dict[str, Any]):
    """A dictionary whose entries are attributes, too, as in Lightning."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(f"there is no hyperparameter {name}")


def parameters_of(factory: object) -> Mapping[str, inspect.Parameter]:
    """Returns the parameters of a factory; none where it can't be called or does not tell them."""
    try:
        return inspect.signature(factory).parameters if callable(factory) else {}
    except ValueError:  # written in C
        return {}


def saved_arguments(factory: object, file: WeightsFile | None) -> dict[str, Any]:
    """Returns the hyperparameters that Lightning saved in a weights file, as a factory takes them.

    Lightning calls the constructor in the same way: one that takes all hyperparameters as a single argument gets them
    so, one with ``**kwargs`` gets all of them, any other gets those that it names.

    Args:
        factory: A function or class.
        file: The weights file; None gives no arguments.
    """
    takes = parameters_of(factory)
    if file is None or not file.hyperparameters:
        return {}
    if file.hyperparameters_name in takes:
        return {str(file.hyperparameters_name): Hyperparameters(file.hyperparameters)}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values()):
        return dict(file.hyperparameters)
    return {name: value for name, value in file.hyperparameters.items() if name in takes}


def call_factory(source: str, key: str, factory: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Calls a factory.

    Args:
        source: ``package.module:factory``.
        key: The setting that names it, for errors.
        factory: The function or class.
        arguments: What it is called with.

    Raises:
        OverpaintError: If it raises anything.
    """
    try:
        return factory(**arguments)
    except Exception as error:  # someone else's code
        how = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise OverpaintError(f"{key}={source} failed when called with ({how}): {error!r}") from error
