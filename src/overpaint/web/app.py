"""The page: what is asked on the left, the tabs on the right."""

from collections.abc import Callable

import streamlit as st

from overpaint.web.choose import Question, choose
from overpaint.web.judge_page import show_judge
from overpaint.web.live import guarded
from overpaint.web.look_page import show_look
from overpaint.web.options import PageOptions
from overpaint.web.repaint_page import show_repaint
from overpaint.web.runs_page import show_runs
from overpaint.web.training_page import show_training
from overpaint.web.visitor import Visitor
from overpaint.web.visitor import visitor as this_visitor

OF_IMAGE: dict[str, Callable[[Visitor, Question], None]] = {
    "Look": show_look,
    "Repaint": show_repaint,
    "Judge": show_judge,
}
"""The tabs about one image or series."""

OF_FILES: dict[str, Callable[[PageOptions], None]] = {"Runs": show_runs, "Train": show_training}
"""The tabs about the files of runs."""


def page(options: PageOptions) -> None:
    """Shows the page of one visitor."""
    st.set_page_config("Overpaint", layout="wide")
    visitor = this_visitor()
    st.markdown("## Overpaint\nWhere does a classifier look, and what else could stand there?")
    with st.sidebar:
        st.subheader("Choose")
        question = choose(options, visitor)
    for tab, name in zip(
        st.tabs([*OF_IMAGE, *OF_FILES], key="tab", on_change="rerun"), [*OF_IMAGE, *OF_FILES], strict=True
    ):
        if tab.open:
            with tab:
                guarded(_show, name, options, visitor, question)


def _show(name: str, options: PageOptions, visitor: Visitor, question: Question | None) -> None:
    """Shows a tab."""
    if name in OF_FILES:
        OF_FILES[name](options)
    elif question is None:
        st.info("Choose a classifier and what it is asked about in the side bar.")
    else:
        OF_IMAGE[name](visitor, question)
