"""The progress of a visitor's work, and the buttons that end it."""

import streamlit as st

from overpaint.web.visitor import Visitor


def follow(visitor: Visitor, name: str, was_running: bool, can_settle: bool = False) -> None:
    """Shows how far the work is that runs, with a button that ends it, and how the last work of that name ended.

    Once the work of that name has ended, the whole page is drawn again.

    Args:
        visitor: The visitor.
        name: The work that this tab shows.
        was_running: Whether it ran when the page was drawn last.
        can_settle: Whether its sampling can be ended with the map that it has.
    """
    if was_running and visitor.running(name) is None:
        st.rerun()
    job = visitor.job
    if job is None:
        return
    job.seen()
    if job.running:
        st.progress(job.share, f"{job.said}" if job.name == name else f"{job.name}: {job.said}")
        buttons = st.container(horizontal=True)
        if can_settle and job.name == name:
            buttons.button(
                "Good enough",
                on_click=job.settle,
                key=f"settle.{name}",
                help="Ends the sampling of the method that runs; the map so far stays, and goes on with the next.",
            )
        buttons.button("Stop", on_click=job.stop, key=f"stop.{name}", help="Ends the work; what is complete stays.")
    elif job.name == name:
        if job.error is not None:
            st.error(job.error)
        elif job.stopped:
            st.info("Stopped; what was found before stays.")
