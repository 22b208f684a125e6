"""What ``train.py`` does: data, then the classifier, then the DCGAN."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_type_hints

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger
from rich.table import Table

from overpaint.classifiers.network import NetworkClassifier, load_classifier
from overpaint.cli.console import FIRST_PROCESS, console
from overpaint.cli.trainer import guarded, trainer_options
from overpaint.configuration.settings import Settings, load_settings, read_settings, save_settings
from overpaint.core.errors import OverpaintError
from overpaint.core.files import read_csv
from overpaint.core.instantiate import checked_types, instantiate
from overpaint.core.resize import as_size, plain_size
from overpaint.data.base import UNLABELLED, ImageData, channel_statistics
from overpaint.report.generator_gallery import INTERPOLATION, NEIGHBOURS, GeneratorGallery
from overpaint.report.tables.summary import write_skipped
from overpaint.report.training import MetricsFile, SampleGrid
from overpaint.report.wandb.run import start_run

SCHEDULE = ("max_epochs", "batch_size", "evaluate_every_n_epochs")
"""Settings of a model that are the Trainer's or the loader's, not the module's."""

ORDER = ("classifier", "dcgan")
"""The classifier comes first: it judges the generator's samples."""


def train(configs: Path, words: Sequence[str]) -> None:
    """Trains what ``model`` names.

    Args:
        configs: The folder of the configuration files.
        words: The ``key=value`` words of the command line.

    Raises:
        OverpaintError: For anything the user can mend.
    """
    settings = load_settings(configs, "train", words)
    checked_types(settings, {"output": str, "seed": int, "resume": bool})
    checked_types(settings["logger"], get_type_hints(start_run), "logger.")
    if not settings["model"]:
        raise OverpaintError("model=[] names nothing to train; write model=classifier, model=dcgan or both")
    output = Path(settings["output"])
    if settings["resume"]:
        _check_same_settings(settings, output / "config.yaml")
    data = make_data(settings)
    names = [name for name in ORDER if name in settings["model"]]
    names = _without_impossible(names, data)
    for name in names:  # a wrong setting must show before anything of an earlier run is replaced
        _trainer_options(name, settings)
        _module(name, settings, data, None)
    run = _begin(settings, data, names, output) if FIRST_PROCESS else None
    logger = WandbLogger(experiment=run) if run is not None else None
    try:
        for name in names:
            _fit(name, settings, data, output, logger)
    finally:
        if run is not None:
            run.finish()
    console.print(_closing_table(output / "metrics.csv"))
    console.print(
        f"checkpoints, metrics and samples are in {output}; 'python explain.py output={output}' explains images"
    )


def _begin(settings: Settings, data: ImageData, names: list[str], output: Path) -> Any | None:
    """Prepares the run's folder, in its first process alone, and starts the W&B run."""
    save_settings(settings, output / "config.yaml")
    write_skipped(output / "skipped.csv", data.skipped)
    if data.skipped:
        console.print(f"{len(data.skipped)} files could not be read and were left out; {output}/skipped.csv lists them")
    if not settings["resume"]:
        outdated = ["metrics.csv", *(f"last-{name}.ckpt" for name in names)]
        for file in [*outdated, *([INTERPOLATION, NEIGHBOURS] if "dcgan" in names else [])]:
            (output / file).unlink(missing_ok=True)
    return start_run(**settings["logger"], folder=output, job_type="train", settings=settings, console=console)


def make_data(settings: Settings) -> ImageData:
    """Makes and reads the data set, at the size that the models ask for if the data's own is not given."""
    L.seed_everything(settings["seed"], verbose=False)
    asked = {f"model.{name}.image_size": section.get("image_size") for name, section in settings["model"].items()}
    checked_types(asked, dict.fromkeys(asked, int | Sequence[int] | None))
    sizes = [as_size(size, name=where) for where, size in asked.items() if size]
    own = settings["data"]["image_size"] or (plain_size(max(sizes, key=math.prod)) if sizes else None)
    data: ImageData = instantiate(settings["data"], "data", image_size=own, seed=settings["seed"])
    data.prepare_data()
    data.setup("fit")
    return data


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


def _without_impossible(names: list[str], data: ImageData) -> list[str]:
    """Leaves the classifier out where there are no labels to learn."""
    labelled = data.train.labels != UNLABELLED
    if "classifier" not in names or (bool(labelled.all()) and len(data.class_names) > 1):
        return names
    if bool(labelled.any()) and not bool(labelled.all()):
        some = data.train.names[int((~labelled).nonzero()[0])]
        raise OverpaintError(f"{int((~labelled).sum())} training images lie in no class folder, such as {some}")
    if names == ["classifier"]:
        raise OverpaintError("model=classifier needs at least two class folders, but the data has no such labels")
    console.print("The images have no labels (class subfolders), so only the generator is trained")
    return [name for name in names if name != "classifier"]


