"""Repaint: what else could stand in a region, and what the classifier says of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st
import torch
from jaxtyping import Bool
from torch import Tensor

import overpaint as op
from overpaint.core.results import Variants
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.pipeline.writer import variant_arrays
from overpaint.report.plots.controls import controls_chart
from overpaint.web.choose import Question
from overpaint.web.downloads import show_downloads
from overpaint.web.jobs import Job
from overpaint.web.live import OFTEN, live
from overpaint.web.look import Look, explained_look, map_of, recipe_of
from overpaint.web.pictures import CHART_WIDTH, show
from overpaint.web.progress import follow
from overpaint.web.variant_gallery import CHOSEN, show_variants
from overpaint.web.visitor import Visitor

NAME = "Repaint"
SECONDS = 1.0
"""Between two looks at the variants so far."""

OF_MAP, DECISIVE, BY_HAND = "of the map", "decisive", "by hand"


@dataclass
class Repaint:
    """The variants of an image or series, as far as they are there.

    Attributes:
        look: What was looked at.
        region: The region that is repainted.
        drawn: Whether it was drawn by hand; otherwise the map's.
        settings: Of the latent search.
        blend: How variants meet their surroundings.
        rule: The settings of the rule that gave the region.
        controls: Whether controls stand beside the variants.
        variants: What the search has found so far.
        explanation: The whole explanation, once it is done.
    """

    look: Look
    region: Bool[Tensor, "*space"]
    drawn: bool
    settings: dict[str, Any]
    blend: str
    rule: dict[str, Any]
    controls: bool
    variants: Variants | None = None
    explanation: op.Explanation | None = None


def show_repaint(visitor: Visitor, question: Question) -> None:
    """Shows the tab."""
    look = explained_look(visitor, question)
    if look is None:
        st.info(
            f"Explain the {question.view.word} in the tab **Look** first: its first map gives the region, or you mark "
            "one here."
        )
        return
    if question.generator is None:
        st.info("Choose a generator in the side bar: it paints what could stand in the region.")
        return
    look = replace_generator(look, question)
    controls, _, right = st.columns([4, 0.2, 7])
    with controls:
        region, drawn, rule = _region(look)
        settings, blend, beside = _settings()
        if not region.any():
            st.caption("The region is empty.")
        if st.button(
            "Repaint", type="primary", disabled=visitor.busy or not bool(region.any()), key="repaint", width="stretch"
        ):
            repaint = Repaint(look, region, drawn, settings, blend, rule, beside)
            visitor.results[NAME] = (question, repaint)
            st.session_state.pop(CHOSEN, None)
            visitor.begin(NAME, partial(_search, repaint))
    with right:
        running = visitor.running(NAME) is not None
        live(_results, OFTEN if running else None, visitor, question, running)


def replace_generator(look: Look, question: Question) -> Look:
    """Returns a look that asks with the generator that is chosen now."""
    return replace(look, question=replace(look.question, generator=question.generator))


def _region(look: Look) -> tuple[Bool[Tensor, "*space"], bool, dict[str, Any]]:
    ways, view = [OF_MAP, *([DECISIVE] if look.decisive is not None else []), BY_HAND], look.question.view
    way = st.segmented_control("Region", ways, default=OF_MAP, required=True, key="region.way", persist_state="page")
    rule: dict[str, Any] = {}
    if way == BY_HAND:
        return torch.from_numpy(view.ask_region(look.question.image, "region")), True, {}
    if way == DECISIVE and look.decisive is not None:
        region, rule = look.decisive.region[0].cpu(), rule | {"method": "decisive"}
    else:
        share = st.slider(f"Share of the {view.word}, %", 1, 60, 15, key="region.share", persist_state="page")
        rule = {"method": "fraction", "fraction": share / 100}
        region = RegionRule(**rule).salient_region(map_of(look)[None])[0]
    about = f"the {view.word}, with the region marked that is repainted"
    view.show_region(look.question.image, region.numpy(), about)
    return region, False, rule


def _settings() -> tuple[dict[str, Any], str, bool]:
    count = st.slider(
        "Variants", 8, 64, 32, 8, key="variants", help="Latents that are searched at once.", persist_state="page"
    )
    diversity = st.slider(
        "Diversity",
        0.0,
        1.0,
        0.0,
        0.1,
        key="diversity",
        help="What a difference is worth; 0: nothing.",
        persist_state="page",
    )
    blend = st.selectbox(
        "Blend",
        ["paste", "feather", "poisson"],
        key="blend",
        help="How a variant meets its surroundings.",
        persist_state="page",
    )
    beside = st.checkbox(
        "With controls",
        key="controls",
        help="What the classifier says of the mean colour, noise, unsearched latents, …",
        persist_state="page",
    )
    settings: dict[str, Any] = {"num_variants": count}
    return settings | ({"diversity": diversity} if diversity else {}), blend, beside


def _search(repaint: Repaint, job: Job[Repaint]) -> None:
    job.found, look, question = repaint, repaint.look, repaint.look.question
    assert question.generator is not None
    assert look.explanation is not None
    last = 0.0

    def on_step(step: int, limit: int, loss: float) -> None:
        job.note(step / max(limit, 1), f"step {step} of at most {limit} · contextual loss {loss:.3f}")
        question.model.turns.give_way()

    def on_variants(make: Callable[[], Variants]) -> None:
        nonlocal last
        if time.monotonic() - last > SECONDS:
            repaint.variants = make()
            last = time.monotonic()

    def on_queries(now: int, planned: int) -> None:
        job.note(job.share, f"asking about masked {question.view.places} …")

    job.note(0.0, "drawing where to start …")
    with question.model.turns.turn(), question.generator.turns.turn():
        found = look.explain(
            generator=question.generator.gan,
            region=RegionRule(**repaint.rule),
            search=LatentSearch(**repaint.settings),
            blend=repaint.blend,
            probes=["controls"] if repaint.controls else (),
            regions=repaint.region[None] if repaint.drawn else None,
            watcher=op.Watcher(on_queries=on_queries, on_step=on_step, on_variants=on_variants),
        )
        repaint.variants, repaint.explanation = found.variants, found


def _results(visitor: Visitor, question: Question, was_running: bool) -> None:
    follow(visitor, NAME, was_running)
    _, repaint = visitor.results.get(NAME, (None, None))
    if repaint is None or not repaint.look.question.image.same_as(question.image):
        st.info("Press **Repaint**: variants appear here while they are searched.")
        return
    variants = repaint.variants
    if variants is None:
        return
    show_variants(
        question.view,
        question.image,
        variant_arrays(variants, 0),
        repaint.region.numpy(),
        question.class_names,
        repaint.look.target,
        done=repaint.explanation is not None,
    )
    if repaint.explanation is None:
        return
    probe = repaint.explanation.probes.get("controls")
    if probe:
        show(
            controls_chart([probe[0].numbers], "beside controls", CHART_WIDTH), "acceptance of variants beside controls"
        )
    recipe = replace(
        recipe_of(repaint.look),
        generator=repaint.look.question.generator.source,
        region=repaint.rule or None,
        search=repaint.settings,
        blend=repaint.blend,
        drawn=repaint.drawn,
        probes=("controls",) if repaint.controls else (),
    )
    show_downloads(repaint.explanation, repaint.look.question, recipe, "repaint")
