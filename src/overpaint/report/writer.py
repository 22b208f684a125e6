"""The one place that writes the files of an explanation, an image's folder whole or not at all."""

import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from lightning.pytorch.callbacks import BasePredictionWriter
from numpy.typing import NDArray

from overpaint.data.base import ImagePart
from overpaint.modules.explainer import ExplainedBatch
from overpaint.perturbation.proposals import relative_errors
from overpaint.report.figures import overview
from overpaint.report.files import write_bytes, write_json
from overpaint.types import Explanation, Variants


def fingerprint(part: ImagePart, index: int, how: str) -> str:
    """Returns what an explanation depends on, in short: the image's content and how it is explained."""
    digest = hashlib.blake2b(how.encode(), digest_size=16)
    digest.update(part.images[index].numpy().tobytes())
    return digest.hexdigest()


def finished_folders(folder: Path, name: str, stamp: str) -> list[Path]:
    """Returns the folders that hold the complete explanation of an image; none if one is missing or outdated."""
    candidates = [p for p in [folder / name, *sorted(folder.glob(f"{glob_safe(name)}@*"))] if _stamp(p) is not None]
    mine = [p for p in candidates if _stamp(p) == stamp]
    expected = max((int(read_result(p)["targets_of_image"]) for p in mine), default=1)
    return mine if len(mine) == expected else []


def glob_safe(name: str) -> str:
    """Escapes the signs of a name that a pattern would interpret."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in name)


def read_result(folder: Path) -> dict[str, Any]:
    """Reads the numbers of an explained image."""
    content: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return content


def _stamp(folder: Path) -> str | None:
    return str(read_result(folder)["fingerprint"]) if (folder / "result.json").is_file() else None


class ExplanationWriter(BasePredictionWriter):
    """Writes each explained image's folder as soon as its batch is done.

    Args:
        folder: The folder of all explanations.
        class_names: The classifier's.
        stamps: The fingerprint of each image, by its name.
    """

    def __init__(self, folder: Path, class_names: Sequence[str], stamps: Mapping[str, str]) -> None:
        super().__init__(write_interval="batch")
        self.folder, self.class_names, self.stamps = folder, list(class_names), stamps

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
        rows_of = [name.split("@")[0] for name in prediction.names]
        for row, name in enumerate(prediction.names):
            result = {
                "name": name,
                "fingerprint": self.stamps[rows_of[row]],
                "targets_of_image": rows_of.count(rows_of[row]),
            }
            label = prediction.labels[row]
            result["label"] = self.class_names[label] if 0 <= label < len(self.class_names) else ""
            self._write(name, row, prediction.explanation, result)

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Waits for the other devices, so that the report finds their images."""
        trainer.strategy.barrier()

    def _write(self, name: str, row: int, explanation: Explanation, result: dict[str, Any]) -> None:
        partial, final = self.folder / f".{name}.partial", self.folder / name
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        arrays = _saliency_arrays(explanation, row)
        variants = _variant_arrays(explanation.variants, row) if explanation.variants else None
        result |= self._numbers(explanation, row)
        write_bytes(partial / "saliency.npz", _npz(arrays))
        if variants is not None:
            write_bytes(partial / "variants.npz", _npz(variants))
        methods = list(explanation.saliency)
        write_bytes(partial / "overview.png", overview(arrays, methods, _title(result), variants, self.class_names))
        write_json(partial / "result.json", result)
        shutil.rmtree(final, ignore_errors=True)
        partial.replace(final)

    def _numbers(self, explanation: Explanation, row: int) -> dict[str, Any]:
        scores, target = explanation.scores[row], int(explanation.targets[row])
        numbers: dict[str, Any] = {
            "prediction": self.class_names[int(scores.argmax())],
            "target": self.class_names[target],
            "confidence": float(scores[target]),
            "region_share": float(explanation.regions[row].float().mean()),
            "flat_map": bool(explanation.flat[row]),
        }
        if (variants := explanation.variants) is not None:
            counted = ~variants.duplicate[row]
            numbers |= {
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
        for name, saliency in explanation.saliency.items():
            numbers[f"{name}_queries"] = int(saliency.queries[row])
            if (errors := saliency.standard_errors) is not None:
                mine = slice(row, row + 1)
                numbers[f"{name}_relative_error"] = float(relative_errors(saliency.maps[mine], errors[mine]))
            numbers |= {f"{name}_{measure}": float(values[row]) for measure, values in saliency.measures.items()}
        return numbers


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
    arrays = {"image": explanation.images[row], "region": explanation.regions[row]}
    for name, saliency in explanation.saliency.items():
        arrays[f"map_{name}"] = saliency.maps[row]
        if saliency.standard_errors is not None:
            arrays[f"error_{name}"] = saliency.standard_errors[row]
    return {name: values.cpu().numpy() for name, values in arrays.items()}


def _variant_arrays(variants: Variants, row: int) -> dict[str, NDArray[Any]]:
    names = ("images", "latents", "confidences", "predictions", "accepted", "duplicate", "contextual_losses", "realism")
    return {name: getattr(variants, name)[row].cpu().numpy() for name in names}


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
