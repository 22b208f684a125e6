"""Parts of the page that refresh themselves, and that outlive whatever goes wrong in them."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from overpaint.web.jobs import said_of

OFTEN = 0.3
"""Seconds between two looks at work that runs."""


def guarded(show: Callable[..., None], *arguments: Any) -> None:
    """Shows a part of the page; what goes wrong is said in its place."""
    try:
        show(*arguments)
    except Exception as error:  # the page lives on
        st.error(said_of(error))


def live(show: Callable[..., None], every: float | None, *arguments: Any) -> None:
    """Shows a part of the page that is drawn again by itself.

    Args:
        show: Draws it.
        every: Seconds after which it is drawn again; None: only when something in it is used.
        arguments: What it is given.
    """
    st.fragment(guarded, run_every=every)(show, *arguments)
