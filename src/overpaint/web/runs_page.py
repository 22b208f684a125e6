"""Runs: the gallery of an ``explain`` folder, from its files alone."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import streamlit as st

from overpaint.core.errors import OverpaintError
from overpaint.pipeline.cache import read_result
from overpaint.pipeline.row_numbers import row_title
from overpaint.report.image_plots import OVERVIEW
from overpaint.web.models import runs_of
from overpaint.web.options import PageOptions
from overpaint.web.pictures import show
from overpaint.web.run_index import ExplainedRow, read_rows, row_thumbnails

SHOWN = 24
"""Rows of a page."""

ORDERS = {
    "what deserves a look": lambda row: -row.interest,
    "name": lambda row: row.name,
    "least confidence": lambda row: row.confidence,
    "least acceptance": lambda row: math.inf if math.isnan(row.acceptance) else row.acceptance,
    "most disagreement": lambda row: math.inf if math.isnan(row.disagreement) else -row.disagreement,
}
"""What rows are sorted by."""


@st.cache_resource(max_entries=8, show_spinner="Reading the run …")
def _rows(folder: str, stamp: int) -> tuple[ExplainedRow, ...]:
    return tuple(read_rows(Path(folder)))


def show_runs(options: PageOptions) -> None:
    """Shows the tab."""
    found = [run / "explain" if (run / "explain").is_dir() else run for run in runs_of(options.outputs)]
    folders = [str(folder) for folder in found if (folder / "results.csv").is_file()]
    folder = st.selectbox(
        "Folder of explain",
        folders,
        index=0 if folders else None,
        accept_new_options=True,
        key="runs.folder",
        help="One of those in the output folder, or any path that explain has written to.",
        persist_state="page",
    )
    if not folder:
        st.info("No run has explained images yet: run explain, or name the folder of one that has.")
        return
    table = Path(folder) / "results.csv"
    if not table.is_file():
        raise OverpaintError(f"there is no {table}; name a folder that explain has written to")
    rows = _rows(folder, table.stat().st_mtime_ns)
    kept = sorted(_filtered(rows), key=ORDERS[st.session_state.get("runs.order", next(iter(ORDERS)))])
    st.caption(f"{len(kept):,} of {len(rows):,} rows")
    if not kept:
        return
    pages = -(-len(kept) // SHOWN)
    page = min(st.pagination(pages, key="runs.page", persist_state="page") if pages > 1 else 1, pages)
    opened = st.session_state.get("runs.opened")
    here = next((row for row in rows if row.name == opened), None)
    if here is not None:
        _show_row(here)
    shown = kept[(page - 1) * SHOWN : page * SHOWN]
    with st.grid(min_column_width=220):
        for row, picture in zip(shown, row_thumbnails(shown), strict=True):
            with st.container(border=True, gap="xsmall"):
                _show_card(row, picture)
    following = kept[page * SHOWN : (page + 1) * SHOWN]
    Thread(target=row_thumbnails, args=(following,), name="overpaint thumbnails", daemon=True).start()


def _filtered(rows: Sequence[ExplainedRow]) -> list[ExplainedRow]:
    """Shows the filters, and returns the rows that they leave."""
    classes = sorted({row.target for row in rows})
    with st.grid(min_column_width=200):
        chosen = st.multiselect("Explained class", classes, key="runs.class", placeholder="all", persist_state="page")
        low, high = st.slider(
            "Acceptance of the variants, %", 0, 100, (0, 100), key="runs.acceptance", persist_state="page"
        )
        least = st.slider(
            "Disagreement of the methods, at least", 0.0, 1.0, 0.0, 0.05, key="runs.disagreement", persist_state="page"
        )
        only = st.multiselect(
            "Only", ["flat maps", "wrong predictions"], key="runs.only", placeholder="all", persist_state="page"
        )
        st.selectbox("Sorted by", list(ORDERS), key="runs.order", persist_state="page")
    return [
        row
        for row in rows
        if (not chosen or row.target in chosen)
        and (math.isnan(row.acceptance) or low <= 100 * row.acceptance <= high)
        and (least == 0 or row.disagreement >= least)
        and ("flat maps" not in only or row.flat)
        and ("wrong predictions" not in only or row.wrong)
    ]


def _show_card(row: ExplainedRow, picture: bytes | None) -> None:
    if picture is None:
        st.caption("its pictures are gone")
    else:
        show(picture, f"image, maps and variants of {row.name}")
    facts = f"{row.target} · {row.confidence:.0%}"
    facts += f" · predicted {row.prediction}" if row.prediction != row.target else ""
    facts += f" · truly {row.label}" if row.wrong else ""
    facts += f" · {row.acceptance:.0%} accepted" if not math.isnan(row.acceptance) else ""
    st.caption(facts + (" · flat map" if row.flat else ""))
    if st.button(row.name, key=f"runs.open.{row.name}", width="stretch"):
        st.session_state["runs.opened"] = row.name
        st.rerun()


def _show_row(row: ExplainedRow) -> None:
    """Shows a row in full, with its pictures and files."""
    with st.container(border=True):
        try:
            result: dict[str, Any] = read_result(row.folder)
            pictures = sorted(path for path in row.folder.glob("*.png") if path.name != OVERVIEW)
            st.markdown(f"**{row_title(result)}**".replace("$", r"\$"))
            show((row.folder / OVERVIEW).read_bytes(), f"overview of {row.name}")
            with st.grid(min_column_width=320):
                for path in pictures:
                    show(path.read_bytes(), f"{path.stem} of {row.name}", path.stem)
            with st.container(horizontal=True):
                for name in (OVERVIEW, "saliency.npz", "variants.npz", "result.json"):
                    if (row.folder / name).is_file():
                        content = (row.folder / name).read_bytes()
                        st.download_button(
                            name, content, f"{row.name}-{name}", key=f"runs.get.{name}", on_click="ignore"
                        )
        except (OSError, KeyError, json.JSONDecodeError) as error:
            st.error(f"{row.folder} can't be read: {error}")
        if st.button("Close", key="runs.close"):
            del st.session_state["runs.opened"]
            st.rerun()
