"""The one place that writes the files of an explanation, an image's folder whole or not at all."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import BasePredictionWriter
from numpy.typing import NDArray

from overpaint.core.files import empty_twin, read_arrays, replace_folder, write_bytes, write_json
from overpaint.core.names import row_folder, row_name
from overpaint.core.types import Explanation, MetricResult, SaliencyMaps, Variants
from overpaint.metrics.base import SaliencyMetric
from overpaint.perturbation.method import relative_errors
from overpaint.pipeline.cache import BASE, Stamps, map_piece, metric_piece, probe_piece, read_result
from overpaint.pipeline.lightning import ExplainedBatch
from overpaint.report.image_plots import image_plots


class ExplanationWriter(BasePredictionWriter):
    """Writes each explained image's folder as soon as its batch is done.

    Pieces that an earlier run left there, of other methods or metrics on the same image, classifier and class, stay.

    Args:
        folder: The folder of all explanations.
        class_names: The classifier's.
        stamps: The stamps of each image's pieces, by its name.
        metrics: The metrics by name, whose curves are drawn.
    """

    def __init__(
        self,
        folder: Path,
        class_names: Sequence[str],
        stamps: Mapping[str, Stamps],
        metrics: Mapping[str, SaliencyMetric] | None = None,
    ) -> None:
        super().__init__(write_interval="batch")
        self.folder, self.class_names, self.stamps = folder, list(class_names), stamps
        self.metrics = metrics or {}

    def write_on_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        prediction: ExplainedBatch,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Writes the images of a batch."""
        images = prediction.images
        for row, (image, class_name) in enumerate(zip(images, prediction.classes, strict=True)):
            label = prediction.labels[row]
            result = {
                "name": row_name(image, class_name),
                "image": image,
                "stamps": dict(self.stamps[image]),
                "targets_of_image": images.count(image),
                "place_of_target": row - images.index(image),
                "label": self.class_names[label] if 0 <= label < len(self.class_names) else "",
            }
            self._write(self.folder / row_folder(image, class_name), row, prediction.explanation, result)

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Waits for the other devices, so that the report finds their images."""
        trainer.strategy.barrier()

    def _write(self, final: Path, row: int, explanation: Explanation, result: dict[str, Any]) -> None:
        partial = empty_twin(final)
        result |= self._numbers(explanation, row)
        arrays, curves = _saliency_arrays(explanation, row), _curves(explanation, row)
        probed = _probe_arrays(explanation, row)
        variants = _variant_arrays(explanation.variants, row) if explanation.variants else None
        pictures = image_plots(explanation, row, arrays, variants, _title(result), self.metrics, self.class_names)
        for file, content in pictures.items():
            write_bytes(partial / file, content)
        if (final / "result.json").is_file():
            _keep(final, result, {"saliency.npz": arrays, "curves.npz": curves, "probes.npz": probed})
        write_bytes(partial / "saliency.npz", _npz(arrays))
        write_bytes(partial / "curves.npz", _npz(curves))
        write_bytes(partial / "probes.npz", _npz(probed))
        if variants is not None:
            write_bytes(partial / "variants.npz", _npz(variants))
        write_json(partial / "result.json", result)
        replace_folder(final, partial)

    def _numbers(self, explanation: Explanation, row: int) -> dict[str, Any]:
        scores, target = explanation.scores[row], int(explanation.targets[row])
        first = next(iter(explanation.saliency))
        numbers: dict[str, Any] = {
            "prediction": self.class_names[int(scores.argmax())],
            "target": self.class_names[target],
            "confidence": float(scores[target]),
            "region_fraction": float(explanation.regions[first][row].float().mean()),
            "flat_map": bool(explanation.flat[first][row]),
        }
        if (variants := explanation.variants) is not None:
            numbers |= _variant_numbers(variants, row)
        numbers["methods"] = {
            name: _method_numbers(saliency, row) | {"flat": bool(explanation.flat[name][row])}
            for name, saliency in explanation.saliency.items()
        }
        numbers["metrics"] = {
            method: {metric: measured[row].value for metric, measured in own.items()}
            for method, own in explanation.metric_results.items()
        }
        numbers["probes"] = {name: dict(found[row].numbers) for name, found in explanation.probe_results.items()}
        return numbers


def _variant_numbers(variants: Variants, row: int) -> dict[str, Any]:
    counted = ~variants.duplicate[row]
    return {
        "variants": len(counted),
        "different_variants": int(counted.sum()),
        "accepted": int((variants.accepted[row] & counted).sum()),
        "flipped": int((~variants.accepted[row] & counted).sum()),
        "acceptance_rate": float(variants.acceptance_rates[row]),
        "mean_confidence": float(variants.mean_confidences[row]),
        "contextual_loss": float(variants.contextual_losses[row].mean()),
        "realism": float(variants.realism[row].mean()),
        "diversity": float(variants.diversities[row]),
        "search_steps": int(variants.steps[row]),
    }


def _method_numbers(saliency: SaliencyMaps, row: int) -> dict[str, Any]:
    numbers: dict[str, Any] = {"queries": int(saliency.queries[row])}
    if (errors := saliency.standard_errors) is not None:
        mine = slice(row, row + 1)
        numbers["relative_error"] = float(relative_errors(saliency.maps[mine], errors[mine]))
    return numbers | {"measures": {name: float(values[row]) for name, values in saliency.measures.items()}}


def _keep(folder: Path, result: dict[str, Any], files: Mapping[str, dict[str, NDArray[Any]]]) -> None:
    """Adds the pieces of an earlier run that this one did not ask for, if they are about the same query_task."""
    earlier = read_result(folder)
    if earlier["stamps"][BASE] != result["stamps"][BASE]:
        return
    result["stamps"] = earlier["stamps"] | result["stamps"]
    result["methods"] = earlier["methods"] | result["methods"]
    result["probes"] = earlier["probes"] | result["probes"]
    for method, metrics in earlier["metrics"].items():
        result["metrics"][method] = metrics | result["metrics"].get(method, {})
    for file, arrays in files.items():
        stored = read_arrays(folder / file)
        arrays |= {name: values for name, values in stored.items() if name not in arrays}


def _title(result: Mapping[str, Any]) -> str:
    title = f"{result['name']}: {result['target']} ({result['confidence']:.2f})"
    if result["prediction"] != result["target"]:
        title += f", predicted {result['prediction']}"
    if result["flat_map"]:
        title += "; the map is flat, so it has no salient region"
    elif "accepted" in result:
        title += f"; {result['accepted']} of {result['different_variants']} different variants accepted"
    return title


def _saliency_arrays(explanation: Explanation, row: int) -> dict[str, NDArray[Any]]:
    first = next(iter(explanation.saliency))
    arrays = {"image": explanation.images[row], "region": explanation.regions[first][row]}
    for name, saliency in explanation.saliency.items():
        arrays[map_piece(name)] = saliency.maps[row]
        arrays[f"region_{name}"] = explanation.regions[name][row]
        if saliency.standard_errors is not None:
            arrays[f"error_{name}"] = saliency.standard_errors[row]
    for (name, seed), saliency in explanation.repeats.items():
        arrays[map_piece(name, seed)] = saliency.maps[row]
    if explanation.ground_truth is not None:
        arrays["objects"] = explanation.ground_truth[row]
    return {name: values.cpu().numpy() for name, values in arrays.items()}


def _curves(explanation: Explanation, row: int) -> dict[str, NDArray[Any]]:
    """Returns each metric's curve with its places on the horizontal axis, as two rows."""
    curves = {}
    for method, own in explanation.metric_results.items():
        for metric, measured in own.items():
            if (both := _both(measured[row])) is not None:
                curves[metric_piece(method, metric)] = both
    return curves


def _probe_arrays(explanation: Explanation, row: int) -> dict[str, NDArray[Any]]:
    return {
        f"{probe_piece(name)}/{key}": values.cpu().numpy()
        for name, found in explanation.probe_results.items()
        for key, values in found[row].arrays.items()
    }


def _both(measured: MetricResult) -> NDArray[Any] | None:
    if measured.curve is None or measured.places is None:
        return None
    return torch.stack([measured.curve.cpu(), measured.places.cpu()]).numpy()


def _variant_arrays(variants: Variants, row: int) -> dict[str, NDArray[Any]]:
    return {field.name: getattr(variants, field.name)[row].cpu().numpy() for field in fields(Variants)}


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
