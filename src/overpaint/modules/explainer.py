"""Hosts an explanation in Lightning's Trainer, which shares the images out between devices and nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import lightning as L
import torch

from overpaint.classifiers.targets import choose_targets
from overpaint.errors import OverpaintError
from overpaint.explanation import explain
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.proposals import PerturbationMethod
from overpaint.region import RegionRule
from overpaint.types import Batch, Classifier, Explanation, SaliencyMethod
from overpaint.variants import VariantMaker


@dataclass(frozen=True)
class ExplainedBatch:
    """What a prediction step returns.

    Attributes:
        names: The name of each explained image; with several targets an image comes once for each, ``@CLASS`` added.
        labels: The true class of each, or -1.
        explanation: What was found.
    """

    names: list[str]
    labels: list[int]
    explanation: Explanation


class ExplainerModule(L.LightningModule):
    """Calls `overpaint.explanation.explain` for each batch.

    Args:
        classifier: The classifier.
        methods: Saliency methods by name; the first one's map gives the region.
        rule: How a map becomes a region.
        maker: Makes the variants; None leaves them out.
        target: The class to explain, see `overpaint.classifiers.targets.choose_targets`.
        engine: Asks the masked queries; None: one of its own.
    """

    def __init__(
        self,
        classifier: Classifier,
        methods: Mapping[str, SaliencyMethod | PerturbationMethod],
        rule: RegionRule,
        maker: VariantMaker | None,
        target: str | int | Sequence[str | int],
        engine: Engine | None = None,
    ) -> None:
        super().__init__()
        self.engine = engine or Engine(classifier)
        self.classifier, self.methods, self.rule, self.maker, self.target = classifier, methods, rule, maker, target
        # Registered here so that the Trainer moves them to its device.
        self.generator = maker.generator if maker else None
        self.discriminator = maker.discriminator if maker else None

    def predict_step(self, batch: Batch, batch_idx: int = 0) -> ExplainedBatch:
        """Explains a batch.

        Raises:
            OverpaintError: Under inference mode, where the latent search has no gradients.
        """
        if torch.is_inference_mode_enabled():
            raise OverpaintError("explaining needs gradients: use Trainer(inference_mode=False)")
        chosen = choose_targets(self.target, self.classifier.scores(batch.images), self.classifier.class_names)
        each = chosen.shape[1]
        names = list(batch.names)
        if each > 1:
            classes = self.classifier.class_names
            names = [f"{n}@{classes[t]}" for n, row in zip(names, chosen.tolist(), strict=True) for t in row]
        explanation = explain(self.classifier, batch.images, chosen, self.methods, self.rule, self.maker, self.engine)
        return ExplainedBatch(names, batch.labels.repeat_interleave(each).tolist(), explanation)
