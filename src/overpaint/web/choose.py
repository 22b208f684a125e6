"""What is asked: a classifier, a generator, an image."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from overpaint.configuration.settings import read_settings
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import instantiate
from overpaint.core.modules import evaluation_mode
from overpaint.core.protocols import Classifier
from overpaint.data.reading import as_image_size
from overpaint.web.jobs import said_of
from overpaint.web.models import ClassifierModel, GeneratorModel, check_code, classifier_model, generator_model, runs_of
from overpaint.web.options import PageOptions
from overpaint.web.pictures import large, png, show
from overpaint.web.uploads import ChosenImage, image_of_run, read_upload
from overpaint.web.visitor import Visitor

OTHER, UPLOAD, NONE = "another: a path or word", "upload a file", "none: maps without variants"
SHOWN = 8
"""Images of the gallery that are shown at once."""

OFFERED = 500
"""Explained images of a run that can be chosen, at most."""


@dataclass(frozen=True)
class Question:
    """What is asked about.

    Attributes:
        model: The classifier.
        generator: What repaints; None: nothing does.
        image: The image.
        scores: The classifier's scores of it.
    """

    model: ClassifierModel
    generator: GeneratorModel | None
    image: ChosenImage
    scores: Float[Tensor, " class"]

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
        generator = _generator(options, visitor)
        image = _image(options, visitor, model)
        return None if image is None else Question(model, generator, image, _scores(model, image))
    except Exception as error:  # an odd file must not take the page away
        st.error(said_of(error))
        return None


def _classifier(options: PageOptions, visitor: Visitor) -> ClassifierModel | None:
    known = [str(run / "classifier.ckpt") for run in runs_of(options.outputs) if (run / "classifier.ckpt").is_file()]
    choice = st.selectbox(
        "Classifier", [*known, OTHER, UPLOAD], key="classifier", help="What is explained.", persist_state="page"
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


def _generator(options: PageOptions, visitor: Visitor) -> GeneratorModel | None:
    known = [str(run / "dcgan.ckpt") for run in runs_of(options.outputs) if (run / "dcgan.ckpt").is_file()]
    choice = st.selectbox(
        "Generator", [*known, UPLOAD, NONE], key="generator", help="Repaints a part of the image.", persist_state="page"
    )
    if choice == NONE:
        return None
    if choice == UPLOAD:
        sent = st.file_uploader("Checkpoint of train", ["ckpt"], key="generator.file")
        return None if sent is None else generator_model(str(visitor.keep(sent.name, sent.getvalue())))
    return generator_model(choice)


def _image(options: PageOptions, visitor: Visitor, model: ClassifierModel) -> ChosenImage | None:
    ways = ("gallery", "upload", "camera", "earlier run")
    way = st.segmented_control(
        "Image from", ways, default="gallery", key="image.from", required=True, persist_state="page"
    )
    if way == "gallery":
        return _of_gallery(model)
    if way == "earlier run":
        return _of_earlier_run(options, model)
    sent = (
        st.file_uploader("Picture", key="image.file", help="JPEG, PNG, WebP, TIFF, DICOM, NumPy arrays, …")
        if way == "upload"
        else st.camera_input("Photograph", key="image.camera")
    )
    if sent is None:
        return None
    name = sent.name if way == "upload" else "photograph.jpg"
    return read_upload(visitor.keep(name, sent.getvalue()), name, model.classifier)


@st.cache_data(max_entries=64, show_spinner="Reading images …")
def gallery_images(
    config: str, stamp: int, size: tuple[int, int], channels: int, page: int
) -> tuple[UInt8[Tensor, "image channel height width"], list[bytes], list[str], int]:
    """Reads a page of the test images that a run was trained with.

    Args:
        config: The run's ``config.yaml``.
        stamp: Changes when that file does.
        size: Height and width of the images.
        channels: Their channels.
        page: Which, from 1.

    Returns:
        The images, their PNG files as they are shown, their names, and how many pages there are.
    """
    section = read_settings(Path(config))["data"]
    data: Any = instantiate(section, "data", image_size=list(size), channels=channels, seed=0)
    unread = data.open_split("test")
    first = (page - 1) * SHOWN
    split, _ = unread.read(range(first, min(first + SHOWN, len(unread))))
    pictures = [png(large(pixels / 255)) for pixels in split.images]
    return split.images, pictures, list(split.names), -(-len(unread) // SHOWN)


def _of_gallery(model: ClassifierModel) -> ChosenImage | None:
    config = Path(model.source).with_name("config.yaml")
    if not config.is_file():
        st.info("This classifier has no test images beside it; upload one.")
        return None
    size = as_image_size(model.classifier.input_size, "classifier.image_size")
    told = str(config), config.stat().st_mtime_ns, size, model.classifier.channels
    page = int(st.session_state.get("gallery.page", 1))
    images, pictures, names, pages = gallery_images(*told, page)
    chosen = st.session_state.get("gallery.image")
    if chosen is None or chosen[0] != str(config):
        chosen = (str(config), names[0], images[0])
        st.session_state["gallery.image"] = chosen
    with st.grid(4, min_column_width=50, gap="xsmall"):
        for name, pixels, picture in zip(names, images, pictures, strict=True):
            with st.container(gap="xsmall"):
                show(picture, f"test image {name}")
                label, mine = name.removeprefix("test-").lstrip("0") or "0", name == chosen[1]
                if st.button(
                    label, key=f"gallery.{name}", type="primary" if mine else "secondary", width="stretch", help=name
                ):
                    st.session_state["gallery.image"] = (str(config), name, pixels)
                    st.rerun()
    st.pagination(pages, max_visible_pages=3, key="gallery.page", persist_state="page")
    _, name, pixels = chosen
    return ChosenImage(name, f"{name}.png", (pixels[None].float() / 255).to(model.classifier.mean.device))


@st.cache_data(max_entries=8, show_spinner="Looking for explained images …")
def _explained_rows(folder: Path, stamp: int) -> list[Path]:
    """Returns the first rows of a run whose maps are there."""
    return [path.parent for path in sorted(folder.glob("*/saliency.npz"))[:OFFERED]]


def _of_earlier_run(options: PageOptions, model: ClassifierModel) -> ChosenImage | None:
    folders = [run / "explain" for run in runs_of(options.outputs) if (run / "explain").is_dir()]
    rows = [row for folder in folders for row in _explained_rows(folder, folder.stat().st_mtime_ns)]
    if not rows:
        st.info("No run has explained images yet.")
        return None
    row = st.selectbox(
        "Explained image",
        rows,
        format_func=lambda path: f"{path.parent.parent.name}: {path.name}",
        key="image.row",
        persist_state="page",
    )
    return image_of_run(row, model.classifier)


def _scores(model: ClassifierModel, image: ChosenImage) -> Float[Tensor, " class"]:
    """Returns the scores of an image, of which the last one's are remembered."""
    kept = st.session_state.get("scores")
    if kept is None or kept[0] is not model.classifier or not torch.equal(kept[1], image.pixels):
        with model.turns.turn(), evaluation_mode(model.classifier):
            kept = (model.classifier, image.pixels, _asked(model.classifier, image.pixels))
        st.session_state["scores"] = kept
    scores: Tensor = kept[2]
    return scores


def _asked(classifier: Classifier, pixels: Float[Tensor, "1 channel height width"]) -> Float[Tensor, " class"]:
    scores = classifier.scores(pixels)[0].cpu()
    if not bool(scores.isfinite().all()):
        raise OverpaintError("the classifier's scores of this image are not numbers; it can't be explained")
    return scores
