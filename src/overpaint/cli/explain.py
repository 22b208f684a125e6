"""``explain.py``: settings, parts, data, run, report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
from jaxtyping import UInt8
from torch import Tensor

from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.targets import check_target
from overpaint.cli.console import FIRST_PROCESS, console
from overpaint.cli.layers import layer_table
from overpaint.cli.progress import QueryProgress
from overpaint.cli.run_lock import run_lock
from overpaint.cli.trainer import guarded, trainer_options
from overpaint.configuration.fingerprints import artifact_keys, file_contents, image_keys
from overpaint.configuration.parts import Listeners, make_runner
from overpaint.configuration.run_record import check_earlier, explanation_record, write_record
from overpaint.configuration.run_settings import classifier_options, picture_options
from overpaint.configuration.sections import importable
from overpaint.configuration.settings import Settings, save_settings
from overpaint.core.errors import OverpaintError
from overpaint.core.files import restore
from overpaint.core.instantiate import checked_arguments, instantiate
from overpaint.core.protocols import Classifier
from overpaint.data.annotations.reading import AnnotationOptions, read_annotations
from overpaint.data.module import ImageData, PredictDataModule
from overpaint.data.pattern import read_files
from overpaint.data.reading import as_image_size
from overpaint.data.split import ImageSplit, Skipped, skipped_note
from overpaint.pipeline.cache import Cache, Wanted
from overpaint.pipeline.lightning import ExplainerModule, PredictionWriter
from overpaint.pipeline.refusals import read_refusal
from overpaint.pipeline.row_files import delete_rows
from overpaint.pipeline.runner import Runner
from overpaint.pipeline.writer import RowWriter
from overpaint.report.image_plots import image_plots
from overpaint.report.kid import COMPARED
from overpaint.report.run import print_report, write_report
from overpaint.report.wandb.run import LateRun, RunningScores, start_run

NAMED = 3
"""So many images that could not be explained are named in the terminal."""

OTHERS = 64
"""So many images of a data set, its first ones, are read for their parts."""


@dataclass(frozen=True)
class ExplainData:
    """The images of a run.

    Attributes:
        split: The images to explain.
        real: Reads real images, with which variants can be compared.
        others: Reads images whose parts can fill a region; the same ones, however many are explained.
        skipped: Files that could not be read.
    """

    split: ImageSplit
    real: Callable[[], UInt8[Tensor, "real channel height width"]]
    others: Callable[[], UInt8[Tensor, "other channel height width"]]
    skipped: Sequence[Skipped]


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
    data = _read_data(settings, classifier)
    if data.skipped:
        _say([f"{skipped_note(data.skipped)}; skipped.csv lists them"])
    runner = replace(runner, other_images=data.others() if runner.uses_other_images else None)
    with run_lock(Path(settings["output"]) / "explain"), LateRun(partial(_start_wandb, settings)) as late:
        cache = _open_cache(settings, runner, data.split)
        _predict(settings, options, runner, data.split, cache, progress, late)
        if FIRST_PROCESS:
            _report(settings, runner, data, cache, made_by, late.run)


def _read_data(settings: Settings, classifier: Classifier) -> ExplainData:
    """Reads the images to explain, at the classifier's size."""
    annotations = AnnotationOptions(**checked_arguments(AnnotationOptions, settings["annotations"], "annotations"))
    if settings["images"] is not None:
        return _read_image_files(settings, classifier, annotations)
    size, channels = as_image_size(classifier.input_size, "classifier.image_size"), classifier.channels
    limit = settings["limit"]
    data: ImageData = instantiate(
        settings["data"], "data", importable(settings), image_size=size, channels=channels, seed=settings["seed"]
    )
    data.prepare_data()
    unread = data.open_split("test")
    split, skipped = unread.read(range(min(limit or len(unread), len(unread))))
    _say(data.notes)
    if data.class_names and data.class_names != classifier.class_names:
        _say(["The data's classes are not the classifier's; labels are left out"])

    def first(count: int) -> UInt8[Tensor, "first channel height width"]:
        return unread.read(range(min(count, len(unread))))[0].images

    return ExplainData(split, lambda: first(COMPARED), lambda: first(OTHERS), skipped)


