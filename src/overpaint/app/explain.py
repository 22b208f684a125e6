"""What ``explain.py`` does: images, checkpoints, explanation, report."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import lightning as L

from overpaint.app.build import build, check_types, checked_arguments, trainer_options
from overpaint.app.console import FIRST_PROCESS, console, guarded
from overpaint.app.progress import QueryProgress
from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.options import ClassifierOptions, content_of, kind_of
from overpaint.config import Settings, load_settings, save_settings
from overpaint.data.base import ImageData, ImagePart, PartData, Skipped
from overpaint.data.folder import read_files
from overpaint.data.reading import Fit
from overpaint.errors import OverpaintError
from overpaint.inversion import LatentSearch
from overpaint.modules.explainer import ExplainerModule
from overpaint.networks.checkpoint import load_dcgan
from overpaint.networks.dcgan import Discriminator
from overpaint.perturbation.baselines import BASELINE_WORDS
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.proposals import PerturbationMethod
from overpaint.region import RegionRule
from overpaint.report.summary import terminal_table, wandb_table, write_summary
from overpaint.report.tracking import start_run
from overpaint.report.writer import ExplanationWriter, fingerprint, finished_folders
from overpaint.types import Classifier, SaliencyMethod
from overpaint.variants import VariantMaker

EXPLAINING = ("saliency", "methods", "region", "search", "variants", "target", "seed", "engine")
"""The sections on which an explanation depends."""

TYPES: dict[str, Any] = {
    "images": str | None,
    "fit": Fit,
    "limit": int,
    "output": str,
    "generator": str | None,
    "seed": int,
    "batch_size": int,
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
    check_types(settings, TYPES)
    check_types(settings["logger"], get_type_hints(start_run), "logger.")
    if settings["limit"] < 0 or settings["batch_size"] < 1:
        raise OverpaintError(
            f"limit={settings['limit']} must not be negative and batch_size={settings['batch_size']} at least 1"
        )
    if not settings["methods"]:
        raise OverpaintError("methods=[] names no saliency method; configs/saliency/ has them")
    L.seed_everything(settings["seed"], verbose=False)
    _check_checkpoints(settings)
    classifier = open_classifier(_classifier_options(settings))
    progress = QueryProgress() if settings["trainer"]["enable_progress_bar"] else None
    module = _module(settings, classifier, progress)
    part, skipped = _images(settings, classifier)
    folder = Path(settings["output"]) / "explain"
    if FIRST_PROCESS:
        save_settings(settings, folder / "config.yaml")
    how = _how(settings)
    stamps = {name: fingerprint(part, i, how) for i, name in enumerate(part.names)}
    open_ = [i for i, name in enumerate(part.names) if not finished_folders(folder, name, stamps[name])]
    if len(open_) < len(part):
        console.print(f"{len(part) - len(open_)} of {len(part)} images are explained already")
    options = trainer_options(settings["trainer"])
    trainer = L.Trainer(
        **options,
        inference_mode=False,  # the latent search and Grad-CAM need gradients
        logger=False,
        default_root_dir=folder,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[ExplanationWriter(folder, classifier.class_names, stamps), *([progress] if progress else [])],
    )
    if open_:
        data = PartData(part.chosen(open_), settings["batch_size"])
        guarded(trainer, lambda: trainer.predict(module, datamodule=data, return_predictions=False))
        for note in module.engine.notes:
            console.print(f"Note: {note}")
    if trainer.is_global_zero:
        _report(settings, folder, part, stamps, skipped, ["python explain.py", *words])


def _check_checkpoints(settings: Settings) -> None:
    """Says which command makes the checkpoints that are not there."""
    source = _classifier_options(settings).source
    wanted = {"classifier": source if kind_of(source) == "checkpoint" else None, "generator": settings["generator"]}
    missing = [f"{name}={path}" for name, path in wanted.items() if path is not None and not Path(path).is_file()]
    if missing:
        without = "; generator=null explains without variants" if missing[0].startswith("generator") else ""
        raise OverpaintError(
            f"there is no checkpoint {' and no '.join(missing)}; 'python train.py output={settings['output']}' makes "
            f"them, classifier= and generator= name others{without}"
        )


def _classifier_options(settings: Settings) -> ClassifierOptions:
    return ClassifierOptions(**checked_arguments(ClassifierOptions, settings["classifier"], "classifier"))


def _module(settings: Settings, classifier: Classifier, progress: QueryProgress | None) -> ExplainerModule:
    dcgan = None if settings["generator"] is None else load_dcgan(Path(settings["generator"]))
    judge = dcgan[1] if dcgan else None
    methods = {
        name: _method(name, section, settings, classifier, judge) for name, section in settings["saliency"].items()
    }
    more = {"classifier": classifier, "on_answers": progress.answered if progress else None}
    engine = Engine(**checked_arguments(Engine, settings["engine"] | more, "engine"))
    rule = RegionRule(**checked_arguments(RegionRule, settings["region"], "region"))
    search = LatentSearch(**checked_arguments(LatentSearch, settings["search"], "search"))
    maker = None
    if dcgan is not None:
        generator, discriminator = dcgan
        if generator.channels != classifier.channels:
            raise OverpaintError(
                f"generator={settings['generator']} paints {generator.channels} channels, but the classifier takes "
                f"{classifier.channels}"
            )
        parts = {"generator": generator, "discriminator": discriminator, "search": search, "rule": rule}
        maker = VariantMaker(**checked_arguments(VariantMaker, settings["variants"] | parts, "variants"))
    return ExplainerModule(classifier, methods, rule, maker, settings["target"], engine)


def _method(
    name: str, section: Settings, settings: Settings, classifier: Classifier, judge: Discriminator | None
) -> SaliencyMethod | PerturbationMethod:
    """Builds a method; a baseline that is no word is an image file, and a method that takes a discriminator gets it."""
    more = {}
    if (path := _baseline_file(section)) is not None:
        if not Path(path).is_file():
            raise OverpaintError(f"saliency.{name}.baseline={path} is none of {', '.join(BASELINE_WORDS)}, nor a file")
        part, _ = read_files(path, classifier.image_size, classifier.channels, settings["fit"], 1)
        more["baseline"] = part.images[0].float() / 255
    method: Any = build(section, f"saliency.{name}", **more)
    if hasattr(method, "discriminator"):
        method = replace(method, discriminator=judge)
    built: SaliencyMethod | PerturbationMethod = method
    return built


def _baseline_file(section: Settings) -> str | None:
    """Returns what a method's baseline names if it is none of the words."""
    baseline = section.get("baseline")
    return None if baseline is None or baseline in BASELINE_WORDS else str(baseline)


