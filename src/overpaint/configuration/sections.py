"""Checks of the sections of the settings against the classes that take them, without importing these."""

from collections.abc import Mapping, Sequence
from typing import Any

from overpaint.configuration.declared import check_declared
from overpaint.configuration.settings import Settings
from overpaint.core.choices import WandbMode
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_types
from overpaint.core.sizes import as_size

CLASSES = {
    "annotations": "overpaint.data.annotations.reading.AnnotationOptions",
    "engine": "overpaint.perturbation.engine.Engine",
    "region": "overpaint.inpainting.region.RegionRule",
    "search": "overpaint.inpainting.latent_search.LatentSearch",
    "variants": "overpaint.inpainting.inpainter.Inpainter",
}
"""The classes of sections that name none themselves."""

PLAIN: dict[str, dict[str, Any]] = {
    "logger": {"mode": WandbMode | None, "project": str},
    "report": {"self_contained": bool},
    "trainer": {
        "accelerator": str,
        "devices": int | str | list[int],
        "enable_progress_bar": bool,
        "limit_train_batches": int | float | None,
        "log_every_n_steps": int,
        "max_epochs": int | None,
        "num_nodes": int,
        "precision": int | str,
        "strategy": str,
    },
}
"""What the settings of the other sections take."""

SCHEDULE = ("max_epochs", "batch_size", "evaluate_every_n_epochs")
"""Settings of a model that are the Trainer's or the loader's, not the module's."""

FROM_DATA = ("image_size", "channels")
"""Settings of data and models that the program chooses where they are null."""

FROM_FILE = ("baseline",)
"""Settings of methods and metrics that may name a file, whose content the class takes."""


def check_sections(settings: Settings) -> None:
    """Checks all sections as far as that takes no torch.

    Raises:
        OverpaintError: If a value is of the wrong type, or out of its range.
    """
    for name, section in settings.items():
        if name in PLAIN:
            checked_types(section, PLAIN[name], f"{name}.")
        elif name in CLASSES:
            check_declared(section, CLASSES[name], name)
        elif name == "data":
            _check_member(section, name, _null(section, FROM_DATA))
        elif name in ("saliency", "metrics", "probes"):
            for member, own in section.items():
                _check_member(own, f"{name}.{member}", FROM_FILE)
        elif name == "model":
            for member, own in section.items():
                _check_schedule(own, f"model.{member}", settings["trainer"]["max_epochs"])
                _check_member(own, f"model.{member}", [*SCHEDULE, *_null(own, FROM_DATA)])


def _check_member(section: Settings, where: str, later: Sequence[str]) -> None:
    if section.get("image_size") is not None:
        as_size(section["image_size"], name=f"{where}.image_size")
    missing = [key for key, value in section.items() if value == "???"]
    if missing:
        raise OverpaintError(f"{where}.{missing[0]} must be given")
    check_declared(section, str(section["target"]), where, later)


def _null(section: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    return [key for key in keys if section.get(key) is None]


def _check_schedule(own: Settings, where: str, max_epochs: int | None) -> None:
    """Checks the settings of a model that its module does not take."""
    counts = {f"{where}.{key}": own[key] for key in SCHEDULE if key in own}
    if max_epochs is not None:
        counts["trainer.max_epochs"] = max_epochs
    for key, value in counts.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise OverpaintError(f"{key}={value} must be a whole number of at least 1")
