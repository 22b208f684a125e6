"""``train.py``: data, then the classifier, then the DCGAN."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import WandbLogger
from rich.markup import escape
from rich.table import Table

from overpaint.classifiers.network import NetworkClassifier
from overpaint.cli.checkpoints import EpochCheckpoint, last_checkpoint, resumable_checkpoint
from overpaint.cli.console import FIRST_PROCESS, console
from overpaint.cli.run_lock import run_lock
from overpaint.cli.trainer import guarded
from overpaint.cli.training_parts import (
    check_batches,
    find_evaluator,
    make_data,
    make_module,
    model_trainer_options,
    trainable_models,
)
from overpaint.configuration.run_record import RunRecord, check_earlier, read_record, training_record, write_record
from overpaint.configuration.settings import Settings, save_settings
from overpaint.core.commands import command
from overpaint.core.errors import OverpaintError
from overpaint.core.files import read_csv, restore
from overpaint.data.domain import DomainData
from overpaint.data.split import skipped_note
from overpaint.report.csv_logger import OF_CLASS, CsvLogger
from overpaint.report.generator_gallery import INTERPOLATION, NEIGHBOURS, GeneratorGallery
from overpaint.report.sample_grid import SAMPLES, SampleGrid
from overpaint.report.tables.summary import write_skipped
from overpaint.report.wandb.run import start_run
from overpaint.training.checkpoint_io import DurableCheckpointIO, previous_checkpoint

MOST_SHOWN = 60
"""Of more measures of single classes the terminal shows none."""


def train_models(settings: Settings) -> None:
    """Trains what ``model`` names.

    Args:
        settings: The settings of ``train.py``.

    Raises:
        OverpaintError: For anything the user can mend.
    """
    data = make_data(settings)
    models = trainable_models(settings, data)
    for model in models:  # a wrong setting must show before anything of an earlier run is replaced
        model_trainer_options(model, settings)
        check_batches(model, settings, data)
        make_module(model, settings, data)
    with run_lock(Path(settings["output"])):
        if FIRST_PROCESS:
            restore(Path(settings["output"]))
        missing = _missing(models, settings)
        if missing:
            _train(missing, settings, data)
        else:
            console.print(f"{settings['output']} is trained already; overwrite=true trains it anew", markup=False)
    _report(Path(settings["output"]))


def _missing(models: Sequence[str], settings: Settings) -> list[str]:
    """Returns the models that an earlier run has not trained to their end.

    Raises:
        OverpaintError: If one was stopped, and neither ``resume`` nor ``overwrite`` says what becomes of it.
    """
    output = Path(settings["output"])
    check_earlier(settings, output, training_record(settings))
    earlier = read_record(output, settings["overwrite"])
    finished = () if earlier is None or settings["overwrite"] else earlier.finished
    missing = [model for model in models if model not in finished]
    stopped = [model for model in missing if last_checkpoint(output, model).is_file()]
    if stopped and not settings["resume"] and not settings["overwrite"]:
        raise OverpaintError(
            f"{output} holds a training of the {stopped[0]} that was stopped; resume=true goes on with it, "
            "overwrite=true starts anew"
        )
    return missing


def _train(models: Sequence[str], settings: Settings, data: DomainData) -> None:
    """Trains models in the run's folder."""
    output = Path(settings["output"])
    run, said = _begin(settings, data, models) if FIRST_PROCESS else None, len(data.notes)
    wandb = WandbLogger(experiment=run) if run is not None else None
    try:
        for model in models:
            _fit(model, settings, data, wandb)
            if FIRST_PROCESS:
                write_skipped(output / "skipped.csv", data.skipped)  # again: the test split has been read since
                finished = RunRecord(training_record(settings).settings, finished=[model])
                earlier = read_record(output)
                (finished if earlier is None else earlier.joined(finished)).write(output)
    finally:
        if run is not None:
            run.finish()
    for note in data.notes[said:]:
        console.print(note, markup=False)


def _begin(settings: Settings, data: DomainData, models: Sequence[str]) -> Any | None:
    """Prepares the run's folder, in its first process alone, and starts the W&B run."""
    output = Path(settings["output"])
    write_record(settings, output, training_record(settings))
    save_settings(settings, output / "config.yaml")
    write_skipped(output / "skipped.csv", data.skipped)
    if data.skipped:
        console.print(f"{skipped_note(data.skipped)}; {output}/skipped.csv lists them", markup=False)
    for note in data.notes:
        console.print(note, markup=False)
    if settings["overwrite"]:
        lasts = [last_checkpoint(output, model) for model in models]
        outdated = [*lasts, *map(previous_checkpoint, lasts)]
        for path in [*outdated, *(output / name for name in (INTERPOLATION, NEIGHBOURS) if "dcgan" in models)]:
            path.unlink(missing_ok=True)
    return start_run(**settings["logger"], folder=output, job_type="train", settings=settings, console=console)


