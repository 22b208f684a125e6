"""Variants whose search was guided by the classifier."""

import math
from dataclasses import dataclass
from typing import ClassVar

from overpaint.attribution.state import preserve_state
from overpaint.core.bounds import Positive
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Requirement
from overpaint.core.results import ProbeResult
from overpaint.probes.base import Probe, ProbeInputs


@checked_settings
@dataclass(frozen=True)
class GuidedSearch(Probe):
    """Searches again with the classifier's confidence as a further loss.

    The loss grows by ``w · (-log p_target(X'))``.

    These are kept apart from the variants and their acceptance rate. There, the classifier does not take part in
    the search, so an accepted variant is evidence of what it takes for the class. Here the search maximises
    the class's score; what it finds may be an adversarial example (Zhao, Dua & Singh, 2018), and a high rate says
    only that such pixels can be painted. The contextual loss and the realism say at what cost. Unguided and guided
    search start from the same latents.

    The numbers: ``guided_acceptance_rate``, ``guided_confidence`` (mean over the accepted), ``guided_loss`` (mean
    contextual loss), ``guided_realism`` (the discriminator's mean logit), ``guided_diversity``; all as for the
    variants, and NaN where the region is empty. Arrays: the ``variants`` and which are ``accepted``, duplicates too.

    Attributes:
        weight: ``w``, above 0. The contextual loss is of the order of 0.1, ``-log p`` of 1.

    Raises:
        OverpaintError: If the weight is not above 0; at the call, if the classifier has no gradients.
    """

    requires: ClassVar[Requirement] = "gradients"

    weight: Positive = 0.05

    def __call__(self, inputs: ProbeInputs) -> list[ProbeResult]:
        """See `Probe`."""
        if inputs.classifier.network is None:
            raise OverpaintError(
                "probes=guided needs a classifier with gradients, and this one is a black box; leave the probe out"
            )
        if not len(inputs.images):
            return []
        with preserve_state(inputs.classifier, "probes=guided"):
            found = inputs.inpainter(
                inputs.classifier, inputs.images, inputs.targets, inputs.regions, guidance=self.weight
            )
        probed = []
        for row, empty in enumerate((~inputs.regions.flatten(1).any(1)).tolist()):
            different = ~found.duplicate[row]
            numbers = {
                "guided_acceptance_rate": float(found.acceptance_rates[row]),
                "guided_confidence": float(found.mean_confidences[row]),
                "guided_loss": float(found.contextual_losses[row][different].mean()),
                "guided_realism": float(found.realism[row][different].mean()),
                "guided_diversity": float(found.diversities[row]),
            }
            arrays = {"variants": found.images[row], "accepted": found.accepted[row]}
            probed.append(ProbeResult(dict.fromkeys(numbers, math.nan) if empty else numbers, {} if empty else arrays))
        return probed
