"""The results of an explanation: maps, latents, variants, metrics and probes.

Ranges and polarity are those of `overpaint.core.types`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from overpaint.core.scale import SeriesScale
from overpaint.core.types import Images, ImageSets, PerVariant, Regions, Scores, Targets


@dataclass(frozen=True)
class SaliencyMaps:
    """The result of a saliency method: a row for each image and each of its targets, the targets of an image together.

    Attributes:
        maps: Raw importance of each pixel, signed where the method is.
        standard_errors: Standard error of each value of ``maps``; None where the method draws nothing at random
            or runs a single chain.
        queries: Forward passes of the classifier behind each row; the targets of an image may share them.
        measures: Other numbers of each row that the method reports, by name.
        by_channel: The importance of each place of each channel, whose sum over the channels ``maps`` is; None where
            the channels were explained together.
        errors_by_channel: Standard error of each value of ``by_channel``.
    """

    maps: Float[Tensor, "row *space"]
    standard_errors: Float[Tensor, "row *space"] | None
    queries: Int[Tensor, " row"]
    measures: Mapping[str, Float[Tensor, " row"]] = field(default_factory=dict)
    by_channel: Float[Tensor, "row channel *space"] | None = None
    errors_by_channel: Float[Tensor, "row channel *space"] | None = None


@dataclass(frozen=True)
class RegionSearch:
    """The region of each row that is repainted, and what plausible fills of it did to the class.

    Attributes:
        regions: The regions.
        decisive: True where the region is the smallest one without which the class is gone.
        acceptance: Share of the fills that keep the class where the most salient 1/20, 2/20, ... of the pixels are
            filled; NaN where no decisive region was searched for, or no fill could tell.
        fills: Fills that decided.
        left_out: Fills that keep the class even where they are the whole image, and say nothing.
        held_out: Fills that took no part in the decision.
        held_out_lost: How many of these take the class away in the region.
        queries: Forward passes of the classifier behind each row.
    """

    regions: Regions
    decisive: Bool[Tensor, " row"]
    acceptance: Float[Tensor, "row share"]
    fills: Int[Tensor, " row"]
    left_out: Int[Tensor, " row"]
    held_out: Int[Tensor, " row"]
    held_out_lost: Int[Tensor, " row"]
    queries: Int[Tensor, " row"]

    @property
    def shares(self) -> Float[Tensor, " share"]:
        """The shares of the pixels at which ``acceptance`` was measured."""
        count = self.acceptance.shape[1]
        return torch.arange(1, count + 1) / max(count, 1)


@dataclass(frozen=True)
class LatentSearchResult:
    """The latents that a latent search found, ``variant`` of them for each image of the batch.

    Attributes:
        latents: The latents ``z'``.
        images: What the generator paints from them, ``G(z')``, at the generator's resolution.
        contextual_losses: Mean absolute difference of ``G(z')`` and the image, weighted by the ring around the region.
        prior_losses: ``softplus(-D(G(z')))``: small where the discriminator finds the image real.
        steps: Gradient steps that were made for each image.
        improved: True for a latent whose loss a step made smaller than at its start; nowhere in a search that diverged.
    """

    latents: Float[Tensor, "batch variant latent"]
    images: ImageSets
    contextual_losses: PerVariant
    prior_losses: PerVariant
    steps: Targets
    improved: Bool[Tensor, "batch variant"]


@dataclass(frozen=True)
class Variants:
    """Repainted variants of each image, and what the classifier says of them.

    Attributes:
        images: The variants ``X'``.
        latents: The latents they were painted from.
        confidences: The classifier's score for the explained class.
        predictions: The class with the highest score.
        accepted: True where the classifier keeps the explained class, see `Decision.keeps`.
        duplicate: True where a variant nearly equals an earlier one inside the region; it is counted nowhere.
        contextual_losses: How well the painted image continues into its surroundings; smaller is better.
        realism: The discriminator's score (a logit) of the variant; larger is more real.
        acceptance_rates: Accepted share of the variants that are no duplicates; NaN where the region is empty.
        mean_confidences: Mean ``confidences`` of the accepted ones; NaN where there is none.
        diversities: Mean pairwise root-mean-square distance inside the region among the accepted ones that are no
            duplicates, in the images' unit; NaN where there are fewer than two.
        steps: Gradient steps of the latent search.
        improved: True where a step of the search made the loss smaller than at its start.
    """

    images: ImageSets
    latents: Float[Tensor, "batch variant latent"]
    confidences: PerVariant
    predictions: Int[Tensor, "batch variant"]
    accepted: Bool[Tensor, "batch variant"]
    duplicate: Bool[Tensor, "batch variant"]
    contextual_losses: PerVariant
    realism: PerVariant
    acceptance_rates: Float[Tensor, " batch"]
    mean_confidences: Float[Tensor, " batch"]
    diversities: Float[Tensor, " batch"]
    steps: Targets
    improved: Bool[Tensor, "batch variant"]


@dataclass(frozen=True)
class MetricResult:
    """A metric of one row, with the curve that it summarises where there is one.

    Attributes:
        value: The metric; NaN where it can't be measured.
        curve: Points of the curve, from left to right.
        places: Where on the horizontal axis they lie.
    """

    value: float
    curve: Float[Tensor, " point"] | None = None
    places: Float[Tensor, " point"] | None = None


@dataclass(frozen=True)
class ProbeResult:
    """What a probe of the variants found out about a row.

    Attributes:
        numbers: Its numbers by name; NaN where something can't be measured.
        arrays: What can be drawn of it, by name.
    """

    numbers: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, Tensor] = field(default_factory=dict)


SeededName = tuple[str, int]
"""A method's name, and which of its seeds: 0 is the one whose map is shown."""


@dataclass(frozen=True)
class Explanation:
    """Everything that is found out about a batch of images: a row for each image and each of its targets.

    Attributes:
        images: The image of each row, as the classifier saw it.
        targets: The explained class of each row.
        scores: The classifier's scores of the images.
        saliency: The maps of each method, by its name.
        repeats: The maps of further seeds of the methods that draw at random.
        regions: The salient region in each method's map; of the first method, the region that is repainted.
        region_search: How that region was found, and what its fills did to the class.
        flat: True for maps without contrast or with values that are not finite.
        ground_truth: True where an annotated object of the explained class is; None where nothing was annotated.
        metric_results: The metrics of each row, by method and metric.
        variants: The repainted variants of the first method's region; None where no generator was given.
        probe_results: What probes found out about each row's variants, by their names.
        troubles: Of each row, what could not be computed because some part gave numbers that are not finite, and
            whose fault it is; the results that are missing are NaN.
        scale: The units of series; None: they are images, or their units are unknown.
    """

    images: Images
    targets: Targets
    scores: Scores
    saliency: Mapping[str, SaliencyMaps]
    repeats: Mapping[SeededName, SaliencyMaps]
    regions: Mapping[str, Regions]
    region_search: RegionSearch
    flat: Mapping[str, Bool[Tensor, " batch"]]
    ground_truth: Regions | None
    metric_results: Mapping[str, Mapping[str, Sequence[MetricResult]]]
    variants: Variants | None
    probe_results: Mapping[str, Sequence[ProbeResult]]
    troubles: Sequence[Sequence[str]] = ()
    scale: SeriesScale | None = None
