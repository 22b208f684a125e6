"""Checks of the sections of the settings against the classes that take them, without importing these."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from overpaint.configuration.declared import check_declared
from overpaint.configuration.settings import Settings
from overpaint.core.bounds import DISTINCT, Count, CountOrNone, ImageSize, Share
from overpaint.core.choices import WandbMode
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import check_importable, checked_types
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
    "logger": {"mode": WandbMode | None, "project": str, "max_images": CountOrNone},
    "report": {"self_contained": bool},
    "trainer": {
        "accelerator": str,
        "devices": int | str | Annotated[list[CountOrNone], DISTINCT],
        "enable_progress_bar": bool,
        "limit_train_batches": Count | Share | None,
        "log_every_n_steps": Count,
        "max_epochs": Count | None,
        "num_nodes": Count,
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


def importable(settings: Settings) -> list[str]:
    """Returns the packages whose classes a section's ``target`` may name."""
    return ["overpaint", *settings["allow_import"]]


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
            _check_member(section, name, _null(section, FROM_DATA), settings)
        elif name in ("saliency", "metrics", "probes"):
            for member, own in section.items():
                _check_member(own, f"{name}.{member}", FROM_FILE, settings)
        elif name == "model":
            for member, own in section.items():
                schedule = {key: own[key] for key in SCHEDULE if key in own}
                checked_types(schedule, dict.fromkeys(schedule, Count), f"model.{member}.")
                _check_member(own, f"model.{member}", [*SCHEDULE, *_null(own, FROM_DATA)], settings)


def _check_member(section: Settings, where: str, later: Sequence[str], settings: Settings) -> None:
    check_importable(str(section.get("target")), importable(settings), f"{where}.target")
    if section.get("image_size") is not None:
        checked_types({"image_size": section["image_size"]}, {"image_size": ImageSize | None}, f"{where}.")
        as_size(section["image_size"], name=f"{where}.image_size")
    missing = [key for key, value in section.items() if value == "???"]
    if missing:
        raise OverpaintError(f"{where}.{missing[0]} must be given")
    check_declared(section, str(section["target"]), where, later)


def _null(section: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    return [key for key in keys if section.get(key) is None]
