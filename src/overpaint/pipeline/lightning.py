"""Hosts the runner in Lightning's Trainer, which shares the images out between devices and nodes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import nn

from overpaint.classifiers.targets import choose_targets
from overpaint.core.errors import NumericalError, OverpaintError
from overpaint.core.names import distinct_names
from overpaint.core.types import Batch, GroundTruthObjects, Regions, TargetSets
from overpaint.pipeline.cache import Cache
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
        ground_truth: The annotated objects of each image that is in work, by its name; the caller may change it.
    """

    def __init__(
        self,
        runner: Runner,
        target: str | int | Sequence[str | int],
        cache: Cache | None = None,
        ground_truth: Mapping[str, GroundTruthObjects] | None = None,
    ) -> None:
        super().__init__()
        self.runner, self.target, self.cache, self.ground_truth = runner, target, cache, ground_truth
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


class PredictionWriter(L.Callback):
    """Writes each explained batch as soon as it is done.

    Args:
        writer: Writes its rows.
        written: Is told of the image and the folder of each row of a batch, once they are written.
        refuse: Is told of the images that could not be explained, and why.
    """

    def __init__(
        self,
        writer: RowWriter,
        written: Callable[[Sequence[str], Sequence[Path]], None],
        refuse: Callable[[Mapping[str, str]], None],
    ) -> None:
        self.writer, self.written, self.refuse = writer, written, refuse

    def on_predict_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Prediction, *_: Any
    ) -> None:
        """Writes the rows of a batch, and takes note of what is to be said of its other images."""
        self.refuse(outputs.refused)
        if outputs.explained is not None:
            self.written(outputs.explained.images, self.writer.write(outputs.explained))


class Barrier(L.Callback):
    """Lets all processes end together."""

    def on_predict_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Waits for the other devices, so that the report finds their images."""
        trainer.strategy.barrier()
