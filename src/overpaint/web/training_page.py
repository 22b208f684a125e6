"""Train: watches a run of ``train``, running or finished, from its files alone."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from overpaint.core.files import read_csv
from overpaint.report.plots.curves import Curve, curves_chart
from overpaint.report.sample_grid import SAMPLES, samples_of_epochs
from overpaint.web.live import live
from overpaint.web.models import runs_of
from overpaint.web.options import PageOptions
from overpaint.web.pictures import CHART_WIDTH, show

FRESH = 600.0
"""Seconds since the last change within which a run may still go on."""

CHARTS = {
    "losses of the GAN": ("dcgan/discriminator_loss", "dcgan/generator_loss"),
    "KID of the samples (lower is better)": ("samples/kid",),
    "precision, recall and coverage of the samples": ("samples/precision", "samples/recall", "samples/coverage"),
    "loss of the classifier": ("classifier/loss",),
    "accuracy of the classifier": ("classifier/val_accuracy",),
}
"""The measures that stand in one chart, by its title."""


def show_training(options: PageOptions) -> None:
    """Shows the tab."""
    runs = [run for run in runs_of(options.outputs) if (run / "metrics.csv").is_file()]
    if not runs:
        st.info(f"No run in {options.outputs} has trained anything yet.")
        return
    run = st.selectbox("Run", runs, key="train.run", persist_state="page")
    age = time.time() - (run / "metrics.csv").stat().st_mtime
    watch = st.checkbox(
        "Watch it",
        age < FRESH,
        key=f"train.watch.{run}",
        help="Reads its files every three seconds.",
        persist_state="page",
    )
    live(_show_run, 3.0 if watch else None, run)


def _show_run(run: Path) -> None:
    """Shows what the files of a run say now."""
    try:
        rows = [row for row in read_csv(run / "metrics.csv") if row.get("epoch", "").isdecimal()]
    except (OSError, UnicodeDecodeError, ValueError) as error:
        st.error(f"{run / 'metrics.csv'} can't be read: {error}")
        return
    if rows:
        st.caption(" · ".join(f"{model}: {count} epochs" for model, count in _epochs(rows).items()))
    with st.grid(min_column_width=340):
        for title, names in CHARTS.items():
            curves = {
                name.partition("/")[2].replace("_", " "): curve for name in names if (curve := _curve(rows, name))
            }
            if curves:
                last = {name: float(values[-1]) for name, (_, values) in curves.items()}
                chart = curves_chart(curves, "epoch", title, title, values=last, legend="last value", width=CHART_WIDTH)
                show(chart, f"{title}, over the epochs")
    epochs = samples_of_epochs(run)
    if len(epochs) > 1:
        epoch = st.select_slider(
            "Samples after epoch", list(epochs), list(epochs)[-1], key=f"train.epoch.{run}", persist_state="page"
        )
        show(epochs[epoch].read_bytes(), f"samples of the generator after epoch {epoch}", width=560)
    elif (run / SAMPLES).is_file():
        show((run / SAMPLES).read_bytes(), "the last samples of the generator", "the last samples", 560)
    for name in ("interpolation", "neighbours"):
        if (run / f"{name}.png").is_file():
            with st.expander(name):
                show((run / f"{name}.png").read_bytes(), f"{name} of the generator")


def _epochs(rows: Sequence[dict[str, str]]) -> dict[str, int]:
    return {row["model"]: int(row["epoch"]) + 1 for row in rows}


def _curve(rows: Sequence[dict[str, str]], name: str) -> Curve | None:
    points = [(float(row["epoch"]), float(row[name])) for row in rows if row.get(name)]
    if not points:
        return None
    places, values = np.array(points, dtype=np.float64).T
    return places, values
