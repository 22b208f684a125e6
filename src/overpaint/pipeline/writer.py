"""Writes the files of explained rows, a row's folder whole or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from overpaint.core.files import empty_twin, npz_content, read_arrays, replace_folder, write_bytes
from overpaint.core.names import row_folder, row_name
from overpaint.core.results import Explanation, MetricResult, Variants
from overpaint.pipeline.artifacts import (
    ACCEPTANCE,
    BASE,
    SCALE,
    SETTINGS,
    VARIANTS,
    channels_array,
    channels_error_array,
    error_array,
    map_artifact,
    metric_artifact,
    probe_array,
    probe_artifact,
    region_array,
)
from overpaint.pipeline.cache import CacheKeys
from overpaint.pipeline.row_files import earlier_result, keep_other_files, write_result
from overpaint.pipeline.row_numbers import row_numbers, row_title

Arrays = dict[str, NDArray[Any]]

DrawRow = Callable[[Explanation, int, Arrays, Arrays | None, str], Mapping[str, bytes]]
"""Draws a row: takes the explanation, the row's index, its maps and variants as they are written, and a title; returns
the contents of PNG files by their names."""


@dataclass(frozen=True)
class ExplainedBatch:
    """The explanation of some images, and how its rows are named.

    Attributes:
        images: The name of each row's image; an image comes once for each of its targets.
        classes: The name of each row's class; None where the prediction is explained.
        labels: The true class of each row, or -1.
        explanation: What was found.
    """

    images: list[str]
    classes: list[str | None]
    labels: list[int]
    explanation: Explanation


class RowWriter:
    """Writes the folder of each row.

    Artifacts that an earlier run of the same settings left there, of other methods, metrics or probes on the same
    image, classifier and class, stay. So do files in a row's folder that are not the row's. What is damaged is moved
    aside, see `earlier_result`.

    Args:
        folder: The folder of all explanations.
        class_names: The classifier's.
        draw: Draws a row.
        keys: The cache keys of each image's artifacts, by its name; none: nothing of it will be cached.
        source_of: Says what is written of an image's origin, by its name.
    """

    def __init__(
        self,
        folder: Path,
        class_names: Sequence[str],
        draw: DrawRow,
        keys: Mapping[str, CacheKeys] | None = None,
        source_of: Callable[[str], Mapping[str, str]] = lambda image: {},
    ) -> None:
        self.folder, self.class_names, self.draw = folder, list(class_names), draw
        self.keys = {} if keys is None else keys  # more images may come
        self.source_of = source_of

    def write(self, batch: ExplainedBatch) -> list[Path]:
        """Writes the rows of a batch, and returns their folders."""
        images, folders = batch.images, []
        for row, (image, class_name) in enumerate(zip(images, batch.classes, strict=True)):
            label = batch.labels[row]
            result = {
                "name": row_name(image, class_name),
                "image": image,
                "source": dict(self.source_of(image)),
                "cache_keys": dict(self.keys.get(image, {})),
                "targets_of_image": images.count(image),
                "place_of_target": row - images.index(image),
                "label": self.class_names[label] if 0 <= label < len(self.class_names) else "",
            }
            folders.append(self.folder / row_folder(image, class_name))
            self._write(folders[-1], row, batch.explanation, result)
        return folders

    def _write(self, final: Path, row: int, explanation: Explanation, result: dict[str, Any]) -> None:
        earlier = earlier_result(final)
        partial = empty_twin(final)
        result |= row_numbers(explanation, row, self.class_names)
        arrays, curves = saliency_arrays(explanation, row), _curves(explanation, row)
        probed = _probe_arrays(explanation, row)
        variants = variant_arrays(explanation.variants, row) if explanation.variants else None
        for file, content in self.draw(explanation, row, arrays, variants, row_title(result)).items():
            write_bytes(partial / file, content)
        if earlier is not None:
            _keep(final, earlier, result, {"saliency.npz": arrays, "curves.npz": curves, "probes.npz": probed})
        write_bytes(partial / "saliency.npz", npz_content(arrays))
        write_bytes(partial / "curves.npz", npz_content(curves))
        write_bytes(partial / "probes.npz", npz_content(probed))
        if variants is not None:
            write_bytes(partial / "variants.npz", npz_content(variants))
        write_result(partial, result)
        if earlier is not None:
            keep_other_files(final, earlier, partial)
        replace_folder(final, partial)


def _keep(folder: Path, earlier: Mapping[str, Any], result: dict[str, Any], files: Mapping[str, Arrays]) -> None:
    """Adds the artifacts of an earlier run that this one did not ask for, if they are about the same question."""
    before, now = earlier["cache_keys"], result["cache_keys"]
    if any(before.get(artifact) != now.get(artifact) for artifact in (BASE, SETTINGS)):
        return
    if before.get(VARIANTS) != now.get(VARIANTS):  # the probes were about other variants
        earlier = {**earlier, "probes": {}}
        files = {name: arrays for name, arrays in files.items() if name != "probes.npz"}
        before = {artifact: key for artifact, key in before.items() if not artifact.startswith(probe_artifact(""))}
    result["cache_keys"] = before | now
    result["methods"] = earlier["methods"] | result["methods"]
    result["probes"] = earlier["probes"] | result["probes"]
    if "trouble" in earlier:
        texts = [*earlier["trouble"].split("; "), *result.get("trouble", "").split("; ")]
        result["trouble"] = "; ".join(text for text in dict.fromkeys(texts) if text)
    for method, metrics in earlier["metrics"].items():
        result["metrics"][method] = metrics | result["metrics"].get(method, {})
    for file, arrays in files.items():
        stored = read_arrays(folder / file)
        arrays |= {name: values for name, values in stored.items() if name not in arrays}


def saliency_arrays(explanation: Explanation, row: int) -> Arrays:
    """Returns a row's image, region, maps and standard errors by the names of their arrays; of a series its scale."""
    first = next(iter(explanation.saliency))
    arrays = {"image": explanation.images[row], "region": explanation.regions[first][row]}
    for name, saliency in explanation.saliency.items():
        arrays[map_artifact(name)] = saliency.maps[row]
        arrays[region_array(name)] = explanation.regions[name][row]
        if saliency.standard_errors is not None:
            arrays[error_array(name)] = saliency.standard_errors[row]
        if saliency.by_channel is not None:
            arrays[channels_array(name)] = saliency.by_channel[row]
        if saliency.errors_by_channel is not None:
            arrays[channels_error_array(name)] = saliency.errors_by_channel[row]
    for (name, seed), saliency in explanation.repeats.items():
        arrays[map_artifact(name, seed)] = saliency.maps[row]
    if explanation.ground_truth is not None:
        arrays["objects"] = explanation.ground_truth[row]
    if explanation.scale is not None:
        arrays[SCALE] = torch.tensor([list(explanation.scale.low), list(explanation.scale.high)])
    return {name: values.cpu().numpy() for name, values in arrays.items()}


def _curves(explanation: Explanation, row: int) -> Arrays:
    """Returns each metric's curve with its places on the horizontal axis, as two rows."""
    search = explanation.region_search
    curves = {ACCEPTANCE: torch.stack([search.acceptance[row].cpu(), search.shares]).numpy()}
    for method, own in explanation.metric_results.items():
        for metric, results in own.items():
            if (both := _curve_and_places(results[row])) is not None:
                curves[metric_artifact(method, metric)] = both
    return curves


def _probe_arrays(explanation: Explanation, row: int) -> Arrays:
    return {
        probe_array(name, key): values.cpu().numpy()
        for name, found in explanation.probe_results.items()
        for key, values in found[row].arrays.items()
    }


def _curve_and_places(result: MetricResult) -> NDArray[Any] | None:
    if result.curve is None or result.places is None:
        return None
    return torch.stack([result.curve.cpu(), result.places.cpu()]).numpy()


def variant_arrays(variants: Variants, row: int) -> Arrays:
    """Returns a row's variants by the names of their fields."""
    return {field.name: getattr(variants, field.name)[row].cpu().numpy() for field in fields(Variants)}
