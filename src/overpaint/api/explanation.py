"""The explanation that the Python API returns: its parts, its drawing, its files."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from overpaint.core.names import row_name
from overpaint.core.results import ProbeResult, RegionSearch, Variants
from overpaint.core.types import Images, Maps, Regions, Scores, Targets
from overpaint.core.value_range import to_stored
from overpaint.pipeline.row_numbers import row_numbers, row_title
from overpaint.pipeline.runner import Runner
from overpaint.pipeline.writer import ExplainedBatch, RowWriter, saliency_arrays, variant_arrays
from overpaint.report.image_plots import image_plots
from overpaint.report.plots.images import figure_png
from overpaint.report.plots.overview import overview_figure
from overpaint.report.run import write_report

SHOWN = 8
"""Rows that a notebook shows at most."""


@dataclass(frozen=True)
class Explanation:
    """The explanation of some images: a row for each image and each of its targets.

    Attributes:
        rows: The rows and their names.
        runner: What explained them.
    """

    rows: ExplainedBatch
    runner: Runner

    def __len__(self) -> int:
        return len(self.rows.images)

    @property
    def names(self) -> list[str]:
        """The name of each row."""
        return [row_name(i, c) for i, c in zip(self.rows.images, self.rows.classes, strict=True)]

    @property
    def class_names(self) -> list[str]:
        """The classifier's."""
        return list(self.runner.classifier.class_names)

    @property
    def images(self) -> Images:
        """The image of each row, in ``[0, 1]``."""
        return self.rows.explanation.images

    @property
    def targets(self) -> Targets:
        """The explained class of each row."""
        return self.rows.explanation.targets

    @property
    def scores(self) -> Scores:
        """The classifier's scores of each row's image."""
        return self.rows.explanation.scores

    @property
    def maps(self) -> dict[str, Maps]:
        """The saliency maps of each method, signed and raw; larger is more important."""
        return {name: own.maps for name, own in self.rows.explanation.saliency.items()}

    @property
    def standard_errors(self) -> dict[str, Maps]:
        """The standard error of each value of the maps, for the methods that have it."""
        saliency = self.rows.explanation.saliency
        return {name: own.standard_errors for name, own in saliency.items() if own.standard_errors is not None}

    @property
    def maps_by_channel(self) -> dict[str, Float[Tensor, "row channel length"]]:
        """The maps of each channel, whose sum ``maps`` are, where ``channels="separate"`` asked for them."""
        return {n: own.by_channel for n, own in self.rows.explanation.saliency.items() if own.by_channel is not None}

    @property
    def standard_errors_by_channel(self) -> dict[str, Float[Tensor, "row channel length"]]:
        """The standard error of each value of these, for the methods that have it."""
        saliency = self.rows.explanation.saliency
        return {n: own.errors_by_channel for n, own in saliency.items() if own.errors_by_channel is not None}

    @property
    def queries(self) -> dict[str, Int[Tensor, " row"]]:
        """Forward passes of the classifier behind each map."""
        return {name: own.queries for name, own in self.rows.explanation.saliency.items()}

    @property
    def region(self) -> Regions:
        """The salient region of each row, by the first method's map: True where it is repainted."""
        return next(iter(self.rows.explanation.regions.values()))

    @property
    def region_search(self) -> RegionSearch:
        """How the region of each row was found, and what plausible fills of it did to the class."""
        return self.rows.explanation.region_search

    @property
    def regions(self) -> Mapping[str, Regions]:
        """The salient region of each row in each method's map."""
        return self.rows.explanation.regions

    @property
    def variants(self) -> Variants | None:
        """The repainted variants of each row, and what the classifier says of them; None without a generator."""
        return self.rows.explanation.variants

    @property
    def metrics(self) -> dict[str, dict[str, Float[Tensor, " row"]]]:
        """The metrics of each row, by method and metric; NaN where something can't be measured."""
        return {
            method: {name: torch.tensor([result.value for result in results]) for name, results in own.items()}
            for method, own in self.rows.explanation.metric_results.items()
        }

    @property
    def probes(self) -> Mapping[str, Sequence[ProbeResult]]:
        """What each probe found out about each row."""
        return self.rows.explanation.probe_results

    @property
    def flat(self) -> Bool[Tensor, " row"]:
        """True where the first method's map has no contrast: nothing in it is salient."""
        return next(iter(self.rows.explanation.flat.values()))

    @cached_property
    def _numbers(self) -> list[dict[str, Any]]:
        names = zip(self.names, range(len(self)), strict=True)
        return [{"name": name} | row_numbers(self.rows.explanation, row, self.class_names) for name, row in names]

    def plot(self, row: int = 0) -> Figure:
        """Draws a row: image, maps and standard errors, salient region, accepted and flipped variants.

        Args:
            row: Which one.

        Raises:
            IndexError: If there is no such row.
        """
        row = range(len(self))[row]
        variants = None if self.variants is None else variant_arrays(self.variants, row)
        arrays = saliency_arrays(self.rows.explanation, row)
        numbers = self._numbers[row]
        return overview_figure(
            arrays, list(self.maps), row_title(numbers), variants, self.class_names, numbers["target"]
        )

    def save(self, folder: str | Path) -> Path:
        """Writes what ``explain.py`` writes: a folder for each row, tables, charts and the report.

        Args:
            folder: Where to; rows of the same name that are there already are replaced.

        Returns:
            The report's path.
        """
        folder = Path(folder).expanduser()
        draw = partial(
            image_plots, metrics=self.runner.metrics, class_names=self.class_names, probes=self.runner.probes
        )
        folders = RowWriter(folder, self.class_names, draw).write(self.rows)
        real = to_stored(self.images)
        write_report(folder, folders, self.runner, lambda: real, [], {}, "overpaint.explain(...)")
        return folder / "report.html"

    def _repr_html_(self) -> str:
        """Shows the first rows in a notebook."""
        parts = []
        for row in range(min(len(self), SHOWN)):
            picture = base64.b64encode(figure_png(self.plot(row))).decode()
            title = escape(row_title(self._numbers[row]), quote=True)
            parts.append(f'<img alt="{title}" style="max-width: 100%" src="data:image/png;base64,{picture}">')
        if len(self) > SHOWN:
            parts.append(f"<p>{len(self) - SHOWN} more rows; <code>plot(row)</code> draws them</p>")
        return "\n".join(parts)

    def __repr__(self) -> str:
        found = ", ".join(self.maps)
        variants = "" if self.variants is None else f", {self.variants.images.shape[1]} variants each"
        return f"Explanation({len(self)} rows by {found}{variants})"
