"""``explain.py``: settings, parts, data, run, report."""

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache as once
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L

from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.targets import check_target
from overpaint.cli.console import FIRST_PROCESS, console
from overpaint.cli.explain_data import ExplainData, check_readable, open_data
from overpaint.cli.index_callback import IndexCallback
from overpaint.cli.layers import layer_table
from overpaint.cli.processes import is_launched
from overpaint.cli.progress import QueryProgress
from overpaint.cli.run_lock import run_lock
from overpaint.cli.trainer import guarded, trainer_options
from overpaint.configuration.fingerprints import ImageKeys, artifact_keys, file_contents, index_key, report_key
from overpaint.configuration.parts import Listeners, make_runner
from overpaint.configuration.run_record import check_earlier, explanation_record, write_record
from overpaint.configuration.run_settings import classifier_options
from overpaint.configuration.settings import Settings, save_settings
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.files import ignores_case, restore
from overpaint.core.names import case_twins
from overpaint.core.value_range import Noun, noun_of
from overpaint.data.ahead import ImagesAhead, default_workers
from overpaint.data.files.values import remarks
from overpaint.data.module import PredictDataModule
from overpaint.data.split import Skipped, UnreadSplit, skipped_note
from overpaint.pipeline.cache import Cache, Wanted
from overpaint.pipeline.index import report_state
from overpaint.pipeline.lightning import Barrier, ExplainerModule, PredictionWriter
from overpaint.pipeline.row_files import delete_rows
from overpaint.pipeline.runner import Runner
from overpaint.pipeline.writer import RowWriter
from overpaint.report.image_plots import image_plots
from overpaint.report.run import print_report, write_report
from overpaint.report.wandb.run import LateRun, RunningScores, start_run

NAMED = 3
"""So many images that could not be explained are named in the terminal."""


def explain_images(settings: Settings, made_by: str) -> None:
    """Explains images with the checkpoints of a run.

    Args:
        settings: The settings of ``explain.py``.
        made_by: The command that does it, for the report.

    Raises:
        OverpaintError: For anything the user can mend.
    """
    L.seed_everything(settings["seed"], verbose=False)
    if settings["list_layers"]:
        console.print(layer_table(open_classifier(classifier_options(settings))))
        return
    classifier = open_classifier(classifier_options(settings))
    options = trainer_options(settings["trainer"])
    progress = QueryProgress() if settings["trainer"]["enable_progress_bar"] else None
    runner, notes = make_runner(settings, classifier, progress.listeners if progress else Listeners())
    check_target(settings["target"], classifier.class_names)
    _say([f"Note: {note}" for note in notes])
    data = open_data(settings, classifier)
    if FIRST_PROCESS:
        check_readable(data)
    _say(data.notes)
    runner = replace(runner, other_images=data.others() if runner.uses_other_images else None)
    with run_lock(Path(settings["output"]) / "explain"), LateRun(partial(_start_wandb, settings)) as late:
        found = _open_index(settings, runner, data.split)
        _predict(settings, options, runner, data.split, found, progress, late)
        if FIRST_PROCESS:
            _end(settings, runner, data, found, made_by, late)


def _open_index(settings: Settings, runner: Runner, split: UnreadSplit) -> IndexCallback:
    """Opens what earlier runs have left in the output folder, and writes this run's configuration there."""
    folder = Path(settings["output"]) / "explain"
    if FIRST_PROCESS:
        record = explanation_record(settings, file_contents(settings))
        check_earlier(settings, folder, record)
        restore(folder)
        _check_names(folder, split)
        if write_record(settings, folder, record):
            delete_rows(folder, but=set(_names(split)))
        save_settings(settings, folder / "config.yaml")
    keys = artifact_keys(settings, runner)
    metrics = [(method, metric) for method in runner.methods for metric in runner.metrics]
    wanted = Wanted(list(runner.seeded_methods), metrics, list(runner.probes))
    digests: dict[str, str] = {}
    cache = Cache(folder, ImageKeys(keys, digests), wanted)
    return IndexCallback(cache, digests, index_key(settings, keys), FIRST_PROCESS, settings["overwrite"])


def _names(split: UnreadSplit) -> Iterator[str]:
    """Yields the names of images, as far as they are known before they are read."""
    if split.stamp is not None:
        for index in range(len(split)):
            yield split.stamp(index).name