def _fit(model: str, settings: Settings, data: DomainData, wandb: WandbLogger | None) -> None:
    """Trains a model and measures what came out."""
    output, own = Path(settings["output"]), settings["model"][model]
    data.batch_size = own["batch_size"]
    evaluator = find_evaluator(output / "classifier.ckpt", data) if model == "dcgan" else None
    module = make_module(model, settings, data, evaluator)
    options, table = model_trainer_options(model, settings), CsvLogger(output / "metrics.csv", model)
    trainer = L.Trainer(
        **options,
        default_root_dir=output,
        plugins=[DurableCheckpointIO()],
        logger=[table] if wandb is None else [table, wandb],
        callbacks=_callbacks(model, output, data, evaluator, wandb, table),
        check_val_every_n_epoch=own.get("evaluate_every_n_epochs", 1),
        limit_val_batches=None if model == "classifier" or evaluator else 0,
        num_sanity_val_steps=0,
        enable_model_summary=False,
    )
    console.print(f"Training the {model} for {options['max_epochs']} epochs")
    common: dict[str, Any] = {"model": module, "datamodule": data, "weights_only": True}
    stopped, note = resumable_checkpoint(output, model) if settings["resume"] else (None, "")
    if note:
        console.print(f"Note: {note}", markup=False)
    guarded(trainer, lambda: trainer.fit(**common, ckpt_path=stopped))
    if evaluator and options["max_epochs"] % own["evaluate_every_n_epochs"]:
        with table.row("end"):
            guarded(trainer, lambda: trainer.validate(**common, verbose=False))
    if model == "classifier":
        with table.row("test"):
            guarded(trainer, lambda: trainer.test(**common, ckpt_path=output / "classifier.ckpt", verbose=False))


def _callbacks(
    model: str,
    output: Path,
    data: DomainData,
    evaluator: NetworkClassifier | None,
    wandb: WandbLogger | None,
    table: CsvLogger,
) -> list[L.Callback]:
    """Returns what keeps checkpoints and, of the DCGAN, draws pictures."""
    # The classifier's best epoch is kept for explaining, the DCGAN's latest.
    monitor = "classifier/val_accuracy" if model == "classifier" else "epoch"
    pictures: list[L.Callback] = []
    if model == "dcgan":
        pictures = [GeneratorGallery(output, data, evaluator, wandb), SampleGrid(output / SAMPLES, wandb)]
    return [
        *pictures,
        EpochCheckpoint(table, dirpath=output, filename=model, monitor=monitor, mode="max", save_weights_only=True),
        EpochCheckpoint(table, dirpath=output, filename=last_checkpoint(output, model).stem),
    ]


def _report(output: Path) -> None:
    """Prints the last value of each measure, and what can be done next."""
    last: dict[str, str] = {}
    for row in read_csv(output / "metrics.csv"):
        last |= {name: value for name, value in row.items() if value and name not in ("model", "epoch")}
    if sum(bool(OF_CLASS.search(name)) for name in last) > MOST_SHOWN:
        last = {name: value for name, value in last.items() if not OF_CLASS.search(name)}
        console.print(f"what was measured of each class is in {output / 'metrics.csv'}", markup=False)
    table = Table("measure", "last value")
    for name, value in last.items():
        table.add_row(escape(name), f"{float(value):.4g}")
    console.print(table)
    console.print(f"checkpoints, metrics and samples are in {output}; {_next_step(output)}", markup=False)


def _next_step(output: Path) -> str:
    """Returns the sentence that names the command with which these checkpoints explain images."""
    base = f"{command('explain')} {shlex.quote(f'output={output}')}"
    if not (output / "classifier.ckpt").is_file():
        other = "classifier=torchvision:resnet50 classifier.weights=DEFAULT"
        return f"a classifier of these images must be named to explain them, for photographs such as:\n  {base} {other}"
    without = "" if (output / "dcgan.ckpt").is_file() else " generator=null"
    return f"this explains images:\n  {base}{without}"
