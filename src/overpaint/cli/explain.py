"""What ``explain.py`` does: images, checkpoints, explanation, report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import lightning as L
from jaxtyping import UInt8
from torch import Tensor

from overpaint.classifiers.loading import open_classifier
from overpaint.cli.config import Settings, load_settings, save_settings
from overpaint.cli.console import FIRST_PROCESS, console
from overpaint.cli.fingerprints import manners, stamps
from overpaint.cli.layers import layer_table
from overpaint.cli.parts import check_checkpoints, classifier_options, make_module, with_others
from overpaint.cli.progress import QueryProgress
from overpaint.cli.trainer import guarded, trainer_options
from overpaint.core.errors import OverpaintError
from overpaint.core.files import restore_folders
from overpaint.core.instantiate import checked_arguments, checked_types, instantiate
from overpaint.core.names import row_folder
from overpaint.core.types import Classifier
from overpaint.data.annotations.reading import AnnotationOptions, read_annotations
from overpaint.data.base import ImageData, ImageSplit, PredictDataModule, Skipped
from overpaint.data.folder import read_files
from overpaint.data.reading import ResizeMode, as_image_size
from overpaint.metrics.randomisation import Randomisation
from overpaint.pipeline.cache import finished_folders, read_known
from overpaint.pipeline.lightning import ExplainerModule
from overpaint.pipeline.maps import with_seeds
from overpaint.pipeline.writer import ExplanationWriter
from overpaint.report.metric_plots import metric_plots
from overpaint.report.probe_plots import patch_charts, probe_plots
from overpaint.report.tables.leaderboard import leaderboard_table, wandb_leaderboard, wandb_pairs
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.summary import terminal_table, variants_kid, wandb_picture, wandb_table, write_summary
from overpaint.report.wandb.run import RunningScores, start_run

TYPES: dict[str, Any] = {
    "images": str | None,
    "resize_mode": ResizeMode,
    "limit": int,
    "seeds": int,
    "output": str,
    "generator": str | None,
    "seed": int,
    "batch_size": int,
    "list_layers": bool,
    "target": str | int | list[str | int],
}
"""What the settings outside the sections take."""


def explain(configs: Path, words: Sequence[str]) -> None:
    """Explains images with the checkpoints of a run.

    Args:
        configs: The folder of the configuration files.
        words: The ``key=value`` words of the command line.

    Raises:
        OverpaintError: For anything the user can mend.
    """
    settings = load_settings(configs, "explain", words)
    checked_types(settings, TYPES)
    checked_types(settings["logger"], get_type_hints(start_run), "logger.")
    if settings["limit"] < 0 or settings["batch_size"] < 1 or settings["seeds"] < 1:
        raise OverpaintError(
            f"limit={settings['limit']} must not be negative, batch_size={settings['batch_size']} and "
            f"seeds={settings['seeds']} at least 1"
        )
    if not settings["methods"]:
        raise OverpaintError("methods=[] names no saliency method; configs/saliency/ has them")
    L.seed_everything(settings["seed"], verbose=False)
    if settings["list_layers"]:
        console.print(layer_table(open_classifier(classifier_options(settings))))
        return
    check_checkpoints(settings)
    classifier = open_classifier(classifier_options(settings))
    progress = QueryProgress() if settings["trainer"]["enable_progress_bar"] else None
    module = make_module(settings, classifier, progress)
    part, real, skipped = _images(settings, classifier)
    if part.ground_truth is not None:
        module.ground_truth = dict(zip(part.names, part.ground_truth, strict=True))
    module.plan = with_others(module.plan, part.images)
    folder = Path(settings["output"]) / "explain"
    if FIRST_PROCESS:
        restore_folders(folder)
        save_settings(settings, folder / "config.yaml")
    seeded = list(with_seeds(module.plan.methods, settings["seeds"]))
    judged = [name for name, method in module.plan.methods.items() if hasattr(method, "discriminator")]
    banks = {name: part for name, probe in module.plan.probes.items() if hasattr(probe, "others")}
    pieces = manners(settings, seeded, module.plan.judge.metrics, judged, banks)
    wanted = {name: stamps(part, i, pieces) for i, name in enumerate(part.names)}
    metrics = [(method, metric) for method in module.plan.methods for metric in module.plan.judge.metrics]
    module.known = lambda image, name: read_known(
        folder / row_folder(image, name), wanted[image], seeded, metrics, list(settings["probes"])
    )
    open_ = [i for i, name in enumerate(part.names) if not finished_folders(folder, name, wanted[name])]
    if len(open_) < len(part):
        console.print(f"{len(part) - len(open_)} of {len(part)} images are explained already")
    run = None
    if FIRST_PROCESS:
        about: dict[str, Any] = {"job_type": "explain", "settings": settings, "console": console}
        run = start_run(**settings["logger"], folder=Path(settings["output"]), **about)
    try:
        if open_:
            writer = ExplanationWriter(folder, classifier.class_names, wanted, module.plan.judge.metrics)
            callbacks = [writer, RunningScores(run), *([progress] if progress else [])]
            _predict(settings, folder, module, PredictDataModule(part.chosen(open_), settings["batch_size"]), callbacks)
        if FIRST_PROCESS:
            folders = [path for name in part.names for path in finished_folders(folder, name, wanted[name])]
            _report(settings, module, folders, real, skipped, ["python explain.py", *words], run)
    finally:
        if run is not None:
            run.finish()


def _predict(
    settings: Settings, folder: Path, module: ExplainerModule, data: PredictDataModule, callbacks: list[L.Callback]
) -> None:
    """Explains the images of ``data``; the writer among the callbacks keeps each one as soon as it is done."""
    trainer = L.Trainer(
        **trainer_options(settings["trainer"]),
        inference_mode=False,  # the latent search and Grad-CAM need gradients
        logger=False,
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=callbacks,
    )
    guarded(trainer, lambda: trainer.predict(module, datamodule=data, return_predictions=False))
    for note in module.engine.notes:
        console.print(f"Note: {note}")


def _images(
    settings: Settings, classifier: Classifier
) -> tuple[ImageSplit, UInt8[Tensor, "real channel height width"], list[Skipped]]:
    """Reads the images to explain, at the classifier's size; and real images, with which variants can be compared."""
    size, channels = as_image_size(classifier.input_size, "classifier.image_size"), classifier.channels
    limit = settings["limit"]
    annotations = AnnotationOptions(**checked_arguments(AnnotationOptions, settings["annotations"], "annotations"))
    if settings["images"] is not None:
        part, skipped = read_files(str(settings["images"]), size, channels, settings["resize_mode"], limit)
        if annotations.source is not None:
            assert part.paths is not None
            objects = read_annotations(annotations, classifier.class_names, part.paths, size, settings["resize_mode"])
            part = replace(part, ground_truth=objects)
        if skipped:
            console.print(f"{len(skipped)} files could not be read and were left out; skipped.csv lists them")
        return part, part.images, skipped
    if annotations.source is not None:
        raise OverpaintError(f"annotations={annotations.source} are of files; name them with images=")
    data: ImageData = instantiate(settings["data"], "data", image_size=size, channels=channels, seed=settings["seed"])
    data.setup("test")
    if data.class_names and data.class_names != classifier.class_names:
        console.print("The data's classes are not the classifier's; labels are left out")
    return data.test.chosen(range(min(limit or len(data.test), len(data.test)))), data.test.images, data.skipped


