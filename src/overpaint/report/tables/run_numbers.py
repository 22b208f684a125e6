"""The numbers of all rows of a run: each row's files are read once, and only what tables and charts need is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overpaint.core.files import read_arrays
from overpaint.pipeline.cache import read_result
from overpaint.report.tables.columns import Columns
from overpaint.report.tables.curve_store import CurveStore

BOOKKEEPING = (
    *("cache_keys", "format", "files", "checksum", "image", "source", "targets_of_image", "place_of_target"),
    *("methods", "metrics", "probes"),
)
"""What of a row's ``result.json`` is no number of the image."""


def image_row(result: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what was found out about an image, whatever the method."""
    return {name: value for name, value in result.items() if name not in BOOKKEEPING}


def method_row(result: Mapping[str, Any], method: str) -> dict[str, Any]:
    """Returns what was found out about a method's map of an image, without its metrics."""
    own = result["methods"][method]
    row: dict[str, Any] = {"queries": own["queries"], "flat_map": own["flat"]}
    row |= {name: own.get(name) for name in ("relative_error", "agreement")}
    row |= own["measures"]
    return row


@dataclass(frozen=True)
class RunNumbers:
    """The numbers of all rows.

    Attributes:
        image_names: The image of each row.
        images: What was found out about each row, whatever the method.
        methods: What was found out about each method's map.
        metrics: The metrics of each method's map.
        probes: What each probe found out.
        curves: The curves of the metrics and of the region's search.
    """

    image_names: list[str] = field(default_factory=list)
    images: Columns = field(default_factory=Columns)
    methods: Mapping[str, Columns] = field(default_factory=dict)
    metrics: Mapping[str, Columns] = field(default_factory=dict)
    probes: Mapping[str, Columns] = field(default_factory=dict)
    curves: CurveStore = field(default_factory=CurveStore)


def gather(
    folders: Sequence[Path], methods: Sequence[str], metrics: Sequence[str], probes: Sequence[str]
) -> RunNumbers:
    """Reads the numbers of explained rows.

    Args:
        folders: The rows' folders.
        methods: The methods' names.
        metrics: The metrics' names.
        probes: The probes' names.
    """
    found = RunNumbers(
        methods={name: Columns() for name in methods},
        metrics={name: Columns() for name in methods},
        probes={name: Columns() for name in probes},
    )
    for row, folder in enumerate(folders):
        result = read_result(folder)
        found.image_names.append(result["image"])
        found.images.append(image_row(result))
        for method in methods:
            found.methods[method].append(method_row(result, method))
            own = result["metrics"].get(method, {})
            found.metrics[method].append({metric: own.get(metric) for metric in metrics})
        for probe in probes:
            found.probes[probe].append(result["probes"][probe])
        found.curves.append(row, read_arrays(folder / "curves.npz"))
    return found
