"""The image or series that is asked about: one of the gallery, an upload, or one that was explained earlier."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from overpaint.configuration.settings import read_settings
from overpaint.core.files import read_arrays
from overpaint.core.instantiate import import_class, instantiate
from overpaint.core.scale import scale_from_settings
from overpaint.core.types import Images
from overpaint.core.value_range import from_stored
from overpaint.data.domain import DomainData
from overpaint.web.chosen import ChosenInput, read_row
from overpaint.web.models import ClassifierModel, runs_of
from overpaint.web.options import PageOptions
from overpaint.web.pictures import show
from overpaint.web.view import InputView
from overpaint.web.visitor import Visitor

SHOWN = 8
"""Inputs of the gallery that are shown at once."""

OFFERED = 500
"""Explained rows of a run that can be chosen, at most."""

CHOSEN = "gallery.chosen"
"""Where the page remembers what was chosen in the gallery: the run's configuration, the name, the input."""


def choose_input(options: PageOptions, visitor: Visitor, model: ClassifierModel) -> ChosenInput | None:
    """Shows where inputs come from, and returns the one that is chosen; None where there is none yet."""
    view = model.view
    way = st.segmented_control(
        f"{view.word.capitalize()} from",
        view.ways,
        default=view.ways[0],
        key=f"{view.word}.from",
        required=True,
        persist_state="page",
    )
    if way == "gallery":
        return _of_gallery(model)
    if way == "earlier run":
        return _of_earlier_run(options, model)
    sent = view.ask_upload(way)
    if sent is None:
        return None
    name, content = sent
    return view.read_upload(visitor.keep(name, content), name, model.classifier)


@st.cache_data(max_entries=64, show_spinner="Reading the gallery …")
def gallery_inputs(
    config: str,
    stamp: int,
    size: tuple[int, ...],
    channels: int,
    scale: Mapping[str, Sequence[float]] | None,
    page: int,
    _view: InputView,
) -> tuple[Images, list[bytes], list[str], int]:
    """Reads a page of the test inputs of the data that a run was trained with.

    Args:
        config: The run's ``config.yaml``.
        stamp: Changes when that file does.
        size: The classifier's size along each spatial dimension.
        channels: Its channels.
        scale: The settings of its scale, see `overpaint.core.scale.SeriesScale`; None: it takes images.
        page: Which, from 1; one behind the last is the last.
        _view: How inputs of this size are shown.

    Returns:
        The inputs, small pictures of them, their names, and how many pages there are.
    """
    settings = read_settings(Path(config))
    section = settings["data"]
    kind: type[DomainData] = import_class(section["target"], ("overpaint",), "data.target")
    arguments = kind.arguments_for(size, channels, scale_from_settings(scale))
    data: Any = instantiate(section, "data", **arguments, seed=settings["seed"])
    unread = data.open_split("test")
    pages = -(-len(unread) // SHOWN)
    first = (min(page, pages) - 1) * SHOWN
    split, _ = unread.read(range(first, min(first + SHOWN, len(unread))))
    inputs = from_stored(split.images)
    return inputs, [_view.thumbnail(pixels.numpy()) for pixels in inputs], list(split.names), pages


def _of_gallery(model: ClassifierModel) -> ChosenInput | None:
    config, classifier, view = Path(model.source).with_name("config.yaml"), model.classifier, model.view
    if not config.is_file():
        st.info(f"This classifier has no test {view.word} beside it; upload one.")
        return None
    told = str(config), config.stat().st_mtime_ns, tuple(classifier.input_size), classifier.channels
    scale, key = None if classifier.scale is None else classifier.scale.settings, f"gallery.page.{config}"
    inputs, pictures, names, pages = gallery_inputs(*told, scale, int(st.session_state.get(key, 1)), view)
    chosen = st.session_state.get(CHOSEN)
    if chosen is None or chosen[0] != str(config):
        chosen = (str(config), names[0], inputs[:1])
        st.session_state[CHOSEN] = chosen
    with st.grid("auto", min_column_width=view.thumbnail_width, gap="xsmall"):
        for name, pixels, picture in zip(names, inputs, pictures, strict=True):
            with st.container(gap="xsmall"):
                show(picture, f"test {view.word} {name}")
                if st.button(
                    _number(name),
                    key=f"gallery.{name}",
                    type="primary" if name == chosen[1] else "secondary",
                    width="stretch",
                    help=name,
                ):
                    st.session_state[CHOSEN] = (str(config), name, pixels[None])
                    st.rerun()
    st.pagination(pages, max_visible_pages=3, key=key, persist_state="page")
    return view.chosen(chosen[1], chosen[2], classifier)


def _number(name: str) -> str:
    """Returns the number at the end of a name, where it has one: what there is room for on a button."""
    found = re.fullmatch(r".*-0*(\d+)", name)
    return found[1] if found else name


@st.cache_data(max_entries=8, show_spinner="Looking for what was explained …")
def _explained_rows(folder: Path, stamp: int) -> tuple[list[Path], tuple[int, ...]]:
    """Returns the first rows of a run whose maps are there, and the channels and size of its inputs."""
    rows = [path.parent for path in sorted(folder.glob("*/saliency.npz"))[:OFFERED]]
    return rows, next((shape for row in rows if (shape := _shape(row))), ())


def _shape(row: Path) -> tuple[int, ...]:
    """Returns the channels and size of a row's input; nothing where its file is damaged."""
    try:
        return tuple(read_arrays(row / "saliency.npz")["image"].shape)
    except (OSError, KeyError, ValueError):
        return ()


def _of_earlier_run(options: PageOptions, model: ClassifierModel) -> ChosenInput | None:
    classifier, view = model.classifier, model.view
    folders = [run / "explain" for run in runs_of(options.outputs) if (run / "explain").is_dir()]
    found = [_explained_rows(folder, folder.stat().st_mtime_ns) for folder in folders]
    rows = [row for own, shape in found if shape == (classifier.channels, *classifier.input_size) for row in own]
    if not rows:
        st.info(f"No run has explained {view.word} of this classifier's size yet.")
        return None
    row = st.selectbox(
        f"Explained {view.word}",
        rows,
        format_func=lambda path: f"{path.parent.parent.name}: {path.name}",
        key=f"{view.word}.row",
        persist_state="page",
    )
    return view.chosen(row.name, read_row(row, classifier), classifier)
