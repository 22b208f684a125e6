"""The trade between diversity and fit of the variants, over ``search.diversity``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from overpaint.core.bounds import DISTINCT, NotNegative
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import ProbeResult, Variants
from overpaint.probes.base import Probe, ProbeInputs, merge_settings

SHOWN = 8
"""So many variants of each value are kept to be drawn."""


@checked_settings
@dataclass(frozen=True)
class Diversity(Probe):
    """Keeps of the same searched latents what several values of ``search.diversity`` would keep, and measures each set.

    The search finds twice as many latents as there are variants; of these, the value says what a difference inside the
    region is worth in units of the contextual loss (maximal marginal relevance, see `most_relevant`). At 0 the best
    fitting half is kept.

    The numbers of a value ``v``, over its different variants where nothing else is said: ``loss_v``: mean
    contextual loss; ``diversity_v``: mean pairwise difference of the accepted ones inside the region;
    ``distinct_fraction_v``: share of all that is no near-duplicate; ``acceptance_rate_v``; ``confidence_v``: mean
    score of the accepted ones; ``realism_v``: the discriminator's mean score. NaN where the region is empty.

    Arrays: the first different variants ``variants_v``.

    Attributes:
        values: Of ``search.diversity``.

    Raises:
        OverpaintError: If the values are negative or repeat.
    """

    values: Annotated[Sequence[NotNegative], DISTINCT] = (0.0, 0.1, 0.5, 1.0, 2.0)

    @property
    def settings(self) -> list[str]:
        """The values as they stand in the names of the numbers, smallest first."""
        return [setting(value) for value in sorted(self.values)]

    def __call__(self, inputs: ProbeInputs) -> list[ProbeResult]:
        """See `Probe`."""
        if not len(inputs.images):
            return []
        asked = (inputs.classifier, inputs.images, inputs.targets, inputs.regions)
        sets = zip(self.values, inputs.inpainter.for_diversities(*asked, self.values), strict=True)
        empty = (~inputs.regions.flatten(1).any(1)).tolist()
        return merge_settings(
            {setting(value): [_of_one_value(variants, *row) for row in enumerate(empty)] for value, variants in sets}
        )


def _of_one_value(variants: Variants, row: int, empty: bool) -> ProbeResult:
    different = ~variants.duplicate[row]
    numbers = {
        "loss": float(variants.contextual_losses[row][different].mean()),
        "diversity": float(variants.diversities[row]),
        "distinct_fraction": float(different.float().mean()),
        "acceptance_rate": float(variants.acceptance_rates[row]),
        "confidence": float(variants.mean_confidences[row]),
        "realism": float(variants.realism[row][different].mean()),
    }
    if empty:
        return ProbeResult(dict.fromkeys(numbers, math.nan))
    return ProbeResult(numbers, {"variants": variants.images[row][different][:SHOWN]})


def setting(value: float) -> str:
    """Returns a value as it stands in the names of numbers."""
    return f"{value:g}"
