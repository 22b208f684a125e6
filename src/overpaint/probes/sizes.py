"""Acceptance over the size of the region: the paper's bar chart "acceptable variations"."""

from collections.abc import Sequence
from dataclasses import dataclass

from overpaint.errors import OverpaintError
from overpaint.probes.painting import Painting, joined
from overpaint.types import Probed, Variants

SHOWN = 8
"""So many variants of each size are kept to be drawn."""


@dataclass(frozen=True)
class Sizes:
    """Repaints regions of several sizes and counts what the classifier accepts (Thakur & Fischmeister, 2020, figure).

    A region is the most salient pixels, as many as a share of the bounding box of the salient region's largest
    component has, see `RegionRule.share_of_box`. Each is searched, blended and judged as the variants themselves.

    The numbers of share ``p`` (in percent): ``acceptance_rate_p``: accepted share of the different variants, since
    near-duplicates count once; ``accepted_p`` and ``different_p``: how many; ``confidence_p``: mean score of the class
    over the accepted ones; ``loss_p`` and ``loss_deviation_p``: mean and (population) standard deviation of the
    contextual loss over the different ones; ``region_share_p``: share of the image that is repainted. The
    figure's label of a bar, 88.89 % at half of the box, is most likely the confidence; the bar's height, 59 of 64, is
    the count.

    Arrays: ``losses_p``, the contextual losses; the first different variants ``variants_p``, and ``shown_accepted_p``,
    which of these are accepted.

    Attributes:
        shares: Shares of the box's area, in ``(0, 1]``.
        count: Variants of each size; as many as there are of the default region where not given.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    shares: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9)
    count: int | None = None

    def __post_init__(self) -> None:
        shares = list(self.shares)
        if not shares or min(shares) <= 0 or max(shares) > 1 or len(set(shares)) < len(shares):
            raise OverpaintError(f"probes.sizes.shares={shares} must be different shares of the box, in (0, 1]")
        if self.count is not None and self.count < 1:
            raise OverpaintError(f"probes.sizes.count={self.count} must be at least 1")

    def __call__(self, painting: Painting) -> list[Probed]:
        """See `Probe`."""
        found = {}
        for share in self.shares:
            regions = painting.maker.rule.share_of_box(painting.maps, share)
            maker = painting.maker.with_search(count=self.count) if self.count else painting.maker
            variants = maker(painting.classifier, painting.images, painting.targets, regions)
            found[percent(share)] = [
                _of_one_size(variants, row, float(region.float().mean())) for row, region in enumerate(regions)
            ]
        return joined(found)


def percent(share: float) -> str:
    """Returns a share as it stands in the names of numbers: 50 for a half."""
    return f"{100 * share:.6g}"


def _of_one_size(variants: Variants, row: int, region_share: float) -> Probed:
    nan = float("nan")
    if region_share == 0:
        names = ("acceptance_rate", "accepted", "different", "confidence", "loss", "loss_deviation", "region_share")
        return Probed(dict.fromkeys(names, nan))
    different = ~variants.duplicate[row]
    losses = variants.contextual_losses[row][different]
    numbers = {
        "acceptance_rate": float(variants.acceptance_rates[row]),
        "accepted": float((variants.accepted[row] & different).sum()),
        "different": float(different.sum()),
        "confidence": float(variants.mean_confidences[row]),
        "loss": float(losses.mean()),
        "loss_deviation": float(losses.std(correction=0)),
        "region_share": region_share,
    }
    return Probed(
        numbers,
        {
            "losses": losses,
            "variants": variants.images[row][different][:SHOWN],
            "shown_accepted": variants.accepted[row][different][:SHOWN],
        },
    )
