"""The class of a run's data set."""

from overpaint.configuration.sections import importable
from overpaint.configuration.settings import Settings
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import import_class
from overpaint.data.domain import DomainData


def data_class(settings: Settings) -> type[DomainData]:
    """Imports the class that ``data.target`` names.

    Raises:
        OverpaintError: If there is no such class, or it is no data set.
    """
    target = settings["data"]["target"]
    kind = import_class(target, importable(settings), "data.target")
    if not issubclass(kind, DomainData):
        raise OverpaintError(f"data.target={target} is no data set: it must be a class of DomainData")
    return kind
