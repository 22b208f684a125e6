"""The variants as a second classifier sees them."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from overpaint.core.decision import Decision
from overpaint.core.errors import OverpaintError
from overpaint.core.results import ProbeResult
from overpaint.probes.base import Probe, ProbeInputs


@dataclass(frozen=True)
class Oracle(Probe):
    """Classifies the same variants by a second classifier of the same classes, trained apart.

    A variant that both accept shows the class; one that the second refuses is what the first alone is content with. Of
    the flipped ones, where the second classifier agrees the object was repainted into another; where it still sees the
    old class, the first was misled, and the variant is a candidate for a natural adversarial example.

    The numbers, over the variants that are no near-duplicates:

    - ``oracle_acceptance_rate``: share that the oracle calls the class;
    - ``oracle_agrees_on_accepted``: the same among those that the classifier accepts;
    - ``oracle_agrees_on_flipped``: share of the others for which both name the same new class;
    - ``oracle_keeps_class_on_flipped``: share of these that the oracle still calls the class;
    - ``oracle_confidence``: its score of the class for the original image;
    - ``oracle_agrees_on_image``: 1 if the class is its answer there, else 0. Where it is not, what the oracle says of
      the variants means little.

    NaN where there is no such variant, or where the region is empty.

    Arrays: ``confidences`` and ``predictions`` of the oracle, for all variants.
    """

    uses_oracle: ClassVar[bool] = True

    def __call__(self, inputs: ProbeInputs) -> list[ProbeResult]:
        """See `Probe`.

        Raises:
            OverpaintError: If there is no second classifier.
        """
        if inputs.oracle is None:
            raise OverpaintError(
                "probes=oracle asks a second classifier, and there is none; name one by oracle=, such as "
                "oracle=outputs/other/classifier.ckpt"
            )
        found = []
        for row, target in enumerate(inputs.targets.tolist()):
            of_image = inputs.oracle.scores(inputs.images[row : row + 1])[0]
            scores = inputs.oracle.scores(inputs.variants.images[row])  # one image's variants a pass
            found.append(_compared(inputs, inputs.oracle.decision, row, target, of_image, scores))
        return found


def _compared(
    inputs: ProbeInputs, decision: Decision, row: int, target: int, of_image: Tensor, scores: Tensor
) -> ProbeResult:
    variants, answers = inputs.variants, scores.argmax(1)
    counted = ~variants.duplicate[row] & inputs.regions[row].any()
    accepted, flipped = variants.accepted[row] & counted, ~variants.accepted[row] & counted
    kept = decision.keeps(scores, target)
    numbers = {
        "oracle_acceptance_rate": _share(kept, counted),
        "oracle_agrees_on_accepted": _share(kept, accepted),
        "oracle_agrees_on_flipped": _share(answers == variants.predictions[row], flipped),
        "oracle_keeps_class_on_flipped": _share(kept, flipped),
        "oracle_confidence": float(of_image[target]),
        "oracle_agrees_on_image": float(decision.keeps(of_image, target)),
    }
    return ProbeResult(numbers, {"confidences": scores[:, target], "predictions": answers})


def _share(true: Bool[Tensor, " variant"], chosen: Bool[Tensor, " variant"]) -> float:
    """Returns the true share of the chosen ones; NaN where none is chosen."""
    return float(torch.where(chosen, true, False).sum() / chosen.sum())
