"""The parts of an explanation, built from the configuration."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.options import ClassifierOptions, kind_of
from overpaint.cli.config import Settings
from overpaint.cli.console import console
from overpaint.cli.progress import QueryProgress
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_arguments, instantiate
from overpaint.core.resize import format_size
from overpaint.core.types import Classifier, SaliencyMethod
from overpaint.data.folder import read_files
from overpaint.data.reading import as_image_size
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.suite import MetricSuite
from overpaint.networks.checkpoint import Dcgan, load_dcgan
from overpaint.networks.dcgan import Discriminator
from overpaint.perturbation.baselines import BASELINE_WORDS
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import PerturbationMethod
from overpaint.pipeline.lightning import ExplainerModule
from overpaint.pipeline.runner import Plan


def check_checkpoints(settings: Settings) -> None:
    """Checks that the checkpoints exist.

    Raises:
        OverpaintError: If not; it says which command makes them.
    """
    source = classifier_options(settings).source
    wanted = {"classifier": source if kind_of(source) == "checkpoint" else None, "generator": settings["generator"]}
    missing = [f"{name}={path}" for name, path in wanted.items() if path is not None and not Path(path).is_file()]
    if missing:
        without = "; generator=null explains without variants" if missing[0].startswith("generator") else ""
        raise OverpaintError(
            f"there is no checkpoint {' and no '.join(missing)}; 'python train.py output={settings['output']}' makes "
            f"them, classifier= and generator= name others{without}"
        )


def classifier_options(settings: Settings, which: str = "classifier") -> ClassifierOptions:
    """Reads what is said of the classifier, or of the ``oracle``."""
    return ClassifierOptions(**checked_arguments(ClassifierOptions, settings[which], which))


def make_module(settings: Settings, classifier: Classifier, progress: QueryProgress | None) -> ExplainerModule:
    """Builds the methods, the engine and, where there is a generator, what makes the variants.

    Raises:
        OverpaintError: If a setting is wrong, or the parts do not fit each other.
    """
    dcgan = None
    if settings["generator"] is not None:
        dcgan = load_dcgan(Path(settings["generator"]))
        dcgan.generator.to(memory_format=torch.channels_last)  # the search is faster so
        dcgan.discriminator.to(memory_format=torch.channels_last)
    discriminator = None if dcgan is None else dcgan.discriminator
    methods = {
        name: make_method(name, section, settings, classifier, discriminator)
        for name, section in settings["saliency"].items()
    }
    more = {"classifier": classifier, "on_batch": progress.answered if progress else None}
    engine = Engine(**checked_arguments(Engine, settings["engine"] | more, "engine"))
    rule = RegionRule(**checked_arguments(RegionRule, settings["region"], "region"))
    output_geometry = {"on_step": progress.searched if progress else None}
    search = LatentSearch(**checked_arguments(LatentSearch, settings["search"] | output_geometry, "search"))
    inpainter = None
    if dcgan is not None:
        if dcgan.generator.channels != classifier.channels:
            raise OverpaintError(
                f"generator={settings['generator']} paints {dcgan.generator.channels} channels, but the classifier "
                f"takes {classifier.channels}"
            )
        for note in differences(dcgan, classifier):
            console.print(f"Note: generator={settings['generator']} {note}", markup=False)
        parts: dict[str, Any] = {"generator": dcgan.generator, "discriminator": discriminator}
        parts |= {"encoder": dcgan.encoder, "search": search, "rule": rule}
        inpainter = Inpainter(**checked_arguments(Inpainter, settings["variants"] | parts, "variants"))
    metrics = {
        name: _with_baseline(section, f"metrics.{name}", settings, classifier)
        for name, section in settings["metrics"].items()
    }
    judge = MetricSuite(metrics, settings["seeds"])
    probes = {name: instantiate(section, f"probes.{name}") for name, section in settings["probes"].items()}
    if probes and inpainter is None:
        raise OverpaintError(f"probes={list(probes)} ask about variants, but generator=null makes none")
    plan = Plan(methods, rule, inpainter, judge, probes, _oracle(settings, classifier))
    return ExplainerModule(classifier, plan, settings["target"], engine)


def differences(dcgan: Dcgan, classifier: Classifier) -> list[str]:
    """Says in what a generator differs from the classifier that is no error: its size, and its domain's classes."""
    notes, size = [], dcgan.generator.output_size
    if size != classifier.input_size:
        notes.append(
            f"paints {format_size(size)} pixels, the classifier sees {format_size(classifier.input_size)}: images and "
            "regions are resized for the search, and what is painted is resized back"
        )
    if dcgan.class_names and not {*dcgan.class_names} & {*classifier.class_names}:
        notes.append(
            f"was trained on images of {_short(dcgan.class_names)}, none of which the classifier knows: what it paints "
            "may not belong into the images"
        )
    return notes


def with_others(plan: Plan, images: UInt8[Tensor, "other channel height width"]) -> Plan:
    """Gives the probes that compare an image with others all the images that are explained."""
    probes: dict[str, Any] = dict(plan.probes)
    return replace(
        plan, probes={n: replace(p, others=images) if hasattr(p, "others") else p for n, p in probes.items()}
    )


def _oracle(settings: Settings, classifier: Classifier) -> Classifier | None:
    """Opens the second classifier.

    Raises:
        OverpaintError: If it can't be opened, or has other classes, channels or sizes of image than the first.
    """
    if settings["oracle"]["source"] is None:
        return None
    options = classifier_options(settings, "oracle")
    oracle = open_classifier(options)
    for what in ("class_names", "channels", "input_size"):
        own, other = getattr(oracle, what), getattr(classifier, what)
        if own != other:
            raise OverpaintError(
                f"oracle={options.source} has {what}={_short(own)}, but the classifier has {_short(other)}; it must "
                f"judge the same images by the same classes"
            )
    return oracle


def _short(value: Any) -> str:
    return str(value) if len(str(value)) < 80 else f"{str(value)[:77]}..."


def make_method(
    name: str, section: Settings, settings: Settings, classifier: Classifier, discriminator: Discriminator | None
) -> SaliencyMethod | PerturbationMethod:
    """Builds a method; one that takes a discriminator gets it."""
    method: Any = _with_baseline(section, f"saliency.{name}", settings, classifier)
    if hasattr(method, "discriminator"):
        method = replace(method, discriminator=discriminator)
    built: SaliencyMethod | PerturbationMethod = method
    return built


def _with_baseline(section: Settings, where: str, settings: Settings, classifier: Classifier) -> Any:
    """Builds what a section describes; a baseline that is no word is an image file."""
    if (path := baseline_file(section)) is None:
        return instantiate(section, where)
    if not Path(path).is_file():
        raise OverpaintError(f"{where}.baseline={path} is none of {', '.join(BASELINE_WORDS)}, nor a file")
    size = as_image_size(classifier.input_size, "classifier.image_size")
    part, _ = read_files(path, size, classifier.channels, settings["resize_mode"], 1)
    return instantiate(section, where, baseline=part.images[0].float() / 255)


def baseline_file(section: Settings) -> str | None:
    """Returns what a method's or metric's baseline names if it is none of the words."""
    baseline = section.get("baseline")
    return None if baseline is None or baseline in BASELINE_WORDS else str(baseline)
