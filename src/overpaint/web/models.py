"""Classifiers and generators that visitors share: opened once, a few at a time."""

from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

import overpaint as op
from overpaint.classifiers.options import Kind, kind_of
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.core.value_range import is_series
from overpaint.networks.gan import Gan
from overpaint.web.image_view import ImageView
from overpaint.web.series_view import SeriesView
from overpaint.web.turns import Turns
from overpaint.web.view import InputView

KEPT = 3
"""So many classifiers, and so many generators, are in memory at most."""

RUNS_CODE: tuple[Kind, ...] = ("factory", "torchscript", "exported")
"""The kinds of classifiers that run code of their own when they are opened."""


@dataclass(frozen=True)
class ClassifierModel:
    """A classifier with the word that names it, and whose turn it is.

    Attributes:
        source: The word of ``classifier=``.
        weights: The word of ``classifier.weights=``; None: there is none.
        classifier: The classifier.
        turns: Whose turn it is to use it.
    """

    source: str
    weights: str | None
    classifier: Classifier
    turns: Turns = field(default_factory=Turns)

    @property
    def view(self) -> InputView:
        """How the page shows what it takes."""
        return SeriesView() if is_series(self.classifier.input_size) else ImageView()


@dataclass(frozen=True)
class GeneratorModel:
    """A generator with the word that names it, and whose turn it is; see `ClassifierModel`."""

    source: str
    gan: Gan
    turns: Turns = field(default_factory=Turns)


def runs_of(outputs: Path) -> list[Path]:
    """Returns the folders, ``outputs`` itself and those in it, that hold what ``train`` or ``explain`` writes."""
    if not outputs.is_dir():
        return []
    folders = [outputs, *sorted(path for path in outputs.iterdir() if path.is_dir() and not path.name.startswith("."))]
    marks = ("classifier.ckpt", "dcgan.ckpt", "metrics.csv", "explain", "results.csv")
    return [folder for folder in folders if any((folder / mark).exists() for mark in marks)]


def check_code(source: str, allow_code: bool) -> None:
    """Checks that opening a classifier runs no code of its own, unless that is allowed.

    Raises:
        OverpaintError: If it might.
    """
    kind = kind_of(source)
    if kind in RUNS_CODE and not allow_code:
        raise OverpaintError(
            f"classifier={source} ({kind}) runs the code that it holds, which this page does not; take a checkpoint, "
            "torchvision:NAME, timm:NAME, hf:NAME or an .onnx file, or start the page with --allow-code if you trust it"
        )


def classifier_model(source: str, weights: str | None, allow_code: bool) -> ClassifierModel:
    """Returns a classifier, opened at the first call for this file.

    Raises:
        OverpaintError: If it can't be opened, or would run code that is not allowed.
    """
    check_code(source, allow_code)
    return _classifier(source, weights, allow_code, _stamp(source), _stamp(weights or ""))


def generator_model(source: str) -> GeneratorModel:
    """Returns the generator of a checkpoint, opened at the first call for this file.

    Raises:
        OverpaintError: If it can't be opened.
    """
    return _generator(source, _stamp(source))


def _stamp(source: str) -> tuple[int, int]:
    """Returns what changes when a file does."""
    path = Path(source)
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


@st.cache_resource(max_entries=KEPT, show_spinner="Opening the classifier …")
def _classifier(source: str, weights: str | None, allow_code: bool, *_: tuple[int, int]) -> ClassifierModel:
    opened = op.as_classifier(source, weights=weights, allow_code=allow_code)
    if not isinstance(opened, Classifier):
        raise OverpaintError(f"classifier={source} says no size of its inputs; the page needs one that does")
    return ClassifierModel(source, weights, opened)


@st.cache_resource(max_entries=KEPT, show_spinner="Opening the generator …")
def _generator(source: str, _: tuple[int, int]) -> GeneratorModel:
    return GeneratorModel(source, op.load_generator(source))