def _report(
    settings: Settings,
    module: ExplainerModule,
    folders: list[Path],
    real: UInt8[Tensor, "real channel height width"],
    skipped: list[Skipped],
    command: list[str],
    run: Any | None,
) -> None:
    plan, folder = module.plan, Path(settings["output"]) / "explain"
    controls = [name for name, method in plan.methods.items() if getattr(method, "control", False)]
    board = Scoreboard(folders, list(plan.methods), plan.judge.metrics, controls, list(plan.probes))
    charts = [*metric_plots(board, _layers(module)), *probe_plots(board.probe_results)]
    charts += patch_charts(folders, [result["target"] for result in board.results])
    more = {"variants_kid": variants_kid(folders, real, module.classifier)} if plan.inpainter else {}
    summary = write_summary(folder, board, charts, skipped, settings, " ".join(command), more)
    if run is not None:
        run.log({"explanations": wandb_table(folders, board.methods, list(board.metrics))})
        run.log({"leaderboard": wandb_leaderboard(board.standings), "pairs": wandb_pairs(board.comparisons)})
        run.log({f"charts/{chart.name}": wandb_picture(chart.picture) for chart in charts})
        run.summary.update(summary)
    console.print(terminal_table(folders, summary))
    if board.scores:
        console.print(leaderboard_table(board.standings, board.labels, console.width))
    if board.unmeasured:
        console.print(board.unmeasured)
    console.print(f"the report is {folder / 'report.html'}")


def _layers(module: ExplainerModule) -> dict[str, list[str]]:
    """Returns, for metrics that randomise layers, the last layer that is at each point of their curves."""
    found = {}
    for name, metric in module.plan.judge.metrics.items():
        if isinstance(metric, Randomisation):
            found[name] = ["none", *(names[-1] for names in metric.stage_names(module.classifier))]
    return found
