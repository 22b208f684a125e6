"""Look: the maps of several methods side by side, with their errors; the region; the decisive region."""

from functools import partial
from typing import Any

import streamlit as st

from overpaint.core.errors import OverpaintError
from overpaint.inpainting.region import RegionRule
from overpaint.perturbation.method import ImageMaps, relative_errors
from overpaint.report.plots.acceptance import acceptance_chart
from overpaint.report.plots.images import (
    blended,
    colour_scale,
    enlarge,
    error_picture,
    largest_of,
    map_picture,
    with_outline,
)
from overpaint.web.choose import Question
from overpaint.web.downloads import show_downloads
from overpaint.web.forms import make_method, method_names, show_form
from overpaint.web.live import OFTEN, live
from overpaint.web.look import NAME, Look, explain_look, find_decisive, recipe_of, try_rounds
from overpaint.web.pictures import CHART_WIDTH, large, show
from overpaint.web.progress import follow
from overpaint.web.visitor import Visitor

FIRST_SHARE = 10
"""The share of the pixels that is the region at first, in percent."""


def show_look(visitor: Visitor, question: Question) -> None:
    """Shows the tab."""
    controls, _, right = st.columns([4, 0.2, 7])
    with controls:
        target = _target(question)
        sections = _methods()
        refine = st.checkbox(
            "Refine while I watch",
            True,
            key="refine",
            help="Sampling methods work in rounds of 128 queries (stop_at=1e-06), so that their maps can be seen and "
            "stopped early. Without it all queries are asked at once.",
            persist_state="page",
        )
        if st.button("Explain", type="primary", disabled=visitor.busy or not sections, key="explain", width="stretch"):
            _start(visitor, question, target, sections, refine)
    with right:
        running = visitor.running(NAME) is not None
        live(_results, OFTEN if running else None, visitor, question, running)


def _target(question: Question) -> int:
    """Shows the image and its five highest scores, of which one is chosen to be explained."""
    top = question.scores.topk(min(5, len(question.scores))).indices.tolist()
    show(large(question.image.pixels[0]), f"the image {question.image.name}", question.image.name, 200)
    names = question.class_names
    target: int = st.radio(
        "Explain the score of",
        top,
        format_func=lambda index: f"{names[index]} · {question.scores[index]:.1%}",
        key=f"target.{question.image.name}.{question.model.source}",
        help="The classes with the highest scores.",
        persist_state="page",
    )
    if len(names) > len(top):
        other = st.selectbox(
            "or of another class",
            [None, *range(len(names))],
            0,
            lambda i: "–" if i is None else names[i],
            key="target.other",
            persist_state="page",
        )
        target = target if other is None else other
    return target


def _methods() -> dict[str, dict[str, Any]]:
    """Shows the methods and their forms; returns the settings of those that are chosen."""
    names = st.multiselect(
        "Methods",
        method_names(),
        ["grad_cam", "surrogate"],
        key="methods",
        help="The first one gives the region.",
        persist_state="page",
    )
    sections = {}
    for name in names:
        with st.expander(f"{name}: settings"):
            sections[name] = show_form(name, f"form.{name}")
    return sections


def _start(
    visitor: Visitor, question: Question, target: int, sections: dict[str, dict[str, Any]], refine: bool
) -> None:
    try:
        built = {name: make_method(name, section) for name, section in sections.items()}
    except OverpaintError as error:
        st.error(str(error))
        return
    if refine:
        for name, section in sections.items():
            if "stop_at" in section and section["stop_at"] is None:
                try_rounds(name, section, built)
    look = Look(question, target, sections)
    visitor.results[NAME] = (question, look)
    visitor.begin(NAME, partial(explain_look, look, built))


