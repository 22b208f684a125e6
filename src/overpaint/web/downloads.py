"""What is shown, as files, and how it is made again."""

import shlex
from collections.abc import Callable, Mapping

import streamlit as st

import overpaint as op
from overpaint.core.files import npy_content, npz_content
from overpaint.pipeline.writer import saliency_arrays, variant_arrays
from overpaint.report.plots.images import figure_png
from overpaint.web.choose import Question
from overpaint.web.commands import Recipe


def npz_of(explanation: op.Explanation) -> bytes:
    """Returns the input, maps, standard errors, regions and variants as the content of an npz file."""
    arrays = saliency_arrays(explanation.rows.explanation, 0)
    if explanation.variants is not None:
        arrays |= {f"variants_{name}": own for name, own in variant_arrays(explanation.variants, 0).items()}
    return npz_content(arrays)


def show_downloads(
    explanation: op.Explanation,
    question: Question,
    recipe: Recipe,
    key: str,
    more: Mapping[str, bytes] | None = None,
) -> None:
    """Shows the downloads and the lines that make the result again.

    Args:
        explanation: What is shown.
        question: What it answers.
        recipe: What it was made of.
        key: Makes the widgets' keys unique.
        more: Further PNG files by name.
    """
    with st.container(horizontal=True):
        _button("Overview (PNG)", lambda: figure_png(explanation.plot()), "overview.png", "image/png", key)
        _button("Arrays (npz)", lambda: npz_of(explanation), "explanation.npz", "application/octet-stream", key)
        if recipe.drawn:
            region = explanation.region[0].cpu().numpy()
            _button("Region (npy)", lambda: npy_content(region), "region.npy", "application/octet-stream", key)
        own = question.view.file_of(question.image)
        _button(own.label, own.encode, own.name, own.mime, key)
        for name, content in (more or {}).items():
            _button(name, lambda content=content: content, name, "image/png", key)  # type: ignore[misc]
    with st.expander("Make it again"):
        line = recipe.command_line()
        if line is None:
            st.caption("What was drawn by hand can't be said on a command line; Python says it:")
        else:
            st.caption(f"On the command line, in the folder of the file {shlex.quote(recipe.file)}:")
            st.code(line, language="bash", wrap_lines=True)
            st.caption("In Python:")
        st.code(recipe.python(), language="python", wrap_lines=True)


def _button(label: str, content: Callable[[], bytes], name: str, mime: str, key: str) -> None:
    st.download_button(label, content, name, mime, key=f"download.{key}.{name}", on_click="ignore")