def _read_image_files(settings: Settings, classifier: Classifier, annotations: AnnotationOptions) -> ExplainData:
    size, channels = as_image_size(classifier.input_size, "classifier.image_size"), classifier.channels
    mode = settings["resize_mode"]
    split, skipped = read_files(
        str(settings["images"]), size, channels, mode, settings["limit"], picture_options(settings)
    )
    if annotations.source is not None:
        assert split.paths is not None
        objects = read_annotations(annotations, classifier.class_names, split.paths, size, mode)
        split = replace(split, ground_truth=objects)
    return ExplainData(split, lambda: split.images, lambda: split.images, skipped)


def _open_cache(settings: Settings, runner: Runner, split: ImageSplit) -> Cache:
    """Opens what earlier runs have left in the output folder, and writes this run's configuration there."""
    folder = Path(settings["output"]) / "explain"
    if FIRST_PROCESS:
        record = explanation_record(settings, file_contents(settings))
        check_earlier(settings, folder, record)
        restore(folder)
        if write_record(settings, folder, record):
            delete_rows(folder, but=set(split.names))
        save_settings(settings, folder / "config.yaml")
    keys = artifact_keys(settings, runner)
    metrics = [(method, metric) for method in runner.methods for metric in runner.metrics]
    wanted = Wanted(list(runner.seeded_methods), metrics, list(runner.probes))
    return Cache(folder, {name: image_keys(keys, split.images[i]) for i, name in enumerate(split.names)}, wanted)


def _predict(
    settings: Settings,
    options: dict[str, Any],
    runner: Runner,
    split: ImageSplit,
    cache: Cache,
    progress: QueryProgress | None,
    late: LateRun,
) -> None:
    """Explains the images that are not complete; each one is written as soon as it is done."""
    missing = [i for i, name in enumerate(split.names) if not cache.complete_folders(name)]
    if len(missing) < len(split):
        _say([f"{len(split) - len(missing)} of {len(split)} images are explained already"])
    if not missing:
        return
    class_names = list(runner.classifier.class_names)
    draw = partial(image_plots, metrics=runner.metrics, class_names=class_names, probes=runner.probes)
    writer = RowWriter(cache.folder, class_names, draw, cache.keys)
    ground_truth = None
    if split.ground_truth is not None:
        ground_truth = dict(zip(split.names, split.ground_truth, strict=True))
    module = ExplainerModule(runner, settings["target"], cache, ground_truth)
    trainer = L.Trainer(
        **options,
        inference_mode=False,  # the latent search and Grad-CAM need gradients
        logger=False,
        default_root_dir=cache.folder,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[PredictionWriter(writer), RunningScores(late), *([progress] if progress else [])],
    )
    data = PredictDataModule(split.subset(missing), settings["batch_size"])
    guarded(trainer, lambda: trainer.predict(module, datamodule=data, return_predictions=False))
    _say([f"Note: {note}" for note in runner.engine.notes])


def _report(settings: Settings, runner: Runner, data: ExplainData, cache: Cache, made_by: str, run: Any | None) -> None:
    """Writes tables, charts and the page of all images, and shows them in the terminal and in W&B."""
    folder = cache.folder
    cache.list_folder()
    folders: list[Path] = []
    refused: list[Skipped] = []
    for name in data.split.names:
        folders += (own := cache.complete_folders(name))
        if not own and (reason := read_refusal(folder, name)) is not None:
            refused.append(Skipped(name, reason, None))
    if refused:
        _say([refusals_note(refused)])
    if not folders:
        raise OverpaintError(f"no image could be explained; of {refused[0].path}: {refused[0].reason}")
    own_settings = {"settings": settings, "command": made_by, "refused": refused, **settings["report"]}
    report = write_report(folder, folders, runner, data.real, data.skipped, **own_settings)
    if run is not None:
        from overpaint.report.wandb.tables import log_report  # imports W&B, a third of a second

        if left_out := log_report(run, report, settings["logger"]["max_images"]):
            _say([left_out])
    print_report(report, console)
    _say([f"the report is {folder / 'report.html'}"])


def refusals_note(refused: Sequence[Skipped]) -> str:
    """Says which images could not be explained, and why of the first ones."""
    named = "; ".join(f"{one.path}: {one.reason}" for one in refused[:NAMED])
    more = f"; and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
    count = "1 image" if len(refused) == 1 else f"{len(refused)} images"
    return f"{count} could not be explained ({named}{more}); skipped.csv says why"


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
