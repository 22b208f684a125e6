"""The settings of a run, read and checked without torch."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from overpaint.classifiers.options import ClassifierOptions
from overpaint.configuration.named_files import (
    check_baselines,
    check_checkpoints,
    check_classifier_files,
    check_data,
    check_generator_files,
    check_images,
)
from overpaint.configuration.run_record import check_earlier, explanation_record, read_record, training_record
from overpaint.configuration.sections import check_sections
from overpaint.configuration.settings import Settings, load_settings
from overpaint.core.bounds import Count, CountOrNone, Positive, Seed
from overpaint.core.choices import ChannelMode, ResizeMode
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_arguments, checked_types
from overpaint.data.files.values import GivenRange, PictureOptions
from overpaint.networks.options import GeneratorOptions
from overpaint.report.wandb.mode import wandb_mode

COMMON_TYPES: dict[str, Any] = {
    "output": str,
    "seed": Seed,
    "overwrite": bool,
    "allow_import": Sequence[str],
    "debug": bool,
}
"""What the settings of both programs outside the sections take."""

EXPLAIN_TYPES: dict[str, Any] = {
    "images": str | None,
    "resize_mode": ResizeMode,
    "range": GivenRange | None,
    "max_megapixels": Positive | None,
    "limit": CountOrNone,
    "channels": ChannelMode,
    "seeds": Count,
    "batch_size": Count,
    "data_workers": CountOrNone | None,
    "list_layers": bool,
    "allow_code": bool,
    "overwrite": bool,
    "target": str | int | list[str | int],
}
"""What the settings of explain.py outside the sections take."""


def train_settings(configs: Path, overrides: Sequence[str]) -> Settings:
    """Reads the settings of ``train.py``.

    Args:
        configs: The folder of the configuration files.
        overrides: The ``key=value`` words of the command line.

    Raises:
        OverpaintError: If one is wrong.
    """
    settings = load_settings(configs, "train", overrides)
    checked_types(settings, COMMON_TYPES | {"resume": bool})
    if not settings["model"]:
        raise OverpaintError("model=[] names nothing to train; write model=classifier, model=dcgan or both")
    _check_common(settings)
    check_data(settings["data"])
    output = Path(settings["output"])
    if settings["resume"] and settings["overwrite"]:
        raise OverpaintError("resume=true goes on with what overwrite=true would replace; choose one")
    if settings["resume"] and read_record(output) is None:
        raise OverpaintError(f"resume=true, but there is no run in {output}")
    check_earlier(settings, output, training_record(settings))
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
    checked_types(settings, COMMON_TYPES | EXPLAIN_TYPES)
    _check_common(settings)
    if not settings["methods"]:
        raise OverpaintError("methods=[] names no saliency method; configs/saliency/ has them")
    if settings["probes"] and settings["generator"]["source"] is None:
        raise OverpaintError(f"probes={list(settings['probes'])} ask about variants, but generator=null makes none")
    picture_options(settings)
    _check_networks(settings)
    if not settings["list_layers"]:
        check_images(settings)
        check_baselines(settings)
        if settings["images"] is None:
            check_data(settings["data"])
        check_earlier(settings, Path(settings["output"]) / "explain", explanation_record(settings, {}))
    return settings


def _check_networks(settings: Settings) -> None:
    """Checks what is said of the networks, and that their files exist."""
    classifier, generator = classifier_options(settings), generator_options(settings)
    oracle = classifier_options(settings, "oracle") if settings["oracle"]["source"] is not None else None
    if not settings["list_layers"]:
        check_checkpoints(settings)
        if generator is not None:
            check_generator_files(generator)
        if oracle is not None:
            check_classifier_files(oracle, "oracle")
    check_classifier_files(classifier, "classifier")


def classifier_options(settings: Settings, which: str = "classifier") -> ClassifierOptions:
    """Reads what is said of the classifier, or of the ``oracle``."""
    own = settings[which] | {"allow_code": settings["allow_code"]}
    return ClassifierOptions(**checked_arguments(ClassifierOptions, own, which))


def generator_options(settings: Settings) -> GeneratorOptions | None:
    """Reads what is said of the generator; None where there is to be none."""
    if settings["generator"]["source"] is None:
        return None
    return GeneratorOptions(**checked_arguments(GeneratorOptions, settings["generator"], "generator"))


def picture_options(settings: Settings) -> PictureOptions:
    """Reads how the values of picture files are read: as said, else as in the data that the run was trained with.

    Raises:
        OverpaintError: If a setting is wrong.
    """
    own = PictureOptions()
    defaults = {"range": own.value_range, "max_megapixels": own.max_megapixels}
    chosen = {
        name: settings["data"].get(name, default) if settings[name] is None else settings[name]
        for name, default in defaults.items()
    }
    return PictureOptions.of(chosen["range"], chosen["max_megapixels"], "")


def _check_common(settings: Settings) -> None:
    """Checks the settings that both entry points have."""
    check_sections(settings)
    wandb_mode(settings["logger"]["mode"])
    output = Path(settings["output"])
    for each in (output, *output.parents):
        if each.exists() and not each.is_dir():
            which = "is a file" if each == output else f"lies in {each}, which is a file"
            raise OverpaintError(f"output={output} {which}; name a folder, which is made where there is none")
    nearest = next(each for each in (output, *output.absolute().parents) if each.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OverpaintError(f"output={output} can't be made or written to: {nearest} is not yours to write in")
