"""The parts of an explanation, built from the configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from overpaint.classifiers.loading import open_classifier
from overpaint.configuration.named_files import baseline_file
from overpaint.configuration.run_settings import classifier_options, generator_options, picture_options
from overpaint.configuration.sections import importable
from overpaint.configuration.settings import Settings
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_arguments, instantiate
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.sizes import format_size
from overpaint.core.value_range import is_series, noun_of
from overpaint.data.pattern import read_files
from overpaint.data.reading import as_image_size
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.painted import try_generator
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.base import SaliencyMetric
from overpaint.networks.gan import Gan
from overpaint.networks.opening import open_generator
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import UsesDiscriminator
from overpaint.pipeline.runner import Runner
from overpaint.saliency.requirements import usable_methods, usable_parts

OnBatch = Callable[[int, int], None]
OnStep = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Listeners:
    """Callbacks of the progress of an explanation.

    Attributes:
        on_batch: Called after each batch of masked queries, see `Engine`.
        on_step: Called after each step of the latent search, see `LatentSearch`.
    """

    on_batch: OnBatch | None = None
    on_step: OnStep | None = None


def make_runner(settings: Settings, classifier: Classifier, listeners: Listeners) -> tuple[Runner, list[str]]:
    """Builds what explains images: methods, engine, metrics, probes and, where there is a generator, the inpainter.

    Returns:
        The runner, and notes on what a user should know of its parts.

    Raises:
        OverpaintError: If a setting is wrong, or the parts do not fit each other.
    """
    gan, notes = _open_gan(settings, classifier)
    rule = RegionRule(**checked_arguments(RegionRule, settings["region"], "region"))
    probes = {
        name: instantiate(section, f"probes.{name}", importable(settings))
        for name, section in settings["probes"].items()
    }
    methods = {
        name: make_method(name, section, settings, classifier, gan) for name, section in settings["saliency"].items()
    }
    metrics: dict[str, SaliencyMetric] = {
        name: _with_baseline(section, f"metrics.{name}", settings, classifier)
        for name, section in settings["metrics"].items()
    }
    engine = settings["engine"] | {"classifier": classifier, "on_batch": listeners.on_batch}
    runner = Runner(
        classifier=classifier,
        methods=usable_methods(methods, classifier, settings["channels"]),
        engine=Engine(**checked_arguments(Engine, engine, "engine")),
        region_rule=rule,
        inpainter=None if gan is None else _inpainter(settings, gan, rule, listeners),
        metrics=usable_parts(metrics, classifier),
        channels=settings["channels"],
        seeds=settings["seeds"],
        probes=usable_parts(probes, classifier),
        oracle=_oracle(settings, classifier),
    )
    return runner, notes


def _open_gan(settings: Settings, classifier: Classifier) -> tuple[Gan | None, list[str]]:
    """Opens the generator, and says what a user should know of it.

    Raises:
        OverpaintError: If it can't be opened, or paints images with other channels than the classifier's.
    """
    options = generator_options(settings)
    if options is None:
        return None, []
    gan = open_generator(options)
    check_channels(gan, classifier, f"generator={options.source}")
    try_generator(gan.generator, f"generator={options.source}")
    return gan, [f"generator={options.source} {note}" for note in differences(gan, classifier)]


def check_channels(gan: Gan, classifier: Classifier, name: str) -> None:
    """Checks that a generator paints what the classifier takes: images or series, of its channels and scale.

    Raises:
        OverpaintError: If not.
    """
    made, wanted = noun_of(gan.generator.output_size), noun_of(classifier.input_size)
    if made != wanted:
        raise OverpaintError(f"{name} paints {made.several}, but the classifier takes {wanted.several}")
    if gan.generator.channels != classifier.channels:
        raise OverpaintError(
            f"{name} paints {gan.generator.channels} channels, but the classifier takes {classifier.channels}"
        )
    painted, taken = gan.scale, classifier.scale
    if painted is not None and taken is not None and painted.settings != taken.settings:
        raise OverpaintError(
            f"{name} was trained on series scaled otherwise than the classifier's; train both on the same data"
        )


def _inpainter(settings: Settings, gan: Gan, rule: RegionRule, listeners: Listeners) -> Inpainter:
    search = LatentSearch(
        **checked_arguments(LatentSearch, settings["search"] | {"on_step": listeners.on_step}, "search")
    )
    parts: dict[str, Any] = {"generator": gan.generator, "discriminator": gan.discriminator, "encoder": gan.encoder}
    parts |= {"search": search, "rule": rule}
    return Inpainter(**checked_arguments(Inpainter, settings["variants"] | parts, "variants"))


def differences(gan: Gan, classifier: Classifier) -> list[str]:
    """Says in what a generator differs from the classifier that is no error: its size, and its domain's classes."""
    notes, size = [], gan.generator.output_size
    if size != classifier.input_size:
        notes.append(
            f"paints {format_size(size)} pixels, the classifier sees {format_size(classifier.input_size)}: images and "
            "regions are resized for the search, and what is painted is resized back"
        )
    if gan.class_names and not {*gan.class_names} & {*classifier.class_names}:
        notes.append(
            f"was trained on images of {_short(list(gan.class_names))}, none of which the classifier knows: what it "
            "paints may not belong into the images"
        )
    if gan.discriminator is None:
        notes.append("has no discriminator: the search has no prior loss, and the variants have no realism")
    return notes