def _check_names(folder: Path, split: UnreadSplit) -> None:
    """Checks that no two images would be written into one folder.

    Raises:
        OverpaintError: If the file system ignores case, and two names differ in nothing else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if ignores_case(folder) and (twins := case_twins(_names(split))):
        raise OverpaintError(
            f"{folder} can't tell the images {twins[0]} and {twins[1]} apart, for its file system ignores case; rename "
            "one, or name an output= elsewhere"
        )


def _predict(
    settings: Settings,
    options: dict[str, Any],
    runner: Runner,
    split: UnreadSplit,
    found: IndexCallback,
    progress: QueryProgress | None,
    late: LateRun,
) -> None:
    """Explains the images that are not complete; each one is written as soon as it is done."""
    pending = once(lambda: found.pending(split))
    if not is_launched(os.environ) and not pending():  # others would wait for this process
        return
    cache, class_names = found.cache, list(runner.classifier.class_names)
    draw = partial(image_plots, metrics=runner.metrics, class_names=class_names, probes=runner.probes)
    writer = PredictionWriter(
        RowWriter(cache.folder, class_names, draw, cache.keys, found.source_of), found.written, found.refuse
    )
    trainer = L.Trainer(
        **options,
        inference_mode=False,  # the latent search and Grad-CAM need gradients
        logger=False,
        default_root_dir=cache.folder,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[writer, found, Barrier(), RunningScores(late), *([progress] if progress else [])],
    )

    def open_batches(indices: Sequence[int]) -> ImagesAhead:
        workers = settings["data_workers"]
        if workers is None:
            workers = default_workers(len(indices), trainer.num_devices)
        return ImagesAhead(split, indices, settings["batch_size"], workers, found.take, found.skip)

    module = ExplainerModule(runner, settings["target"], cache, found.objects)
    data = PredictDataModule(pending, open_batches)
    guarded(trainer, lambda: trainer.predict(module, datamodule=data, return_predictions=False))
    _say([f"Note: {note}" for note in runner.engine.notes])


def _end(
    settings: Settings, runner: Runner, data: ExplainData, found: IndexCallback, made_by: str, late: LateRun
) -> None:
    """Says what was found out about the images, and reports it unless the report there says the same.

    Raises:
        OverpaintError: If no image could be explained.
    """
    count, folder, noun = len(data.split), found.cache.folder, noun_of(runner.classifier.input_size)
    found.gather(count)
    _say_left_out(settings, found, noun)
    if known := found.known + found.found:
        _say([f"{known} of {count} {noun.several} are explained already"])
    key = report_key(settings, found.now)
    if found.before.report == f"{key} {report_state(folder)}":
        found.now.report = found.before.report
        _say([f"nothing has changed; the report is {folder / 'report.html'}"])
    else:
        _report(settings, runner, data, found, made_by, late.run)
        found.now.report = f"{key} {report_state(folder)}"
    found.save()


def _say_left_out(settings: Settings, found: IndexCallback, noun: Noun) -> None:
    """Says which images or series were left out, and what is odd about the others.

    Raises:
        OverpaintError: If there are no others.
    """
    if found.skipped:
        _say([f"{skipped_note(found.skipped)}; skipped.csv lists them"])
    for said in remarks(found.extents, "" if settings["images"] is not None else "data."):
        warnings.warn(said, OverpaintWarning, stacklevel=2)
    if found.refused:
        _say([refusals_note(found.refused, noun)])
    if not found.now.entries:
        first = [*found.refused, *found.skipped][0]
        raise OverpaintError(f"no {noun.one} could be explained; of {first.path}: {first.reason}")


def _report(
    settings: Settings, runner: Runner, data: ExplainData, found: IndexCallback, made_by: str, run: Any | None
) -> None:
    """Writes tables, charts and the page of all images, and shows them in the terminal and in W&B."""
    folder = found.cache.folder
    own_settings = {"settings": settings, "command": made_by, "refused": found.refused, **settings["report"]}
    report = write_report(folder, found.folders, runner, data.real, found.skipped, **own_settings)
    if run is not None:
        from overpaint.report.wandb.tables import log_report  # imports W&B, a third of a second

        if left_out := log_report(run, report, settings["logger"]["max_images"]):
            _say([left_out])
    print_report(report, console)
    _say([f"the report is {folder / 'report.html'}"])


def refusals_note(refused: Sequence[Skipped], noun: Noun) -> str:
    """Says which images or series could not be explained, and why of the first ones."""
    named = "; ".join(f"{one.path}: {one.reason}" for one in refused[:NAMED])
    more = f"; and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
    return f"{noun.counted(len(refused))} could not be explained ({named}{more}); skipped.csv says why"


def _start_wandb(settings: Settings) -> Any | None:
    """Starts the W&B run in the first process."""
    if not FIRST_PROCESS:
        return None
    about: dict[str, Any] = {"job_type": "explain", "settings": settings, "console": console}
    logger = settings["logger"]
    return start_run(logger["mode"], Path(settings["output"]), logger["project"], **about)


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, markup=False)
