"""Judge: which map is better? Insertion and deletion, and the pointing game where a box is given."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st
import torch

import overpaint as op
from overpaint.configuration.location import configs_folder
from overpaint.configuration.named import named_parts
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.base import SaliencyMetric
from overpaint.metrics.charts import LayerCurve, ScoreCurve
from overpaint.report.plots.curves import curves_chart
from overpaint.saliency.requirements import unmet
from overpaint.web.box import box_region, show_box
from overpaint.web.choose import Question
from overpaint.web.downloads import show_downloads
from overpaint.web.jobs import Job
from overpaint.web.live import OFTEN, live
from overpaint.web.look import Look, explained_look, recipe_of
from overpaint.web.pictures import CHART_WIDTH, show
from overpaint.web.progress import follow
from overpaint.web.view import Box
from overpaint.web.visitor import Visitor

NAME = "Judge"

OF_BOX = ["pointing_game", "energy_inside", "iou"]
"""The metrics that need an annotated object."""


@dataclass
class Judgement:
    """How good the maps of an image or series are.

    Attributes:
        look: The maps.
        metrics: The metrics' names.
        box: The box that was chosen around the object; None: there is none.
        explanation: What was found; None: nothing yet.
    """

    look: Look
    metrics: list[str]
    box: Box | None
    explanation: op.Explanation | None = None


def show_judge(visitor: Visitor, question: Question) -> None:
    """Shows the tab."""
    look, view = explained_look(visitor, question), question.view
    if look is None:
        st.info(f"Explain the {view.word} in the tab **Look** first: its maps are judged here.")
        return
    controls, _, right = st.columns([4, 0.2, 7])
    with controls:
        names = sorted(path.stem for path in (configs_folder() / "metrics").glob("*.yaml"))
        metrics = st.multiselect("Metrics", names, ["insertion", "deletion"], key="metrics", persist_state="page")
        box: Box | None = None
        if st.checkbox(
            view.of_object, key="boxed", help="For pointing game, energy and overlap.", persist_state="page"
        ):
            box = show_box(question.image, view.axes, "object")
            inside = box_region(box, question.image.size)
            view.show_region(question.image, inside.numpy(), f"the {view.word}, with the object marked")
            metrics = list(dict.fromkeys([*metrics, *OF_BOX]))
        if st.button("Judge", type="primary", disabled=visitor.busy or not metrics, key="judge", width="stretch"):
            _start(visitor, question, Judgement(look, metrics, box))
    with right:
        running = visitor.running(NAME) is not None
        live(_results, OFTEN if running else None, visitor, question, running)


def _start(visitor: Visitor, question: Question, judgement: Judgement) -> None:
    for name, metric in named_parts(judgement.metrics, "metrics", "metrics", SaliencyMetric, 0).items():
        if (lacking := unmet(metric, question.model.classifier)) is not None:
            st.error(f"{name} can't judge maps of this classifier, which has {lacking}")
            return
    visitor.results[NAME] = (question, judgement)
    visitor.begin(NAME, partial(_judge, judgement))


def _judge(judgement: Judgement, job: Job[Judgement]) -> None:
    job.found, look, question = judgement, judgement.look, judgement.look.question
    assert look.explanation is not None
    asked = 0

    def on_queries(now: int, planned: int) -> None:
        nonlocal asked
        asked += now
        job.note(asked / max(planned, asked), f"{asked:,} queries")
        question.model.turns.give_way()

    truth = None
    if judgement.box is not None:
        truth = box_region(judgement.box, question.image.size)[None]
    with question.model.turns.turn():
        judgement.explanation = look.explain(
            metrics=judgement.metrics,
            region=RegionRule(method="fraction"),
            ground_truth=truth,
            watcher=op.Watcher(on_queries=on_queries),
        )


def _results(visitor: Visitor, question: Question, was_running: bool) -> None:
    follow(visitor, NAME, was_running)
    _, judgement = visitor.results.get(NAME, (None, None))
    if judgement is None or not judgement.look.question.image.same_as(question.image):
        st.info("Choose metrics and press **Judge**.")
        return
    if (found := judgement.explanation) is None:
        return
    metrics = found.runner.metrics
    rows = []
    for method, own in found.metrics.items():
        values = {name: None if bool(value[0].isnan()) else round(float(value[0]), 4) for name, value in own.items()}
        rows.append({"method": method} | values)
    st.dataframe(rows, hide_index=True, alt="the value of each metric, for each method")
    for name, metric in metrics.items():
        better = {True: "higher is better", False: "lower is better"}.get(metric.higher_is_better)
        st.caption(f"**{name}**: {metric.label}{f' ({better})' if better else ''}")
    charts = _charts(found, question.image.name)
    for name, chart in charts.items():
        show(chart, f"curves of {name} for each method")
    recipe = replace(
        recipe_of(judgement.look),
        metrics=tuple(judgement.metrics),
        box=judgement.box,
        region={"method": "fraction"},
    )
    show_downloads(
        found, judgement.look.question, recipe, "judge", {f"{name}.png": chart for name, chart in charts.items()}
    )


def _charts(found: op.Explanation, title: str) -> dict[str, bytes]:
    """Draws the curves of those metrics that have one."""
    charts = {}
    for name, metric in found.runner.metrics.items():
        results = {method: own[name][0] for method, own in found.rows.explanation.metric_results.items()}
        curves = {
            method: (_array(result.places), _array(result.curve))
            for method, result in results.items()
            if result.curve is not None and result.places is not None
        }
        if curves and isinstance(metric.chart, ScoreCurve | LayerCurve):
            values = {method: results[method].value for method in curves}
            charts[name] = curves_chart(
                curves,
                metric.chart.x_label,
                metric.label,
                f"{name}: {title}",
                values=values,
                legend=metric.chart.value,
                width=CHART_WIDTH,
            )
    return charts


def _array(values: torch.Tensor | None) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    assert values is not None
    return values.cpu().double().numpy()