def _oracle(settings: Settings, classifier: Classifier) -> Classifier | None:
    """Opens the second classifier.

    Raises:
        OverpaintError: If it can't be opened, or has other classes, channels or sizes of image than the first.
    """
    if settings["oracle"]["source"] is None:
        return None
    options = classifier_options(settings, "oracle")
    oracle = open_classifier(options)
    check_oracle(oracle, classifier, f"oracle={options.source}")
    return oracle


def check_oracle(oracle: Classifier, classifier: Classifier, name: str) -> None:
    """Checks that the second classifier judges the same images by the same classes.

    Raises:
        OverpaintError: If not; it says in what they differ.
    """
    pairs: Mapping[str, tuple[Any, Any]] = {
        "class_names": (list(oracle.class_names), list(classifier.class_names)),
        "channels": (oracle.channels, classifier.channels),
        "input_size": (oracle.input_size, classifier.input_size),
    }
    for what, (own, other) in pairs.items():
        if own != other:
            raise OverpaintError(
                f"{name} has {what}={_short(own)}, but the classifier has {_short(other)}; it must "
                f"judge the same images by the same classes"
            )


def _short(value: Any) -> str:
    return str(value) if len(str(value)) < 80 else f"{str(value)[:77]}..."


def make_method(
    name: str, section: Settings, settings: Settings, classifier: Classifier, gan: Gan | None
) -> SaliencyMethod:
    """Builds a method; one that uses a discriminator gets it."""
    method: SaliencyMethod = _with_baseline(section, f"saliency.{name}", settings, classifier)
    return with_discriminator(method, gan)


def with_discriminator(method: SaliencyMethod, gan: Gan | None) -> SaliencyMethod:
    """Returns a method, with the discriminator if it uses one and has none."""
    if isinstance(method, UsesDiscriminator) and gan is not None and method.discriminator is None:
        changed: Any = method
        method = replace(changed, discriminator=gan.discriminator)
    return method


def _with_baseline(section: Settings, where: str, settings: Settings, classifier: Classifier) -> Any:
    """Builds what a section describes; a baseline that is no word is an image file.

    Raises:
        OverpaintError: If it can't be read, or the classifier takes series.
    """
    if (path := baseline_file(section)) is None:
        return instantiate(section, where, importable(settings))
    if is_series(classifier.input_size):
        raise OverpaintError(
            f"{where}.baseline={path} names a file, which is read as an image, and the classifier takes series; take "
            "mean, linear, noise, blur or black, or give another series to the method in Python"
        )
    size = as_image_size(classifier.input_size, "classifier.image_size")
    part, _ = read_files(path, size, classifier.channels, settings["resize_mode"], 1, picture_options(settings))
    return instantiate(section, where, importable(settings), baseline=part.images[0].float() / 255)
