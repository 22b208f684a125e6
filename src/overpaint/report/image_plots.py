"""The pictures of one explained image: overview, curves of the metrics, annotated objects."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.core.types import Explanation, MetricResult
from overpaint.metrics.base import SaliencyMetric
from overpaint.report.metric_plots import QUERIES, axis_of
from overpaint.report.plots.curves import curves_chart
from overpaint.report.plots.images import overview
from overpaint.report.plots.objects import boxes_picture
from overpaint.report.probe_plots import probe_image_plots


def image_plots(
    explanation: Explanation,
    row: int,
    arrays: Mapping[str, NDArray[Any]],
    variants: Mapping[str, NDArray[Any]] | None,
    title: str,
    metrics: Mapping[str, SaliencyMetric],
    class_names: list[str],
) -> dict[str, bytes]:
    """Draws what there is to draw of a row.

    Args:
        explanation: The explanation.
        row: Which of its rows.
        arrays: The row's maps, as they are written.
        variants: The row's variants, as they are written.
        title: What stands above.
        metrics: The metrics by name.
        class_names: The classifier's.

    Returns:
        PNG files' contents, by their names.
    """
    methods = list(explanation.saliency)
    pictures = {"overview.png": overview(arrays, methods, title, variants, class_names)}
    for name, metric in metrics.items():
        measured = {method: own[name][row] for method, own in explanation.metric_results.items()}
        curves = {method: both for method, one in measured.items() if (both := _curve(one)) is not None}
        if curves and axis_of(metric) not in ("", QUERIES):
            areas = {method: measured[method].value for method in curves}
            pictures[f"{name}.png"] = curves_chart(
                curves, axis_of(metric), metric.label, f"{name}: {title}", areas=areas
            )
    if explanation.ground_truth is not None and arrays["objects"].any():
        first = methods[0]
        pictures["objects.png"] = boxes_picture(
            arrays["image"], arrays[f"map_{first}"], arrays["objects"], arrays["region"], f"{title} · {first}"
        )
    probed = {
        name: (found[row].numbers, {key: np.asarray(values.cpu()) for key, values in found[row].arrays.items()})
        for name, found in explanation.probe_results.items()
    }
    return pictures | probe_image_plots(probed, title, class_names)


def _curve(measured: MetricResult) -> tuple[NDArray[Any], NDArray[Any]] | None:
    if measured.curve is None or measured.places is None:
        return None
    return np.asarray(measured.places.cpu()), np.asarray(measured.curve.cpu())
