"""Repaint: what else could stand in a region, and what the classifier says of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

import overpaint as op
from overpaint.core.results import Variants
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.pipeline.writer import variant_arrays
from overpaint.report.plots.controls import controls_chart
from overpaint.report.plots.images import enlarge, map_picture, to_picture, with_outline
from overpaint.report.plots.variant_kinds import ShownVariant, accepted_kinds, flipped_by_class
from overpaint.web.choose import Question
from overpaint.web.downloads import show_downloads
from overpaint.web.jobs import Job
from overpaint.web.live import OFTEN, live
from overpaint.web.look import Look, explained_look, map_of, recipe_of
from overpaint.web.pictures import SIDE, large, show
from overpaint.web.progress import follow
from overpaint.web.region_canvas import show_region
from overpaint.web.visitor import Visitor

NAME = "Repaint"
SECONDS = 1.0
"""Between two looks at the variants so far."""

OF_MAP, DECISIVE, DRAWN = "share of the map", "decisive region", "draw it"


@dataclass
class Repaint:
    """The variants of an image, as far as they are there.

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
    region: Bool[Tensor, "height width"]
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
        st.info("Explain the image in the tab **Look** first: its first map gives the region, or you draw one here.")
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
            visitor.begin(NAME, partial(_search, repaint))
    with right:
        running = visitor.running(NAME) is not None
        live(_results, OFTEN if running else None, visitor, question, running)


def replace_generator(look: Look, question: Question) -> Look:
    """Returns a look that asks with the generator that is chosen now."""
    return replace(look, question=replace(look.question, generator=question.generator))


def _region(look: Look) -> tuple[Bool[Tensor, "height width"], bool, dict[str, Any]]:
    ways = [OF_MAP, *([DECISIVE] if look.decisive is not None else []), DRAWN]
    way = st.segmented_control("Region", ways, default=OF_MAP, required=True, key="region.way", persist_state="page")
    rule: dict[str, Any] = {}
    if way == DRAWN:
        return show_region(look.question.image, "region"), True, {}
    if way == DECISIVE and look.decisive is not None:
        region, rule = look.decisive.region[0].cpu(), rule | {"method": "decisive"}
    else:
        share = st.slider("Share of the image, %", 1, 60, 15, key="region.share", persist_state="page")
        rule = {"method": "fraction", "fraction": share / 100}
        region = RegionRule(**rule).salient_region(map_of(look)[None])[0]
    outlined = with_outline(large(look.question.image.pixels[0]), region.numpy())
    show(outlined, "the image, with the region outlined that is repainted", width=260)
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
        job.note(job.share, "asking about masked images …")

    job.note(0.0, "drawing where to start …")
    with question.model.turns.turn(), question.generator.turns.turn():
        found = op.explain(
            question.model.classifier,
            question.image.pixels,
            [look.target],
            look.explanation.runner.methods,
            question.generator.gan,
            region=RegionRule(**repaint.rule),
            search=LatentSearch(**repaint.settings),
            blend=repaint.blend,
            probes=["controls"] if repaint.controls else (),
            earlier=look.explanation,
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
    arrays, image = variant_arrays(variants, 0), question.image.pixels[0].cpu().numpy()
    region, names = repaint.region.numpy(), question.class_names
    counted = ~arrays["duplicate"]
    kept = int((arrays["accepted"] & counted).sum())
    target = names[repaint.look.target]
    st.markdown(f"**{kept} of {int(counted.sum())}** different variants keep the class **{target}**.")
    accepted = accepted_kinds(image, region, arrays, names)
    flipped = flipped_by_class(arrays, names)
    _show_kinds("Accepted, one of each kind", accepted, arrays)
    _show_kinds("Flipped, by the class they are taken for", flipped, arrays)
    if repaint.explanation is None:
        return
    _show_closer([*accepted, *flipped], arrays, image)
    probe = repaint.explanation.probes.get("controls")
    if probe:
        show(controls_chart([probe[0].numbers], "beside controls"), "acceptance of variants beside controls")
    recipe = replace(
        recipe_of(repaint.look),
        generator=repaint.look.question.generator.source,
        region=repaint.rule or None,
        search=repaint.settings,
        blend=repaint.blend,
        drawn=repaint.drawn,
        probes=("controls",) if repaint.controls else (),
    )
    show_downloads(repaint.explanation, recipe, "repaint")


def _show_kinds(title: str, kinds: list[ShownVariant], arrays: dict[str, NDArray[Any]]) -> None:
    st.markdown(f"**{title}**")
    if not kinds:
        st.caption("none")
        return
    st.caption("class · its score · share of the different variants that look like it")
    with st.grid(min_column_width=90):
        for kind in kinds:
            said = f"{kind.answer} · {kind.score:.0%}"
            picture = enlarge(to_picture(arrays["images"][kind.index]), 128)
            show(picture, f"variant {kind.index}, taken for {kind.answer}", f"{said} · {kind.share:.0%}")


def _show_closer(kinds: list[ShownVariant], arrays: dict[str, NDArray[Any]], image: NDArray[np.floating[Any]]) -> None:
    """Shows one variant in full size, its difference, and the way to it."""
    if not kinds:
        return
    numbers = [kind.index for kind in kinds]
    answers = {kind.index: kind.answer for kind in kinds}
    chosen = st.pills(
        "Look closer at variant",
        numbers,
        default=numbers[0],
        required=True,
        format_func=lambda number: f"{number}: {answers[number]}",
        key="closer",
        persist_state="page",
    )
    variant = arrays["images"][chosen if chosen in numbers else numbers[0]]
    way = st.slider("From the image (0) to the variant (1)", 0.0, 1.0, 1.0, 0.05, key="morph", persist_state="page")
    between = enlarge(to_picture(image + way * (variant - image)), SIDE)
    with st.grid(min_column_width=150):
        show(enlarge(to_picture(image), SIDE), "the image", "image")
        show(between, f"{way:.0%} of the way from the image to the variant", f"{way:.0%} of the way")
        difference = map_picture((variant - image).mean(0), 1.0)
        show(enlarge(difference, SIDE), "difference: red is brighter, blue darker", "difference, ±1")
