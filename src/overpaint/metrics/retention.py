"""Retention: how often the class survives repainting of a method's region, against a hole elsewhere."""

import math

from overpaint.core.bounds import Count
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import MetricResult, Variants
from overpaint.inpainting.region import moved_elsewhere
from overpaint.metrics.base import MethodMetric, MetricContext, MetricInputs


@checked_settings
class Retention(MethodMetric):
    """Acceptance rate in the method's own region, divided by that of a hole of the same shape elsewhere.

    ``(a + ½) / (n + 1)`` over ``(b + ½) / (m + 1)``: ``a`` of ``n`` different variants are accepted in the region,
    ``b`` of ``m`` in the hole (near-duplicates count once). The halves (Jeffreys' prior) keep the ratio finite where
    nothing is accepted elsewhere, and above 0 where nothing is in the region; for ``n = m = 16`` it lies between 1/33
    and 33. Below 1 the region matters more than the hole: repainting it loses the class.

    The hole is `moved_elsewhere`, where the method's own map says least; both are repainted by the same search. NaN
    without a generator and for maps without a region. It costs two latent searches a row.

    Args:
        num_variants: Variants in each of the two places.

    Raises:
        OverpaintError: If that is less than 1.
    """

    higher_is_better = False
    label = "accepted in the region / elsewhere (ratio)"
    needs = "a generator"
    bounds = (0.0, math.inf)
    uses_generator = True

    def __init__(self, num_variants: Count = 16) -> None:
        super().__init__()
        self.num_variants = num_variants

    def measure(self, inputs: MetricInputs, context: MetricContext) -> list[MetricResult]:
        """See `MethodMetric.measure`."""
        if context.inpainter is None or not len(inputs.maps):
            return [MetricResult(math.nan) for _ in inputs.maps]
        inpainter, asked = (
            context.inpainter.with_search(num_variants=self.num_variants),
            (inputs.images, inputs.targets),
        )
        inside = inpainter(context.classifier, *asked, inputs.regions)
        outside = inpainter(context.classifier, *asked, moved_elsewhere(inputs.regions, inputs.maps))
        empty = (~inputs.regions.flatten(1).any(1)).tolist()
        return [
            MetricResult(math.nan if nothing else smoothed_rate(inside, row) / smoothed_rate(outside, row))
            for row, nothing in enumerate(empty)
        ]


def smoothed_rate(variants: Variants, row: int) -> float:
    """Returns ``(a + ½) / (n + 1)`` of a row: ``a`` of ``n`` different variants are accepted."""
    different = ~variants.duplicate[row]
    return (float((variants.accepted[row] & different).sum()) + 0.5) / (float(different.sum()) + 1)
