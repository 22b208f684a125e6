"""The pictures of one explained image: overview, curves of the metrics, annotated objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.core.results import Explanation, MetricResult
from overpaint.metrics.base import SaliencyMetric
from overpaint.metrics.charts import LayerCurve, ScoreCurve
from overpaint.pipeline.artifacts import SCALE, map_artifact
from overpaint.probes.base import Probe
from overpaint.report.plots.acceptance import acceptance_chart
from overpaint.report.plots.curves import Curve, curves_chart
from overpaint.report.plots.images import figure_png
from overpaint.report.plots.morph import morph
from overpaint.report.plots.objects import boxes_picture
from overpaint.report.plots.overview import overview_figure
from overpaint.report.plots.variant_kinds import accepted_kinds
from overpaint.report.probe_plots import probe_image_plots

OVERVIEW, OBJECTS, ACCEPTANCE_CURVE, MORPH = "overview.png", "objects.png", "acceptance.png", "morph.png"
"""The files of the overview, of the annotated objects, of the curve that found the region, and of the animated way from
the image to its most different accepted variant."""


def metric_picture(name: str) -> str:
    """Returns the name of the file that shows a metric's curve of an image."""
    return f"{name}.png"


def image_plots(
    explanation: Explanation,
    row: int,
    arrays: Mapping[str, NDArray[Any]],
    variants: Mapping[str, NDArray[Any]] | None,
    title: str,
    metrics: Mapping[str, SaliencyMetric],
    class_names: Sequence[str],
    probes: Mapping[str, Probe] | None = None,
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
        probes: The probes by name.

    Returns:
        PNG files' contents, by their names.
    """
    methods = list(explanation.saliency)
    target = class_names[int(explanation.targets[row])]
    figure = overview_figure(arrays, methods, title, variants, class_names, target)
    pictures = {OVERVIEW: figure_png(figure)}
    if variants is not None:
        kinds = accepted_kinds(arrays["image"], arrays["region"], variants, class_names)
        if kinds:
            pictures[MORPH] = morph(arrays["image"], variants["images"][kinds[0].index])
    search = explanation.region_search
    if bool(search.acceptance[row].isfinite().all()) and search.acceptance.shape[1]:
        lost = search.shares.numpy(), search.acceptance[row].cpu().numpy()
        pictures[ACCEPTANCE_CURVE] = acceptance_chart(lost, f"region: {title}", float(arrays["region"].mean()))
    for name, metric in metrics.items():
        if isinstance(metric.chart, ScoreCurve | LayerCurve):
            results = {method: own[name][row] for method, own in explanation.metric_results.items()}
            curves = {method: curve for method, result in results.items() if (curve := _curve(result)) is not None}
            if curves:
                pictures[metric_picture(name)] = curves_chart(
                    curves,
                    metric.chart.x_label,
                    metric.label,
                    f"{name}: {title}",
                    values={method: results[method].value for method in curves},
                    legend=metric.chart.value,
                )
    if explanation.ground_truth is not None and arrays["objects"].any():
        first = methods[0]
        pictures[OBJECTS] = boxes_picture(
            arrays["image"],
            arrays[map_artifact(first)],
            arrays["objects"],
            arrays["region"],
            f"{title} · {first}",
            scale=arrays.get(SCALE),
        )
    found = {
        name: (results[row].numbers, {key: np.asarray(values.cpu()) for key, values in results[row].arrays.items()})
        for name, results in explanation.probe_results.items()
    }
    return pictures | probe_image_plots(probes or {}, found, title, class_names)


def _curve(result: MetricResult) -> Curve | None:
    if result.curve is None or result.places is None:
        return None
    return np.asarray(result.places.cpu()), np.asarray(result.curve.cpu())