def _module(name: str, settings: Settings, data: ImageData, evaluator: NetworkClassifier | None) -> L.LightningModule:
    section = {k: v for k, v in settings["model"][name].items() if k not in SCHEDULE}
    size = section["image_size"] or plain_size(data.input_size)
    if name == "classifier":
        mean, std = channel_statistics(data.train.images)
        more: dict[str, Any] = {"class_names": data.class_names, "mean": mean, "std": std}
    else:
        channels = section["channels"] or data.channels
        if channels != data.channels:
            raise OverpaintError(f"model.dcgan.channels={channels} differs from data.channels={data.channels}")
        more = {"channels": channels, "evaluator": evaluator, "class_names": data.class_names}
    module: L.LightningModule = instantiate(section, f"model.{name}", image_size=size, seed=settings["seed"], **more)
    return module


def find_evaluator(path: Path, data: ImageData) -> NetworkClassifier | None:
    """Loads the classifier that judges the generator's samples; None where there is none of this domain."""
    if not path.is_file():
        console.print("There is no classifier of this domain, so the generator's samples are not judged")
        return None
    evaluator = load_classifier(path)
    if evaluator.class_names != data.class_names or evaluator.channels != data.channels:
        console.print(f"{path} knows other classes than the data, so the generator's samples are not judged")
        return None
    return evaluator


def _fit(name: str, settings: Settings, data: ImageData, output: Path, logger: WandbLogger | None) -> None:
    own = settings["model"][name]
    data.batch_size = own["batch_size"]
    evaluator = find_evaluator(output / "classifier.ckpt", data) if name == "dcgan" else None
    module = _module(name, settings, data, evaluator)
    last = output / f"last-{name}.ckpt"
    # The classifier's best epoch is kept for explaining, the DCGAN's latest.
    monitor = "classifier/val_accuracy" if name == "classifier" else "epoch"
    common: dict[str, Any] = {"dirpath": output, "enable_version_counter": False, "save_on_train_epoch_end": True}
    options = _trainer_options(name, settings)
    trainer = L.Trainer(
        **options,
        default_root_dir=output,
        logger=logger or False,
        callbacks=[
            ModelCheckpoint(filename=name, monitor=monitor, mode="max", save_weights_only=True, **common),
            ModelCheckpoint(filename=last.stem, **common),
            *([GeneratorGallery(output, data, evaluator)] if name == "dcgan" else []),
            MetricsFile(output / "metrics.csv", name),
            SampleGrid(output / "samples.png"),
        ],
        check_val_every_n_epoch=own.get("evaluate_every_n_epochs", 1),
        limit_val_batches=None if name == "classifier" or evaluator else 0,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    console.print(f"Training the {name} for {options['max_epochs']} epochs")
    path = str(last) if settings["resume"] and last.is_file() else None
    guarded(trainer, lambda: trainer.fit(module, datamodule=data, ckpt_path=path, weights_only=True))
    if evaluator and options["max_epochs"] % own["evaluate_every_n_epochs"]:
        guarded(trainer, lambda: trainer.validate(module, datamodule=data, verbose=False))
    if name == "classifier":
        best_path = str(output / "classifier.ckpt")
        guarded(
            trainer,
            lambda: trainer.test(module, datamodule=data, ckpt_path=best_path, weights_only=True, verbose=False),
        )


def _trainer_options(name: str, settings: Settings) -> dict[str, Any]:
    """Returns the Trainer's arguments for a model, and checks the model's schedule."""
    own, options = settings["model"][name], dict(settings["trainer"])
    options["max_epochs"] = own["max_epochs"] if options["max_epochs"] is None else options["max_epochs"]
    for key, value in {
        "trainer.max_epochs": options["max_epochs"],
        **{k: own[k] for k in SCHEDULE if k in own},
    }.items():
        if not isinstance(value, int) or value < 1:
            raise OverpaintError(f"model.{name}: {key}={value} must be a whole number of at least 1")
    checked = trainer_options(options)
    if name == "dcgan" and checked["strategy"] in ("auto", "ddp") and _processes(checked) > 1:
        checked["strategy"] = "ddp_find_unused_parameters_true"  # each step leaves one of the two networks alone
    return checked


def _processes(options: dict[str, Any]) -> int:
    """Returns how many processes the Trainer would start: ``auto`` depends on the machine."""
    where = {name: options[name] for name in ("accelerator", "devices", "num_nodes")}
    probe = L.Trainer(**where, callbacks=[], logger=False, enable_checkpointing=False, enable_model_summary=False)
    return probe.world_size


def _closing_table(metrics: Path) -> Table:
    last: dict[str, str] = {}
    for row in read_csv(metrics):
        last |= {k: v for k, v in row.items() if v and k not in ("model", "epoch")}
    table = Table("measure", "last value")
    for name, value in last.items():
        table.add_row(name, f"{float(value):.4g}")
    return table
