"""Acceptance over the size of the region: the paper's bar chart "acceptable variations"."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from overpaint.core.bounds import DISTINCT, Count, Share
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import ProbeResult, Variants
from overpaint.probes.base import Probe, ProbeInputs, merge_settings

SHOWN = 8
"""So many variants of each size are kept to be drawn."""


@checked_settings
@dataclass(frozen=True)
class RegionSizeSweep(Probe):
    """Repaints regions of several sizes and counts what the classifier accepts (Thakur & Fischmeister, 2020, figure).

    A region is the most salient pixels, as many as a share of the bounding box of the salient region's largest
    component has, see `RegionRule.fraction_of_box`. Each is searched, blended and classified as the variants are.

    The numbers of share ``p`` (in percent): ``acceptance_rate_p``: accepted share of the different variants, since
    near-duplicates count once; ``accepted_p`` and ``different_p``: how many; ``confidence_p``: mean score of the class
    over the accepted ones; ``loss_p`` and ``loss_deviation_p``: mean and (population) standard deviation of the
    contextual loss over the different ones; ``region_fraction_p``: share of the image that is repainted. The
    figure's label of a bar, 88.89 % at half of the box, is most likely the confidence; the bar's height, 59 of 64, is
    the count.

    Arrays: ``losses_p``, the contextual losses; the first different variants ``variants_p``, and ``shown_accepted_p``,
    which of these are accepted.

    Attributes:
        fractions: Shares of the box's area, in ``(0, 1]``.
        num_variants: Variants of each size; as many as there are of the default region where not given.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    fractions: Annotated[Sequence[Share], DISTINCT] = (0.5, 0.6, 0.7, 0.8, 0.9)
    num_variants: Count | None = None

    @property
    def settings(self) -> list[str]:
        """The sizes as they stand in the names of the numbers, smallest first."""
        return [percent(fraction) for fraction in sorted(self.fractions)]

    def __call__(self, inputs: ProbeInputs) -> list[ProbeResult]:
        """See `Probe`."""
        found = {}
        for fraction in self.fractions:
            regions = inputs.inpainter.rule.fraction_of_box(inputs.maps, fraction)
            inpainter = (
                inputs.inpainter.with_search(num_variants=self.num_variants) if self.num_variants else inputs.inpainter
            )
            variants = inpainter(inputs.classifier, inputs.images, inputs.targets, regions)
            found[percent(fraction)] = [
                _of_one_size(variants, row, float(region.float().mean())) for row, region in enumerate(regions)
            ]
        return merge_settings(found)


def percent(fraction: float) -> str:
    """Returns a share as it stands in the names of numbers: 50 for a half."""
    return f"{100 * fraction:.6g}"


def _of_one_size(variants: Variants, row: int, region_fraction: float) -> ProbeResult:
    nan = float("nan")
    if region_fraction == 0:
        names = ("acceptance_rate", "accepted", "different", "confidence", "loss", "loss_deviation", "region_fraction")
        return ProbeResult(dict.fromkeys(names, nan))
    different = ~variants.duplicate[row]
    losses = variants.contextual_losses[row][different]
    numbers = {
        "acceptance_rate": float(variants.acceptance_rates[row]),
        "accepted": float((variants.accepted[row] & different).sum()),
        "different": float(different.sum()),
        "confidence": float(variants.mean_confidences[row]),
        "loss": float(losses.mean()),
        "loss_deviation": float(losses.std(correction=0)),
        "region_fraction": region_fraction,
    }
    return ProbeResult(
        numbers,
        {
            "losses": losses,
            "variants": variants.images[row][different][:SHOWN],
            "shown_accepted": variants.accepted[row][different][:SHOWN],
        },
    )
