"""What is asked: a classifier, a generator, an image or a series."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.modules import evaluation_mode
from overpaint.web.choose_input import choose_input
from overpaint.web.chosen import ChosenInput
from overpaint.web.jobs import said_of
from overpaint.web.models import ClassifierModel, GeneratorModel, check_code, classifier_model, generator_model, runs_of
from overpaint.web.options import PageOptions
from overpaint.web.view import InputView
from overpaint.web.visitor import Visitor

OTHER, UPLOAD, NONE = "another: a path or word", "upload a file", "none: maps without variants"


@dataclass(frozen=True)
class Question:
    """What is asked about.

    Attributes:
        model: The classifier.
        generator: What repaints; None: nothing does.
        image: The image or series.
        scores: The classifier's scores of it.
    """

    model: ClassifierModel
    generator: GeneratorModel | None
    image: ChosenInput
    scores: Float[Tensor, " class"]

    @property
    def view(self) -> InputView:
        """How the page shows inputs of its kind."""
        return self.model.view

    @property
    def class_names(self) -> list[str]:
        """The classifier's."""
        return list(self.model.classifier.class_names)


def choose(options: PageOptions, visitor: Visitor) -> Question | None:
    """Shows the choices, and returns what is asked; None where something is missing, which is said."""
    try:
        model = _classifier(options, visitor)
        if model is None:
            return None
        generator = _generator(options, visitor, model)
        image = choose_input(options, visitor, model)
        return None if image is None else Question(model, generator, image, _scores(model, image))
    except Exception as error:  # an odd file must not take the page away
        st.error(said_of(error))
        return None


def _classifier(options: PageOptions, visitor: Visitor) -> ClassifierModel | None:
    known = [str(run / "classifier.ckpt") for run in runs_of(options.outputs) if (run / "classifier.ckpt").is_file()]
    choice = st.selectbox(
        "Classifier",
        [*known, OTHER, UPLOAD],
        key="classifier",
        help="What is explained.",
        on_change=_take_generator_beside,
        persist_state="page",
    )
    weights = None
    if choice == OTHER:
        source = st.text_input(
            "Its path or word",
            key="classifier.word",
            placeholder="torchvision:resnet50",
            help="As classifier= of the command line takes it: a checkpoint, torchvision:NAME, timm:NAME, hf:NAME or "
            "an .onnx file. What runs code of its own needs --allow-code.",
            persist_state="page",
        ).strip()
        weights = (
            st.text_input(
                "Weights", key="classifier.weights", help="A state-dict file, or DEFAULT.", persist_state="page"
            ).strip()
            or None
        )
        if not source:
            st.info("Name a classifier.")
            return None
    elif choice == UPLOAD:
        sent = st.file_uploader(
            "Checkpoint of train, or ONNX",
            ["ckpt", "onnx", "pt", "pth", "pt2"],
            key="classifier.file",
            help="TorchScript and torch.export files run code of their own and need --allow-code.",
        )
        if sent is None:
            st.info("Upload a classifier of a kind that runs no code: .ckpt or .onnx.")
            return None
        check_code(sent.name, options.allow_code)
        source = str(visitor.keep(sent.name, sent.getvalue()))
    else:
        source = choice
    return classifier_model(source, weights, options.allow_code)


def _beside(classifier: str) -> str:
    """Returns the checkpoint of the generator that a run trains beside a classifier."""
    return str(Path(classifier).with_name("dcgan.ckpt"))


def _take_generator_beside() -> None:
    """Chooses the generator of the run whose classifier was chosen, where it has one."""
    generator = _beside(st.session_state["classifier"])
    if Path(generator).is_file():
        st.session_state["generator"] = generator


def _generator(options: PageOptions, visitor: Visitor, model: ClassifierModel) -> GeneratorModel | None:
    known = [str(run / "dcgan.ckpt") for run in runs_of(options.outputs) if (run / "dcgan.ckpt").is_file()]
    if "generator" not in st.session_state and (beside := _beside(model.source)) in known:
        st.session_state["generator"] = beside
    choice = st.selectbox(
        "Generator",
        [*known, UPLOAD, NONE],
        key="generator",
        help=f"Repaints a part of the {model.view.word}.",
        persist_state="page",
    )
    if choice == NONE:
        return None
    if choice == UPLOAD:
        sent = st.file_uploader("Checkpoint of train", ["ckpt"], key="generator.file")
        return None if sent is None else generator_model(str(visitor.keep(sent.name, sent.getvalue())))
    return generator_model(choice)


def _scores(model: ClassifierModel, image: ChosenInput) -> Float[Tensor, " class"]:
    """Returns the scores of an input, of which the last one's are remembered."""
    kept = st.session_state.get("scores")
    if kept is None or kept[0] is not model.classifier or not torch.equal(kept[1], image.pixels):
        with model.turns.turn(), evaluation_mode(model.classifier):
            kept = (model.classifier, image.pixels, _asked(model, image.pixels))
        st.session_state["scores"] = kept
    scores: Tensor = kept[2]
    return scores


def _asked(model: ClassifierModel, pixels: Float[Tensor, "1 channel *space"]) -> Float[Tensor, " class"]:
    scores = model.classifier.scores(pixels)[0].cpu()
    if not bool(scores.isfinite().all()):
        raise OverpaintError(
            f"the classifier's scores of this {model.view.word} are not numbers; it can't be explained"
        )
    return scores
