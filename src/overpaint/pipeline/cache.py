"""The cache: the results in the folders of explained images, and which of them are valid.

Each artifact of a row (a map, a metric of it, the variants, a probe's result) has a cache key: a digest of all that it
depends on. An artifact whose stored key is the wanted one need not be computed again.
"""

import json
import os
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overpaint.core.files import read_arrays
from overpaint.core.names import row_folder, rows_prefix
from overpaint.core.results import MetricResult, ProbeResult, RegionSearch, SaliencyMaps, SeededName, Variants
from overpaint.pipeline.artifacts import (
    ACCEPTANCE,
    BASE,
    PICTURES,
    REGION,
    SETTINGS,
    VARIANTS,
    channels_array,
    channels_error_array,
    error_array,
    map_artifact,
    metric_artifact,
    probe_array,
    probe_artifact,
)
from overpaint.pipeline.cached_row import CachedRow
from overpaint.pipeline.row_files import existing_result

REGION_NUMBERS = {
    "decisive": "region_decisive",
    "queries": "region_queries",
    "fills": "fills",
    "left_out": "fills_left_out",
    "held_out": "fills_held_out",
    "held_out_lost": "fills_held_out_lost",
}
"""The fields of a `RegionSearch` that are numbers, and their names in result.json."""

CacheKeys = Mapping[str, str]
"""The cache key of each artifact, by the artifact's name."""


@dataclass(frozen=True)
class Wanted:
    """The results that a run is to have of each row.

    Attributes:
        maps: By method and seed.
        metrics: By method and metric.
        probes: The probes' names.
    """

    maps: Sequence[SeededName]
    metrics: Sequence[tuple[str, str]]
    probes: Sequence[str]


def read_result(folder: Path) -> dict[str, Any]:
    """Reads the numbers of an explained row."""
    content: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return content


class Cache:
    """The folders of the rows that earlier runs have explained.

    Args:
        folder: The folder of all explanations; it is listed here.
        keys: The cache keys of each image's artifacts, by the image's name.
        wanted: The results that are asked for.
    """

    def __init__(self, folder: Path, keys: Mapping[str, CacheKeys], wanted: Wanted) -> None:
        self.folder, self.keys, self.wanted = folder, keys, wanted
        self._names: list[str] = []
        self.list_folder()

    def list_folder(self) -> None:
        """Lists the folder; again, once other processes have written there."""
        self._names = sorted(os.listdir(self.folder)) if self.folder.is_dir() else []
        self._names_set = set(self._names)

    def complete_folders(self, image: str) -> list[Path]:
        """Returns the folders of an image's rows in the order of its targets; none if one is missing or damaged."""
        mine = {}
        keys = self.keys[image]
        for name in self._row_folders(image):
            result = existing_result(self.folder / name)
            if result is not None and keys.items() <= result["cache_keys"].items():
                mine[self.folder / name] = result
        expected = max((int(result["targets_of_image"]) for result in mine.values()), default=1)
        return sorted(mine, key=lambda path: int(mine[path]["place_of_target"])) if len(mine) == expected else []

    def _row_folders(self, image: str) -> list[str]:
        """Returns the names of the folders that may be an image's: its own, and one for each of several targets."""
        own, prefix = row_folder(image, None), rows_prefix(image)
        found = [own] if own in self._names_set else []
        for name in self._names[bisect_left(self._names, prefix) :]:
            if not name.startswith(prefix):
                break
            found.append(name)
        return found

    def another_image(self, image: str, path: str, digest: str) -> str | None:
        """Returns the file that rows of an image's name were made of, where it is another file of other content."""
        for name in self._row_folders(image):
            source = (existing_result(self.folder / name) or {}).get("source") or {}
            if path and source.get("path", path) != path and source["digest"] != digest:
                return str(source["path"])
        return None

    def read(self, image: str, class_name: str | None) -> CachedRow:
        """Reads what a row's folder holds and still counts.

        Args:
            image: The image's name.
            class_name: The name of the row's class; None where the prediction is explained.
        """
        folder = self.folder / row_folder(image, class_name)
        result, keys = existing_result(folder), self.keys[image]
        stored = {} if result is None else result["cache_keys"]
        holds = {artifact for artifact, key in stored.items() if keys.get(artifact) == key}
        if result is None or not holds - {BASE, SETTINGS, PICTURES}:
            return CachedRow()
        arrays, curves = read_arrays(folder / "saliency.npz"), read_arrays(folder / "curves.npz")
        maps = {(m, k): _map(m, k, arrays, result) for m, k in self.wanted.maps if map_artifact(m, k) in holds}
        metric_results = {
            (m, k): _metric_result(result["metrics"][m][k], metric_artifact(m, k), curves)
            for m, k in self.wanted.metrics
            if metric_artifact(m, k) in holds
        }
        region = _region(arrays, curves, result) if REGION in holds else None
        variants = None
        if VARIANTS in holds:
            stored_variants = read_arrays(folder / "variants.npz")
            variants = Variants(**{f.name: torch.from_numpy(stored_variants[f.name])[None] for f in fields(Variants)})
        probed = read_arrays(folder / "probes.npz")
        probes = {name: _probe_result(name, result, probed) for name in self.wanted.probes}
        return CachedRow(
            maps, metric_results, region, variants, {n: p for n, p in probes.items() if probe_artifact(n) in holds}
        )


def _map(method: str, seed: int, arrays: Mapping[str, NDArray[Any]], result: Mapping[str, Any]) -> SaliencyMaps:
    numbers = result["methods"][method] if seed == 0 else {}

    def stored(name: str) -> Tensor | None:
        return torch.from_numpy(arrays[name])[None] if seed == 0 and name in arrays else None

    return SaliencyMaps(
        torch.from_numpy(arrays[map_artifact(method, seed)])[None],
        stored(error_array(method)),
        torch.tensor([int(numbers.get("queries", 0))]),
        {name: torch.tensor([_number(value)]) for name, value in numbers.get("measures", {}).items()},
        stored(channels_array(method)),
        stored(channels_error_array(method)),
    )


def _region(
    arrays: Mapping[str, NDArray[Any]], curves: Mapping[str, NDArray[Any]], result: Mapping[str, Any]
) -> RegionSearch:
    return RegionSearch(
        regions=torch.from_numpy(arrays[REGION])[None],
        acceptance=torch.from_numpy(curves[ACCEPTANCE])[0][None],
        **{field: torch.tensor([result[name]]) for field, name in REGION_NUMBERS.items()},
    )


def _metric_result(value: float | None, artifact: str, curves: Mapping[str, NDArray[Any]]) -> MetricResult:
    if artifact not in curves:
        return MetricResult(_number(value))
    curve, places = torch.from_numpy(np.asarray(curves[artifact]))
    return MetricResult(_number(value), curve, places)


def _probe_result(name: str, result: Mapping[str, Any], stored: Mapping[str, NDArray[Any]]) -> ProbeResult:
    numbers = {key: _number(value) for key, value in result["probes"].get(name, {}).items()}
    start = probe_array(name, "")
    arrays = {key.removeprefix(start): torch.from_numpy(v) for key, v in stored.items() if key.startswith(start)}
    return ProbeResult(numbers, arrays)


def _number(value: float | None) -> float:
    """Turns JSON's null back into what is no number."""
    return float("nan") if value is None else value
