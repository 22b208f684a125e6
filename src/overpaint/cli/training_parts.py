"""The data, the modules and the Trainer's options of a training run, from the configuration."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L

from overpaint.classifiers.network import NetworkClassifier, load_classifier
from overpaint.cli.console import console
from overpaint.cli.data_sets import data_class
from overpaint.cli.trainer import number_of_processes, trainer_options
from overpaint.configuration.sections import SCHEDULE, importable
from overpaint.configuration.settings import Settings
from overpaint.core.choices import MODELS
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_types, instantiate
from overpaint.core.sizes import as_size, plain_size
from overpaint.data.domain import DomainData
from overpaint.data.split import UNLABELLED, channel_statistics, class_shares, have_classes


def make_data(settings: Settings) -> DomainData:
    """Makes and reads the data set, at the size that the models ask for if the data's own is not given.

    Raises:
        OverpaintError: If a setting is wrong, or the data are not there.
    """
    L.seed_everything(settings["seed"], verbose=False)
    section, kind = settings["data"], data_class(settings)
    asked = [_asked_size(name, settings, kind.dimensions) for name in settings["model"]]
    sizes = [size for size in asked if size is not None]
    argument = kind.size_argument(max(sizes, key=math.prod)) if sizes else {}
    missing = {name: value for name, value in argument.items() if section.get(name) is None}
    data: DomainData = instantiate(section, "data", importable(settings), **missing, seed=settings["seed"])
    data.prepare_data()
    data.setup("fit")
    return data


def _asked_size(model: str, settings: Settings, dimensions: int) -> tuple[int, ...] | None:
    """Returns the size that a model's settings ask for; None: the data's."""
    where, size = f"model.{model}.image_size", settings["model"][model].get("image_size")
    checked_types({where: size}, {where: int | Sequence[int] | None})
    return as_size(size, dimensions, where) if size else None


def trainable_models(settings: Settings, data: DomainData) -> list[str]:
    """Returns the models to train, in their order; without the classifier where there are no labels to learn.

    Raises:
        OverpaintError: If only some of the images have labels, or nothing is left.
    """
    models = [name for name in MODELS if name in settings["model"]]
    if "classifier" not in models or have_classes(data.train.labels, len(data.class_names)):
        return models
    labelled = data.train.labels != UNLABELLED
    if bool(labelled.any()) and not bool(labelled.all()):
        some = data.train.names[int((~labelled).nonzero()[0])]
        raise OverpaintError(f"{int((~labelled).sum())} training images lie in no class folder, such as {some}")
    if models == ["classifier"]:
        raise OverpaintError("model=classifier needs at least two class folders, but the data has no such labels")
    console.print("The training examples have no labels, so only the generator is trained")
    return [name for name in models if name != "classifier"]


def make_module(
    model: str, settings: Settings, data: DomainData, evaluator: NetworkClassifier | None = None
) -> L.LightningModule:
    """Makes the Lightning module of a model.

    Raises:
        OverpaintError: If a setting is wrong or does not fit the data.
    """
    section = {key: value for key, value in settings["model"][model].items() if key not in SCHEDULE}
    size = plain_size(_asked_size(model, settings, data.dimensions) or data.input_size)
    scale = None if data.scale is None else data.scale.settings
    if model == "classifier":
        mean, std = channel_statistics(data.train.images)
        more: dict[str, Any] = {"class_names": data.class_names, "mean": mean, "std": std, "scale": scale}
    else:
        channels = section["channels"] or data.channels
        if channels != data.channels:
            raise OverpaintError(f"model.dcgan.channels={channels} differs from data.channels={data.channels}")
        more = {
            "channels": channels,
            "evaluator": evaluator,
            "class_names": data.class_names,
            "class_shares": class_shares(data.train.labels, len(data.class_names)),
            "scale": scale,
        }
    module: L.LightningModule = instantiate(
        section, f"model.{model}", importable(settings), image_size=size, seed=settings["seed"], **more
    )
    return module


def find_evaluator(path: Path, data: DomainData) -> NetworkClassifier | None:
    """Loads the classifier that evaluates the generator's samples; None where there is none of this domain."""
    if not path.is_file():
        console.print("There is no classifier of this domain, so the generator's samples are not evaluated")
        return None
    evaluator = load_classifier(path)
    differing = {
        "other classes": evaluator.class_names != data.class_names,
        "other channels": evaluator.channels != data.channels,
        "another scale of the series": evaluator.scale != data.scale,
    }
    for what, differs in differing.items():
        if differs:
            said = f"{path} knows {what} than the data, so the generator's samples are not evaluated"
            console.print(said, markup=False)
            return None
    return evaluator


def check_batches(model: str, settings: Settings, data: DomainData) -> None:
    """Checks that an epoch has a batch: without one, trained checkpoints would be replaced by untrained ones.

    Raises:
        OverpaintError: If ``trainer.limit_train_batches`` is too small a share.
    """
    share, size = settings["trainer"]["limit_train_batches"], settings["model"][model]["batch_size"]
    batches = max(1, len(data.shown_in_epoch()) // size)
    if isinstance(share, float) and int(share * batches) < 1:
        raise OverpaintError(
            f"trainer.limit_train_batches={share} of the {batches} batches of model.{model} is none; nothing would be "
            "trained"
        )


def model_trainer_options(model: str, settings: Settings) -> dict[str, Any]:
    """Returns the Trainer's arguments for a model.

    Raises:
        OverpaintError: If a setting is wrong.
    """
    own, options = settings["model"][model], dict(settings["trainer"])
    options["max_epochs"] = own["max_epochs"] if options["max_epochs"] is None else options["max_epochs"]
    checked = trainer_options(options)
    if model == "dcgan" and checked["strategy"] in ("auto", "ddp") and number_of_processes(checked) > 1:
        checked["strategy"] = "ddp_find_unused_parameters_true"  # each step leaves one of the two networks alone
    return checked
