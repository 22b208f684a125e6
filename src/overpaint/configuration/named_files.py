"""Checks, without torch, that the files exist that settings name."""

import glob
import shlex
from pathlib import Path
from typing import Any

from overpaint.classifiers.options import HUBS, ClassifierOptions, check_code, kind_of
from overpaint.classifiers.torchvision_names import check_name, known_networks
from overpaint.configuration.settings import Settings
from overpaint.core.choices import BASELINE_WORDS
from overpaint.core.commands import command
from overpaint.core.errors import OverpaintError
from overpaint.core.importing import is_factory
from overpaint.data.files.kinds import is_picture, walk_files
from overpaint.networks.options import GeneratorOptions

DEFAULT_DATA = "digits"
"""The data set that training takes without a word."""

ANY_CLASSIFIER = "classifier= takes any (such as torchvision:resnet50 with classifier.weights=DEFAULT)"
"""What can be done where a run has made no classifier, as one of images without labels."""

HUB_WEIGHTS = "DEFAULT"
"""The word for a network's own weights, in the place of a file."""


def check_checkpoints(settings: Settings) -> None:
    """Checks that the checkpoints exist.

    Raises:
        OverpaintError: If not; it says which command makes them.
    """
    source, generator = str(settings["classifier"]["source"]), settings["generator"]["source"]
    wanted = {"classifier": source if kind_of(source) == "checkpoint" else None, "generator": generator}
    missing = [
        f"{name}={path}"
        for name, path in wanted.items()
        if path is not None and not is_factory(path) and not Path(path).is_file()
    ]
    if missing:
        others = "generator=null explains without variants" if missing[0].startswith("generator") else ANY_CLASSIFIER
        raise OverpaintError(
            f"there is no checkpoint {' and no '.join(missing)}; {others}, and checkpoints are made by: "
            f"{_training(settings)}"
        )


def _training(settings: Settings) -> str:
    """Returns the command that trains on the data of these settings into their folder."""
    data, words = settings["data"], []
    if data["name"] != DEFAULT_DATA:
        words += [f"data={data['name']}", f"data.root={data['root']}"] if "root" in data else [f"data={data['name']}"]
    return " ".join([command("train"), *(shlex.quote(word) for word in [*words, f"output={settings['output']}"])])


def check_classifier_files(options: ClassifierOptions, which: str) -> None:
    """Checks that the files exist that a classifier is read from.

    Args:
        options: What is said of the classifier.
        which: Its section, ``classifier`` or ``oracle``, for errors.

    Raises:
        OverpaintError: If one does not, or a network is to come without weights.
    """
    kind, source = kind_of(options.source), options.source
    if kind not in (*HUBS, "factory"):
        _must_exist(which, source)
        check_code(options, which)
    if kind == "torchvision" and (known := known_networks()):
        check_name(source.partition(":")[2], known, which)
    if kind in ("torchvision", "timm") and options.weights is None and not Path(source.partition(":")[2]).is_dir():
        raise OverpaintError(f"{which}={source} needs {which}.weights: a state-dict file, or {HUB_WEIGHTS}")
    if options.weights != HUB_WEIGHTS:
        _must_exist(f"{which}.weights", options.weights)
    if isinstance(options.class_names, str):
        _must_exist(f"{which}.class_names", options.class_names)


def check_generator_files(options: GeneratorOptions) -> None:
    """Checks that the files exist that a generator is read from.

    Raises:
        OverpaintError: If one does not.
    """
    _must_exist("generator.weights", options.weights)
    _must_exist("generator.discriminator_weights", options.discriminator_weights)


def check_images(settings: Settings) -> None:
    """Checks that the images and annotations to explain exist.

    Raises:
        OverpaintError: If not.
    """
    images, annotations = settings["images"], settings["annotations"]["source"]
    if images is not None and not _matches(images):
        raise OverpaintError(f"images={images} matches no image file")
    if annotations is not None and images is None:
        raise OverpaintError(f"annotations={annotations} are of files; name them with images=")
    if annotations is not None and not Path(annotations).expanduser().exists():
        raise OverpaintError(f"annotations={annotations} does not exist")


def check_data(section: Settings) -> None:
    """Checks that the folder or file of a data set exists that is neither bundled nor downloaded.

    Raises:
        OverpaintError: If not.
    """
    if section["name"] == "series_file" and not Path(section["root"]).expanduser().exists():
        raise OverpaintError(f"data.root={section['root']} is neither a file nor a folder")
    if section["name"] == "folder" and not Path(section["root"]).expanduser().is_dir():
        raise OverpaintError(f"data.root={section['root']} is not a folder")


def check_baselines(settings: Settings) -> None:
    """Checks that the files of baselines exist.

    Raises:
        OverpaintError: If one does not.
    """
    for group in ("saliency", "metrics"):
        for name, section in settings[group].items():
            path = baseline_file(section)
            if path is not None and not Path(path).is_file():
                raise OverpaintError(
                    f"{group}.{name}.baseline={path} is none of {', '.join(BASELINE_WORDS)}, nor a file"
                )


def baseline_file(section: Settings) -> str | None:
    """Returns what a method's or metric's baseline names if it is none of the words."""
    baseline: Any = section.get("baseline")
    return None if baseline is None or baseline in BASELINE_WORDS else str(baseline)


def _must_exist(key: str, path: str | None) -> None:
    if path is not None and not Path(path).is_file():
        raise OverpaintError(f"there is no file {key}={path}")


def _matches(pattern: str) -> bool:
    """Returns whether a pattern may name a file; brackets can be a pattern's or a name's, which reading finds out."""
    path = Path(pattern).expanduser()
    if path.is_dir():
        return any(is_picture(each) for each in walk_files(path))
    return "[" in pattern or path.is_file() or next(glob.iglob(str(path), recursive=True), None) is not None
