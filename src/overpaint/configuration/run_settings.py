"""The settings of a run, checked as far as that takes no torch: a wrong word on the command line is said at once."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from overpaint.classifiers.options import ClassifierOptions, kind_of
from overpaint.configuration.settings import Settings, load_settings, read_settings
from overpaint.core.choices import ResizeMode, WandbMode
from overpaint.core.commands import command
from overpaint.core.errors import OverpaintError
from overpaint.core.importing import is_factory
from overpaint.core.instantiate import checked_arguments, checked_types
from overpaint.data.files.values import GivenRange
from overpaint.networks.options import GeneratorOptions

EXPLAIN_TYPES: dict[str, Any] = {
    "images": str | None,
    "resize_mode": ResizeMode,
    "range": GivenRange | None,
    "max_megapixels": float | None,
    "limit": int,
    "seeds": int,
    "output": str,
    "seed": int,
    "batch_size": int,
    "list_layers": bool,
    "target": str | int | list[str | int],
}
"""What the settings of explain.py outside the sections take."""


LOGGER_TYPES: dict[str, Any] = {"mode": WandbMode | None, "project": str}
"""What the settings of W&B take."""


def train_settings(configs: Path, overrides: Sequence[str]) -> Settings:
    """Reads the settings of ``train.py``.

    Args:
        configs: The folder of the configuration files.
        overrides: The ``key=value`` words of the command line.

    Raises:
        OverpaintError: If one is wrong.
    """
    settings = load_settings(configs, "train", overrides)
    checked_types(settings, {"output": str, "seed": int, "resume": bool})
    checked_types(settings["logger"], LOGGER_TYPES, "logger.")
    _check_output(settings)
    if not settings["model"]:
        raise OverpaintError("model=[] names nothing to train; write model=classifier, model=dcgan or both")
    if settings["resume"]:
        _check_same_settings(settings, Path(settings["output"]) / "config.yaml")
    return settings


def explain_settings(configs: Path, overrides: Sequence[str]) -> Settings:
    """Reads the settings of ``explain.py``, and finds out whether the files exist that they name.

    Args:
        configs: The folder of the configuration files.
        overrides: The ``key=value`` words of the command line.

    Raises:
        OverpaintError: If one is wrong.
    """
    settings = load_settings(configs, "explain", overrides)
    checked_types(settings, EXPLAIN_TYPES)
    checked_types(settings["logger"], LOGGER_TYPES, "logger.")
    checked_types(settings["report"], {"self_contained": bool}, "report.")
    _check_output(settings)
    if settings["limit"] < 0 or settings["batch_size"] < 1 or settings["seeds"] < 1:
        raise OverpaintError(
            f"limit={settings['limit']} must not be negative, batch_size={settings['batch_size']} and "
            f"seeds={settings['seeds']} at least 1"
        )
    if not settings["methods"]:
        raise OverpaintError("methods=[] names no saliency method; configs/saliency/ has them")
    classifier_options(settings)
    generator_options(settings)
    if settings["oracle"]["source"] is not None:
        classifier_options(settings, "oracle")
    if not settings["list_layers"]:
        check_checkpoints(settings)
    images = settings["images"]
    if images is not None and not _matches(images):
        raise OverpaintError(f"images={images} matches no image file")
    return settings


def check_checkpoints(settings: Settings) -> None:
    """Checks that the checkpoints exist.

    Raises:
        OverpaintError: If not; it says which command makes them.
    """
    source, generator = classifier_options(settings).source, settings["generator"]["source"]
    wanted = {"classifier": source if kind_of(source) == "checkpoint" else None, "generator": generator}
    missing = [
        f"{name}={path}"
        for name, path in wanted.items()
        if path is not None and not is_factory(path) and not Path(path).is_file()
    ]
    if missing:
        without = "; generator=null explains without variants" if missing[0].startswith("generator") else ""
        raise OverpaintError(
            f"there is no checkpoint {' and no '.join(missing)}; '{command('train')} "
            f"output={settings['output']}' makes them, classifier= and generator= name others{without}"
        )


def classifier_options(settings: Settings, which: str = "classifier") -> ClassifierOptions:
    """Reads what is said of the classifier, or of the ``oracle``."""
    return ClassifierOptions(**checked_arguments(ClassifierOptions, settings[which], which))


def generator_options(settings: Settings) -> GeneratorOptions | None:
    """Reads what is said of the generator; None where there is to be none."""
    if settings["generator"]["source"] is None:
        return None
    return GeneratorOptions(**checked_arguments(GeneratorOptions, settings["generator"], "generator"))


def _matches(pattern: str) -> bool:
    """Returns whether a pattern may name a file; brackets can be a pattern's or a name's, which reading finds out."""
    path = Path(pattern).expanduser()
    return "[" in pattern or path.exists() or next(glob.iglob(str(path), recursive=True), None) is not None


def _check_output(settings: Settings) -> None:
    output = Path(settings["output"])
    if output.exists() and not output.is_dir():
        raise OverpaintError(f"output={output} is a file; name a folder, which is made where there is none")


def _check_same_settings(settings: Settings, saved: Path) -> None:
    if not saved.is_file():
        raise OverpaintError(f"resume=true, but there is no run in {saved.parent}")
    before = read_settings(saved)
    differing = [section for section in ("data", "model", "seed") if before.get(section) != settings[section]]
    if before.get("trainer", {}).get("max_epochs") != settings["trainer"]["max_epochs"]:
        differing.append("trainer.max_epochs")  # the schedules of the learning rates depend on it
    if differing:
        raise OverpaintError(
            f"resume=true needs the settings of the stopped run, but '{differing[0]}' differs from {saved}; "
            f"repeat its settings, or start anew with resume=false"
        )
