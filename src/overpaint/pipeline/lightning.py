"""Hosts the runner in Lightning's Trainer, which shares the images out between devices and nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import BasePredictionWriter
from torch import nn

from overpaint.classifiers.targets import choose_targets
from overpaint.core.errors import NumericalError, OverpaintError
from overpaint.core.names import distinct_names
from overpaint.core.types import Batch, GroundTruthObjects, Regions, TargetSets
from overpaint.pipeline.cache import Cache
from overpaint.pipeline.refusals import forget_refusal, write_refusal
from overpaint.pipeline.runner import Runner
from overpaint.pipeline.writer import ExplainedBatch, RowWriter


@dataclass(frozen=True)
class Prediction:
    """What became of a batch of images.

    Attributes:
        explained: The explanation of those that could be explained; None where none could.
        refused: Of the others, by their names, why not.
    """

    explained: ExplainedBatch | None
    refused: Mapping[str, str]


class ExplainerModule(L.LightningModule):
    """Calls the runner for each batch.

    Args:
        runner: Explains images.
        target: The class to explain, see `overpaint.classifiers.targets.choose_targets`.
        cache: What earlier runs have found; None: everything is computed.
        ground_truth: The annotated objects of each image, by its name.
    """

    def __init__(
        self,
        runner: Runner,
        target: str | int | Sequence[str | int],
        cache: Cache | None = None,
        ground_truth: Mapping[str, GroundTruthObjects] | None = None,
    ) -> None:
        super().__init__()
        self.runner, self.target, self.cache, self.ground_truth = runner, target, cache, ground_truth or {}
        inpainter = runner.inpainter
        painting = (inpainter.generator, inpainter.discriminator, inpainter.encoder) if inpainter else ()
        parts = [runner.classifier, runner.oracle, *painting]
        # Registered here so that the Trainer moves them to its device.
        self.networks = nn.ModuleList(part for part in parts if isinstance(part, nn.Module))

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> Prediction:
        """Explains a batch; images for which the classifier has no finite scores are refused.

        Raises:
            OverpaintError: Under inference mode, where the latent search has no gradients.
        """
        if torch.is_inference_mode_enabled():
            raise OverpaintError("explaining needs gradients: use Trainer(inference_mode=False)")
        refused = self._refused(batch)
        answered = [i for i, name in enumerate(batch.names) if name not in refused]
        if not answered:
            return Prediction(None, refused)
        if refused:
            batch = Batch(batch.images[answered], batch.labels[answered], [batch.names[i] for i in answered])
        return Prediction(self._explained(batch), refused)

    def _refused(self, batch: Batch) -> dict[str, str]:
        """Returns the images for which the classifier's scores are not finite, and what it gave."""
        refused = {}
        for image, name in zip(batch.images, batch.names, strict=True):
            try:
                self.runner.classifier.scores(image[None])
            except NumericalError as error:
                refused[name] = str(error).removesuffix(" for 1 of 1 images")
        return refused

    def _explained(self, batch: Batch) -> ExplainedBatch:
        names = self.runner.classifier.class_names
        chosen = choose_targets(self.target, self.runner.classifier.scores(batch.images), names)
        each = chosen.shape[1]
        images = [name for name in batch.names for _ in range(each)]
        called = distinct_names(names)
        is_named = self.target != "predicted"  # so that rows of other targets stand beside these
        classes = [called[target] if is_named else None for target in chosen.flatten().tolist()]
        cached = None
        if self.cache is not None:
            cached = [self.cache.read(image, name) for image, name in zip(images, classes, strict=True)]
        explanation = self.runner.run(batch.images, chosen, self._ground_truth_of(images, chosen), cached)
        return ExplainedBatch(images, classes, batch.labels.repeat_interleave(each).tolist(), explanation)

    def _ground_truth_of(self, images: Sequence[str], targets: TargetSets) -> Regions | None:
        """Returns where the objects of each row's class are; None where no image is annotated."""
        if not self.ground_truth:
            return None
        each = zip(images, targets.flatten().tolist(), strict=True)
        return torch.stack([self.ground_truth[image].of_class(target) for image, target in each]).to(targets.device)


class PredictionWriter(BasePredictionWriter):
    """Writes each explained batch as soon as it is done.

    Args:
        writer: Writes its rows.
    """

    def __init__(self, writer: RowWriter) -> None:
        super().__init__(write_interval="batch")
        self.writer = writer

    def write_on_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        prediction: Prediction,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Writes the rows of a batch, and what is to be said of its other images."""
        for image, reason in prediction.refused.items():
            write_refusal(self.writer.folder, image, reason)
        if prediction.explained is not None:
            self.writer.write(prediction.explained)
            for image in dict.fromkeys(prediction.explained.images):
                forget_refusal(self.writer.folder, image)

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Waits for the other devices, so that the report finds their images."""
        trainer.strategy.barrier()
