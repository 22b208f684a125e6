"""Look: the maps of several methods side by side, with their errors; the region; the decisive region."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
import torch
from jaxtyping import Float
from torch import Tensor

import overpaint as op
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import SaliencyMethod
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
from overpaint.web.commands import Recipe
from overpaint.web.downloads import show_downloads
from overpaint.web.forms import make_method, method_names, show_form
from overpaint.web.jobs import Job
from overpaint.web.live import live
from overpaint.web.pictures import large, show
from overpaint.web.progress import show_progress
from overpaint.web.visitor import Visitor

NAME = "Look"
NEVER = 1e-6
"""A ``stop_at`` so small that sampling goes on to its end, in rounds."""

FIRST_SHARE = 10
"""The share of the pixels that is the region at first, in percent."""


@dataclass
class Look:
    """The maps of an image, as far as they are there.

    Attributes:
        question: What was asked.
        target: The explained class.
        sections: The settings of the methods.
        maps: What each method has found so far.
        explanation: The explanation by the methods that are done; None: none is.
        decisive: The explanation with the decisive region; None: it was not searched.
    """

    question: Question
    target: int
    sections: dict[str, dict[str, Any]]
    maps: dict[str, ImageMaps] = field(default_factory=dict)
    explanation: op.Explanation | None = None
    decisive: op.Explanation | None = None


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
        live(_results, 0.5 if running else None, visitor, question, running)


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
                _try_rounds(name, section, built)
    look = Look(question, target, sections)
    visitor.results[NAME] = (question, look)
    visitor.job = Job(NAME, partial(_explain, look, built)).start()
    st.rerun()


def _try_rounds(name: str, section: dict[str, Any], built: dict[str, SaliencyMethod]) -> None:
    """Lets a method work in rounds, unless its other settings forbid it."""
    try:
        built[name] = make_method(name, section | {"stop_at": NEVER})
    except OverpaintError:
        return
    section["stop_at"] = NEVER


def _explain(look: Look, methods: Mapping[str, SaliencyMethod], job: Job[Look]) -> None:
    """The work: one method after the other, each shown as soon as it has something."""
    job.found, question = look, look.question
    done: dict[str, SaliencyMethod] = {}
    with question.model.turns.turn():
        for number, (name, method) in enumerate(methods.items()):
            rounds = Rounds(look, job)

            def on_queries(now: int, planned: int, start: int = number, called: str = name) -> None:
                rounds.queries += now  # noqa: B023 - called within this turn of the loop
                share = (start + rounds.queries / max(planned, 1)) / len(methods)  # noqa: B023
                job.note(share, f"{called}: {rounds.queries:,} of {planned:,} queries")  # noqa: B023
                question.model.turns.give_way()

            job.note(number / len(methods), f"{name} …")
            watcher = op.Watcher(on_queries=on_queries, on_maps=rounds.look_at)
            found = op.explain(
                question.model.classifier,
                question.image.pixels,
                [look.target],
                done | {name: method},
                region=RegionRule(method="fraction"),
                earlier=look.explanation,
                watcher=watcher,
            )
            if rounds.stop_at is not None:
                look.sections[name]["stop_at"] = rounds.stop_at
                method = make_method(name, look.sections[name])
                runner = replace(found.runner, methods={**found.runner.methods, name: method})
                found = replace(found, runner=runner)
                job.enough = False
            if name not in found.maps:
                raise OverpaintError(f"{name} can't explain this classifier: it needs more of it than scores")
            done[name], look.explanation = method, found
            saliency = found.rows.explanation.saliency[name]
            look.maps[name] = ImageMaps(saliency.maps, saliency.standard_errors, int(saliency.queries[0]))


class Rounds:
    """Shows a method's maps round by round, and ends it with the best one where somebody says so.

    Attributes:
        queries: Queries that were asked.
        stop_at: The setting that ends the method at the same round again; None: it was not ended.
    """

    def __init__(self, look: Look, job: Job[Look]) -> None:
        self.look, self.job, self.queries = look, job, 0
        self.stop_at: float | None = None
        self._least = float("inf")

    def look_at(self, name: str, _: int, maps: ImageMaps) -> bool:
        """Takes the maps of a round; True ends the method, at a round whose error is the least so far."""
        self.look.maps[name] = ImageMaps(maps.maps.clone(), maps.standard_errors, maps.queries)
        if maps.standard_errors is None:
            return False
        error = float(relative_errors(maps.maps, maps.standard_errors).max())
        best, self._least = error < self._least, min(error, self._least)
        if self.job.enough and best:
            self.stop_at = float(np.nextafter(np.float32(error), np.float32(np.inf)))
            return True
        return False


def _results(visitor: Visitor, question: Question, was_running: bool) -> None:
    """Shows what there is, and while work runs its progress."""
    job = visitor.running(NAME)
    if job is None and was_running:
        st.rerun()
    show_progress(visitor, NAME, can_settle=True)
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
        visitor.job = Job("Decisive", partial(_find_decisive, look)).start()
        st.rerun(scope="app")
    if (found := look.decisive) is None:
        return
    search, region = found.region_search, found.region[0].cpu()
    if bool(search.acceptance[0].isfinite().all()):
        curve = search.shares.numpy(), search.acceptance[0].cpu().numpy()
        chart = acceptance_chart(curve, f"region of {next(iter(found.maps))}", float(region.float().mean()))
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


def _find_decisive(look: Look, job: Job[Look]) -> None:
    job.found, question = look, look.question
    assert look.explanation is not None

    def on_queries(now: int, planned: int) -> None:
        job.note(min(0.95, job.share + now / max(planned, 1)), "asking about fills …")
        question.model.turns.give_way()

    job.note(0.0, "making fills …")
    with question.model.turns.turn():
        look.decisive = op.explain(
            question.model.classifier,
            question.image.pixels,
            [look.target],
            look.explanation.runner.methods,
            earlier=look.explanation,
            watcher=op.Watcher(on_queries=on_queries),
        )


def recipe_of(look: Look) -> Recipe:
    """Returns how a look is made again."""
    question, names = look.question, look.question.class_names
    region: dict[str, Any] = {"method": "decisive" if look.decisive is not None else "fraction"}
    done = {name: section for name, section in look.sections.items() if name in look.maps}
    return Recipe(
        question.model.source,
        question.model.weights,
        None,
        question.image.file,
        names[look.target],
        done,
        region=region,
        size=tuple(question.image.pixels.shape[2:]),
    )


def map_of(look: Look) -> Float[Tensor, "height width"]:
    """Returns the first method's map."""
    values: Tensor = next(iter(look.maps.values())).maps[0].cpu()
    return torch.as_tensor(values)