def _images(settings: Settings, classifier: Classifier) -> tuple[ImagePart, list[Skipped]]:
    """Reads the images to explain, at the classifier's size."""
    size, channels, limit = classifier.image_size, classifier.channels, settings["limit"]
    if settings["images"] is not None:
        part, skipped = read_files(str(settings["images"]), size, channels, settings["fit"], limit)
        if skipped:
            console.print(f"{len(skipped)} files could not be read and were left out; skipped.csv lists them")
        return part, skipped
    data: ImageData = build(settings["data"], "data", image_size=size, channels=channels, seed=settings["seed"])
    data.setup("test")
    if data.class_names and data.class_names != classifier.class_names:
        console.print("The data's classes are not the classifier's; labels are left out")
    return data.test.chosen(range(min(limit or len(data.test), len(data.test)))), data.skipped


def _how(settings: Settings) -> str:
    """Says in short how images are explained: the settings and the content of the classifier and the generator."""
    digest = hashlib.blake2b(json.dumps({name: settings[name] for name in EXPLAINING}).encode())
    for content in content_of(_classifier_options(settings)):
        digest.update(content)
    files = [settings["generator"], *(_baseline_file(section) for section in settings["saliency"].values())]
    for path in filter(None, files):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def _report(
    settings: Settings,
    folder: Path,
    part: ImagePart,
    stamps: dict[str, str],
    skipped: list[Skipped],
    command: list[str],
) -> None:
    explained = [path for name in part.names for path in finished_folders(folder, name, stamps[name])]
    summary = write_summary(folder, explained, skipped, settings, " ".join(command))
    run = start_run(
        **settings["logger"], folder=Path(settings["output"]), job_type="explain", settings=settings, console=console
    )
    if run is not None:
        run.log({"explanations": wandb_table(explained)})
        run.summary.update(summary)
        run.finish()
    console.print(terminal_table(explained, summary))
    console.print(f"the report is {folder / 'report.html'}")
