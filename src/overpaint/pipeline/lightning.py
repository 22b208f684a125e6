"""Hosts an explanation in Lightning's Trainer, which shares the images out between devices and nodes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import lightning as L
import torch

from overpaint.classifiers.targets import choose_targets
from overpaint.core.errors import OverpaintError
from overpaint.core.types import Batch, Classifier, Explanation, GroundTruthObjects, KnownRow, Regions, TargetSets
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.runner import Plan, explain


@dataclass(frozen=True)
class ExplainedBatch:
    """What a prediction step returns.

    Attributes:
        images: The name of each row's image; an image comes once for each of its targets.
        classes: The name of each row's class; None where an image has one target.
        labels: The true class of each, or -1.
        explanation: What was found.
    """

    images: list[str]
    classes: list[str | None]
    labels: list[int]
    explanation: Explanation


class ExplainerModule(L.LightningModule):
    """Calls `overpaint.pipeline.runner.explain` for each batch.

    Args:
        classifier: The classifier.
        plan: How images are explained.
        target: The class to explain, see `overpaint.classifiers.targets.choose_targets`.
        engine: Asks the masked queries; None: one of its own.

    Attributes:
        ground_truth: The annotated objects of each image, by its name; set before predicting.
        known: Returns what is known of a row, by its image's and its class's name; set before predicting.
    """

    def __init__(
        self,
        classifier: Classifier,
        plan: Plan,
        target: str | int | Sequence[str | int],
        engine: Engine | None = None,
    ) -> None:
        super().__init__()
        self.engine = engine or Engine(classifier)
        self.ground_truth: Mapping[str, GroundTruthObjects] = {}
        self.known: Callable[[str, str | None], KnownRow] = lambda _image, _class: KnownRow()
        self.classifier, self.plan, self.target = classifier, plan, target
        # Registered here so that the Trainer moves them to its device.
        self.generator = plan.inpainter.generator if plan.inpainter else None
        self.discriminator = plan.inpainter.discriminator if plan.inpainter else None
        self.encoder = plan.inpainter.encoder if plan.inpainter else None
        self.oracle = plan.oracle

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> ExplainedBatch:
        """Explains a batch.

        Raises:
            OverpaintError: Under inference mode, where the latent search has no gradients.
        """
        if torch.is_inference_mode_enabled():
            raise OverpaintError("explaining needs gradients: use Trainer(inference_mode=False)")
        chosen = choose_targets(self.target, self.classifier.scores(batch.images), self.classifier.class_names)
        each = chosen.shape[1]
        images = [name for name in batch.names for _ in range(each)]
        names = self.classifier.class_names
        classes = [names[target] if each > 1 else None for target in chosen.flatten().tolist()]
        explanation = explain(
            self.classifier,
            batch.images,
            chosen,
            self.plan,
            self.engine,
            self._objects_of(images, chosen),
            [self.known(image, name) for image, name in zip(images, classes, strict=True)],
        )
        return ExplainedBatch(images, classes, batch.labels.repeat_interleave(each).tolist(), explanation)

    def _objects_of(self, images: Sequence[str], targets: TargetSets) -> Regions | None:
        """Returns where the objects of each row's class are; None where no image is annotated."""
        if not self.ground_truth:
            return None
        each = zip(images, targets.flatten().tolist(), strict=True)
        return torch.stack([self.ground_truth[image].of_class(target) for image, target in each]).to(targets.device)
