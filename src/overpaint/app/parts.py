"""The parts of an explanation, built from the configuration, and what of it an explanation depends on."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from overpaint.app.build import build, checked_arguments
from overpaint.app.progress import QueryProgress
from overpaint.classifiers.options import ClassifierOptions, content_of, kind_of
from overpaint.config import Settings
from overpaint.data.folder import read_files
from overpaint.errors import OverpaintError
from overpaint.inversion import LatentSearch
from overpaint.modules.explainer import ExplainerModule
from overpaint.networks.checkpoint import load_dcgan
from overpaint.networks.dcgan import Discriminator
from overpaint.perturbation.baselines import BASELINE_WORDS
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.proposals import PerturbationMethod
from overpaint.region import RegionRule
from overpaint.types import Classifier, SaliencyMethod
from overpaint.variants import VariantMaker

EXPLAINING = ("saliency", "methods", "region", "search", "variants", "target", "seed", "engine")
"""The sections on which an explanation depends."""


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


def classifier_options(settings: Settings) -> ClassifierOptions:
    """Reads what is said of the classifier."""
    return ClassifierOptions(**checked_arguments(ClassifierOptions, settings["classifier"], "classifier"))


def make_module(settings: Settings, classifier: Classifier, progress: QueryProgress | None) -> ExplainerModule:
    """Builds the methods, the engine and, where there is a generator, what makes the variants.

    Raises:
        OverpaintError: If a setting is wrong, or the parts do not fit each other.
    """
    dcgan = None if settings["generator"] is None else load_dcgan(Path(settings["generator"]))
    judge = dcgan[1] if dcgan else None
    methods = {
        name: make_method(name, section, settings, classifier, judge) for name, section in settings["saliency"].items()
    }
    more = {"classifier": classifier, "on_answers": progress.answered if progress else None}
    engine = Engine(**checked_arguments(Engine, settings["engine"] | more, "engine"))
    rule = RegionRule(**checked_arguments(RegionRule, settings["region"], "region"))
    told = {"on_step": progress.searched if progress else None}
    search = LatentSearch(**checked_arguments(LatentSearch, settings["search"] | told, "search"))
    maker = None
    if dcgan is not None:
        generator, discriminator = (network.to(memory_format=torch.channels_last) for network in dcgan)  # faster
        if generator.channels != classifier.channels:
            raise OverpaintError(
                f"generator={settings['generator']} paints {generator.channels} channels, but the classifier takes "
                f"{classifier.channels}"
            )
        parts = {"generator": generator, "discriminator": discriminator, "search": search, "rule": rule}
        maker = VariantMaker(**checked_arguments(VariantMaker, settings["variants"] | parts, "variants"))
    return ExplainerModule(classifier, methods, rule, maker, settings["target"], engine)


def make_method(
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


def manner(settings: Settings) -> str:
    """Says in short how images are explained: the settings and the content of the classifier and the generator."""
    digest = hashlib.blake2b(json.dumps({name: settings[name] for name in EXPLAINING}).encode())
    for content in content_of(classifier_options(settings)):
        digest.update(content)
    files = [settings["generator"], *(_baseline_file(section) for section in settings["saliency"].values())]
    for path in filter(None, files):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()
