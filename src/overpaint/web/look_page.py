"""Look: the maps of several methods side by side, with their errors; the region; the decisive region."""

from functools import partial
from typing import Any

import streamlit as st

from overpaint.core.errors import OverpaintError
from overpaint.inpainting.region import RegionRule
from overpaint.perturbation.method import ImageMaps, relative_errors
from overpaint.report.plots.acceptance import acceptance_chart
from overpaint.report.plots.images import colour_scale, largest_of
from overpaint.saliency.requirements import unmet
from overpaint.web.choose import Question
from overpaint.web.downloads import show_downloads
from overpaint.web.forms import make_method, method_names, show_form
from overpaint.web.live import OFTEN, live
from overpaint.web.look import NAME, Look, explain_look, find_decisive, recipe_of, try_rounds
from overpaint.web.pictures import CHART_WIDTH, show
from overpaint.web.progress import follow
from overpaint.web.view import ShownMap
from overpaint.web.visitor import Visitor

FIRST_SHARE = 10
"""The share of the input that is the region at first, in percent."""


def show_look(visitor: Visitor, question: Question) -> None:
    """Shows the tab."""
    controls, _, right = st.columns([4, 0.2, 7])
    with controls:
        target = _target(question)
        sections = _methods()
        channels = question.view.ask_channels(question.model.classifier)
        refine = st.checkbox(
            "Refine while I watch",
            True,
            key="refine",
            help="Sampling methods work in rounds of 128 queries (stop_at=1e-06), so that their maps can be seen and "
            "stopped early. Without it all queries are asked at once.",
            persist_state="page",
        )
        if st.button("Explain", type="primary", disabled=visitor.busy or not sections, key="explain", width="stretch"):
            _start(visitor, Look(question, target, sections, channels), refine)
    with right:
        running = visitor.running(NAME) is not None
        live(_results, OFTEN if running else None, visitor, question, running)


def _target(question: Question) -> int:
    """Shows the input and its five highest scores, of which one is chosen to be explained."""
    top = question.scores.topk(min(5, len(question.scores))).indices.tolist()
    question.view.show(question.image, question.image.name, 200)
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
            key=f"target.other.{question.model.source}",
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


def _start(visitor: Visitor, look: Look, refine: bool) -> None:
    try:
        built = {name: make_method(name, section) for name, section in look.sections.items()}
    except OverpaintError as error:
        st.error(str(error))
        return
    for name, method in built.items():
        if (lacking := unmet(method, look.question.model.classifier, look.channels)) is not None:
            st.error(f"{name} can't explain this classifier, which has {lacking}")
            return
    if refine:
        for name, section in look.sections.items():
            if "stop_at" in section and section["stop_at"] is None:
                try_rounds(name, section, built)
    visitor.results[NAME] = (look.question, look)
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
    view = question.view
    first, second, third = st.columns(3)
    scale = first.segmented_control(
        "Scale",
        ["normalised", "raw"],
        default="normalised",
        required=True,
        key="scale",
        help="normalised: each map by its own greatest value. raw: all maps by the greatest value of all; the units of "
        "methods differ.",
        persist_state="page",
    )
    share = second.slider(f"Region, % of the {view.word}", 1, 60, FIRST_SHARE, key="share", persist_state="page")
    opacity = view.ask_opacity(third)
    raw = max(largest_of(own.maps[0].cpu().numpy()) for own in shown.values()) if scale == "raw" else None
    rule = RegionRule(method="fraction", fraction=share / 100)
    with st.grid(min_column_width=view.map_width):
        for name, maps in shown.items():
            with st.container(border=True, gap="xsmall"):
                _show_map(name, maps, look, opacity, raw, rule)
    end = f"{raw:.3g}" if raw is not None else "its greatest value"
    show(colour_scale(), "colour scale: blue is against the class, white is 0, red is for it")
    st.caption(
        f"Colours from -{end} (blue: against the class) over 0 (white) to +{end} (red: for the class). Amber: the "
        f"{share} % of the {view.places} that are most salient. {view.legend}"
    )
    if job is None and look.explanation is not None:
        _show_decisive(visitor, look)
        show_downloads(look.decisive or look.explanation, look.question, recipe_of(look), "look")


def _show_map(name: str, maps: ImageMaps, look: Look, opacity: float, raw: float | None, rule: RegionRule) -> None:
    values = maps.maps[0].cpu()
    errors = None if maps.standard_errors is None else maps.standard_errors[0].cpu()
    region = rule.salient_region(values[None])[0].numpy()
    about = f"map of {name} for the class {look.question.class_names[look.target]}, with its region"
    st.markdown(f"**{name}**")
    shown = ShownMap(
        method=name,
        values=values.numpy(),
        errors=None if errors is None else errors.numpy(),
        region=region,
        largest=raw,
        opacity=opacity,
        by_channel=None if maps.by_channel is None else maps.by_channel[0].cpu().numpy(),
        about=about,
    )
    look.question.view.show_map(look.question.image, shown)
    if not region.any():
        st.warning("The map is flat: nothing in it is salient.")
    queries = maps.queries if isinstance(maps.queries, int) else sum(maps.queries)
    spent = f"{queries:,} {'query' if queries == 1 else 'queries'}"
    if errors is None:
        st.caption(f"{spent} · no standard error")
        return
    relative = float(relative_errors(values[None], errors[None]))
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
    search, region, view = found.region_search, found.region[0].cpu(), look.question.view
    word = view.word
    if bool(search.acceptance[0].isfinite().all()):
        curve = search.shares.numpy(), search.acceptance[0].cpu().numpy()
        chart = acceptance_chart(
            curve, f"region of {next(iter(found.maps))}", float(region.float().mean()), width=CHART_WIDTH
        )
        show(chart, f"share of the fills that keep the class over the share of the {word} that is filled")
    if bool(search.decisive[0]):
        about, share = f"the {word} with its decisive region marked", float(region.float().mean())
        view.show_region(look.question.image, region.numpy(), about, f"{share:.1%} of the {word}")
    else:
        st.info(f"No region is decisive: every fill keeps the class, even over the whole {word}.")
