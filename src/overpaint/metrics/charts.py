"""Charts that metrics declare as data, and that the report draws."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoreCurve:
    """A curve of the classifier's scores: drawn for each image, and its mean over images with intervals.

    Attributes:
        x_label: What the horizontal axis shows.
        value: How the metric's value comes from the curve; the legend says so above the values.
    """

    x_label: str
    value: str = "area under the curve"


@dataclass(frozen=True)
class BudgetCurve:
    """What the metric is after so many queries: its mean over images with intervals, on a logarithmic axis.

    Attributes:
        x_label: What the horizontal axis shows.
    """

    x_label: str = "queries: forward passes of the classifier for an image"


@dataclass(frozen=True)
class LayerCurve:
    """A curve over the network's layers: drawn for each image, and its mean over images with intervals.

    The means of all metrics that declare an equal chart, over the same layers, are panels of one picture. The layers'
    names are those of `overpaint.metrics.base.SaliencyMetric.point_names`.

    Attributes:
        name: Of the picture's file.
        title: What stands above.
        caption: What the picture shows, in the report.
        x_label: What the horizontal axis of an image's curve shows.
        y_label: What the vertical axis shows.
        value: How the metric's value comes from the curve; the legend says so above the values.
    """

    name: str
    title: str
    caption: str
    x_label: str
    y_label: str
    value: str


@dataclass(frozen=True)
class GroupedBars:
    """A bar for each method, beside those of all metrics that declare an equal chart, with intervals over images.

    Attributes:
        name: Of the picture's file.
        title: What stands above.
        caption: What the picture shows, in the report.
    """

    name: str
    title: str
    caption: str


Chart = ScoreCurve | BudgetCurve | LayerCurve | GroupedBars