def _results(visitor: Visitor, question: Question, was_running: bool) -> None:
    """Shows what there is, and while work runs its progress."""
    job = visitor.running(NAME)
    follow(visitor, NAME, was_running, can_settle=True)
    _, look = visitor.results.get(NAME, (None, None))
    if look is None or not look.question.image.same_as(question.image):
        st.info("Choose methods and press **Explain**: their maps stand here side by side, with their standard errors.")
        return
    shown = dict(look.maps)  # the work adds to them meanwhile
    if not shown:
        return
    first, second, third = st.columns(3)
    opacity = first.slider("Opacity of the map", 0.0, 1.0, 0.6, 0.05, key="opacity", persist_state="page")
    scale = second.segmented_control(
        "Scale",
        ["normalised", "raw"],
        default="normalised",
        required=True,
        key="scale",
        help="normalised: each map by its own greatest value. raw: all maps by the greatest value of all; the units of "
        "methods differ.",
        persist_state="page",
    )
    share = third.slider("Region, % of the image", 1, 60, FIRST_SHARE, key="share", persist_state="page")
    raw = max(largest_of(own.maps[0].cpu().numpy()) for own in shown.values()) if scale == "raw" else None
    rule = RegionRule(method="fraction", fraction=share / 100)
    with st.grid(min_column_width=210):
        for name, maps in shown.items():
            with st.container(border=True, gap="xsmall"):
                _show_map(name, maps, look, opacity, raw, rule)
    end = f"{raw:.3g}" if raw is not None else "its greatest value"
    show(colour_scale(), "colour scale: blue is against the class, white is 0, red is for it")
    st.caption(
        f"Colours from -{end} (blue: against the class) over 0 (white) to +{end} (red: for the class). Amber: the "
        f"{share} % of the pixels that are most salient. Grey: the standard error, black is a quarter of the scale."
    )
    if job is None and look.explanation is not None:
        _show_decisive(visitor, look)
        show_downloads(look.decisive or look.explanation, recipe_of(look), "look")


def _show_map(name: str, maps: ImageMaps, look: Look, opacity: float, raw: float | None, rule: RegionRule) -> None:
    values = maps.maps[0].cpu()
    picture = large(look.question.image.pixels[0])
    factor = picture.shape[0] // values.shape[0]
    largest = raw or largest_of(values.numpy())
    colours = map_picture(values.numpy(), largest).repeat(factor, axis=0).repeat(factor, axis=1)
    region = rule.salient_region(values[None])[0].numpy()
    named = look.question.class_names[look.target]
    st.markdown(f"**{name}**")
    show(
        with_outline(blended(picture, colours, opacity), region),
        f"map of {name} for the class {named}, with its region",
    )
    if not region.any():
        st.warning("The map is flat: nothing in it is salient.")
    queries = maps.queries if isinstance(maps.queries, int) else sum(maps.queries)
    spent = f"{queries:,} {'query' if queries == 1 else 'queries'}"
    if maps.standard_errors is None:
        st.caption(f"{spent} · no standard error")
        return
    errors = maps.standard_errors[0].cpu()
    relative = float(relative_errors(values[None], errors[None]))
    show(
        enlarge(error_picture(errors.numpy(), largest / 4), picture.shape[0]),
        f"standard error of the map of {name}",
    )
    st.caption(f"{spent} · standard error {relative:.2%} of the map's range")


def _show_decisive(visitor: Visitor, look: Look) -> None:
    """Offers the search of the decisive region, and shows its curve."""
    if st.button(
        "Find the decisive region",
        disabled=visitor.busy,
        key="decisive",
        help="The smallest part of the first map without which plausible fills take the class away.",
    ):
        visitor.begin("Decisive", partial(find_decisive, look))
    if (found := look.decisive) is None:
        return
    search, region = found.region_search, found.region[0].cpu()
    if bool(search.acceptance[0].isfinite().all()):
        curve = search.shares.numpy(), search.acceptance[0].cpu().numpy()
        chart = acceptance_chart(
            curve, f"region of {next(iter(found.maps))}", float(region.float().mean()), width=CHART_WIDTH
        )
        show(chart, "share of the fills that keep the class over the share of the image that is filled")
    if bool(search.decisive[0]):
        outlined = with_outline(large(look.question.image.pixels[0]), region.numpy())
        show(
            outlined,
            "the image with its decisive region outlined",
            f"{float(region.float().mean()):.1%} of the image",
            260,
        )
    else:
        st.info("No region is decisive: every fill keeps the class, even over the whole image.")
