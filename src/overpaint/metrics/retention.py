"""Retention: how often the class survives repainting of a method's region, against a hole elsewhere."""

import math

from overpaint.errors import OverpaintError
from overpaint.metrics.rows import Evidence, MethodMetric, Subject
from overpaint.region import moved_elsewhere
from overpaint.types import Measured, Variants


class Retention(MethodMetric):
    """Acceptance rate in the method's own region, divided by that of a hole of the same shape elsewhere.

    ``(a + ½) / (n + 1)`` over ``(b + ½) / (m + 1)``: ``a`` of ``n`` different variants are accepted in the region,
    ``b`` of ``m`` in the hole (near-duplicates count once). The halves (Jeffreys' prior) keep the ratio finite where
    nothing is accepted elsewhere, and above 0 where nothing is in the region; for ``n = m = 16`` it lies between 1/33
    and 33. Below 1 the region matters more than the hole: repainting it loses the class.

    The hole is `moved_elsewhere`, where the method's own map says least; both are repainted by the same search. NaN
    without a generator and for maps without a region. It costs two latent searches a row.

    Args:
        count: Variants in each of the two places.

    Raises:
        OverpaintError: If that is less than 1.
    """

    higher_is_better = False
    label = "accepted in the region / elsewhere (ratio)"
    bounds = (0.0, math.inf)
    paints = True

    def __init__(self, count: int = 16) -> None:
        super().__init__()
        if count < 1:
            raise OverpaintError(f"metrics.retention.count={count} must be at least 1")
        self.count = count

    def measure(self, evidence: Evidence, subject: Subject) -> list[Measured]:
        """See `MethodMetric.measure`."""
        if subject.maker is None or not len(evidence.maps):
            return [Measured(math.nan) for _ in evidence.maps]
        maker, asked = subject.maker.with_search(count=self.count), (evidence.images, evidence.targets)
        inside = maker(subject.classifier, *asked, evidence.regions)
        outside = maker(subject.classifier, *asked, moved_elsewhere(evidence.regions, evidence.maps))
        empty = (~evidence.regions.flatten(1).any(1)).tolist()
        return [
            Measured(math.nan if nothing else smoothed_rate(inside, row) / smoothed_rate(outside, row))
            for row, nothing in enumerate(empty)
        ]


def smoothed_rate(variants: Variants, row: int) -> float:
    """Returns ``(a + ½) / (n + 1)`` of a row: ``a`` of ``n`` different variants are accepted."""
    different = ~variants.duplicate[row]
    return (float((variants.accepted[row] & different).sum()) + 0.5) / (float(different.sum()) + 1)
