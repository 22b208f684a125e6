"""Repainted variants of an image, and which of them the classifier accepts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from overpaint.core.bounds import NotNegative
from overpaint.core.checks import check_finite, check_images
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.memory import FLOAT, check_memory
from overpaint.core.protocols import Classifier, Discriminator, Encoder, Generator
from overpaint.core.resize import resize
from overpaint.core.results import LatentSearchResult, Variants
from overpaint.core.types import Images, ImageSets, PerVariant, Regions, Scores, Targets
from overpaint.core.value_range import within_range
from overpaint.inpainting.blending import Blend, blend_into
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.objective import Guide
from overpaint.inpainting.region import RegionRule
from overpaint.inpainting.selection import keep_relevant
from overpaint.inpainting.variant_sets import distances_inside, mark_duplicates, masked_mean, resized


@runtime_checkable
class VariantLoss(Protocol):
    """A loss of what the classifier says of variants."""

    def __call__(self, logits: Scores, targets: Targets) -> Float[Tensor, " row"]:
        """Returns the loss of each variant, of the class that is explained, differentiable."""
        ...


OnVariants = Callable[[Callable[[], Variants]], None]
"""Is given, after each step of a search, what makes the variants so far."""


@checked_settings
@dataclass(frozen=True)
class Inpainter:
    """Repaints a region with a generator and asks the classifier whether the class is still there.

    Attributes:
        generator: ``G``, in eval mode.
        discriminator: ``D``, in eval mode; None: variants have no prior loss and no realism.
        search: The latent search.
        rule: Gives the ring weights of a region.
        blend: How the painted region meets its surroundings.
        duplicate_tolerance: Two variants nearer than this inside the region (root mean square, in ``[0, 1]``) count
            as one.
        encoder: Guesses where the search starts; None: it starts from random latents.
        on_variants: Called after each step of a search, with what makes the variants so far.
    """

    generator: Generator
    discriminator: Discriminator | None
    search: LatentSearch
    rule: RegionRule
    blend: Blend = "paste"
    duplicate_tolerance: NotNegative = 0.02
    encoder: Encoder | None = None
    on_variants: OnVariants | None = None

    def __post_init__(self) -> None:
        images = self.search.num_variants * self.generator.channels * math.prod(self.generator.output_size)
        check_memory(f"search.num_variants={self.search.num_variants}", 3 * FLOAT * images)
        if self.search.num_candidates is not None:
            latents = self.search.num_candidates * self.generator.latent_dim
            check_memory(f"search.num_candidates={self.search.num_candidates}", 2 * FLOAT * latents)
        if self.search.spare is not None:
            latents = self.search.num_starts * self.generator.latent_dim
            check_memory(f"search.spare={self.search.spare}", 2 * FLOAT * latents)

    def __call__(
        self, classifier: Classifier, images: Images, targets: Targets, regions: Regions, guidance: float = 0.0
    ) -> Variants:
        """Makes the variants of each image and classifies them.

        A generator of another resolution than the images' is searched at its own: image and region are resized to it
        (a region's pixel belongs to it where at least half of it does), and what it paints is resized back.

        Args:
            classifier: The classifier.
            images: ``X``.
            targets: The class of each.
            regions: ``B``.
            guidance: Weight ``w`` of a further loss of the search, ``-w log p_target(X')``; 0 asks the classifier
                only at the end. Above 0 the classifier must have gradients.

        Raises:
            OverpaintError: If generator and images differ in their number of channels, or the images are not in
                ``[0, 1]``.
        """
        if not guidance:
            return self.searched(classifier, images, targets, regions)

        def loss(logits: Scores, targets: Targets) -> Float[Tensor, " row"]:
            return -guidance * classifier.decision.log_scores(logits, targets)

        return self.searched(classifier, images, targets, regions, loss)

    def searched(
        self,
        classifier: Classifier,
        images: Images,
        targets: Targets,
        regions: Regions,
        loss: VariantLoss | None = None,
    ) -> Variants:
        """Makes and classifies variants, the search guided by any loss of the classifier's scores of them.

        Args:
            classifier: The classifier; with gradients where there is a loss.
            images: ``X``.
            targets: The class of each.
            regions: ``B``.
            loss: Added to the search's own; None asks the classifier only at the end.

        Raises:
            OverpaintError: As the call.
        """
        if (on_variants := self.on_variants) is not None:
            plain = replace(self, on_variants=None)

            def on_latents(latents: Float[Tensor, "batch variant latent"]) -> None:
                on_variants(lambda: plain.repainted(classifier, images, targets, regions, latents))

            return plain.with_search(on_latents=on_latents).searched(classifier, images, targets, regions, loss)
        guide = None if loss is None else self._guide(classifier, images, targets, regions, loss)
        return self._judge(classifier, images, targets, regions, self.search_latents(images, regions, guide))

    def repainted(
        self,
        classifier: Classifier,
        images: Images,
        targets: Targets,
        regions: Regions,
        latents: Float[Tensor, "batch variant latent"],
    ) -> Variants:
        """Makes and classifies the variants of given latents, without a search; otherwise as `searched`."""
        small, ring, _ = self._at_own_size(images, regions)
        found = self.search.paint(self.generator, self.discriminator, small, ring, latents)
        return self._judge(classifier, images, targets, regions, found)

    def for_diversities(
        self, classifier: Classifier, images: Images, targets: Targets, regions: Regions, diversities: Sequence[float]
    ) -> list[Variants]:
        """Makes and classifies the variants that each value of ``diversity`` would keep of a single search.

        Args:
            classifier: The classifier.
            images: ``X``.
            targets: The class of each.
            regions: ``B``.
            diversities: The values. 0 keeps what fits best.

        Raises:
            OverpaintError: As the call.
        """
        small, ring, small_regions = self._at_own_size(images, regions)
        search = replace(self.search, diversity=1.0)  # any that is not 0 searches the same
        found = search.finalists(self.generator, self.discriminator, small, ring, small_regions, encoder=self.encoder)
        kept = (keep_relevant(found, small_regions, self.search.num_variants, value) for value in diversities)
        return [self._judge(classifier, images, targets, regions, one) for one in kept]

    def search_latents(self, images: Images, regions: Regions, guide: Guide | None = None) -> LatentSearchResult:
        """Searches latents as for variants, but blends and classifies nothing.

        Args:
            images: ``X``.
            regions: ``B``.
            guide: A further loss.

        Raises:
            OverpaintError: As the call.
        """
        small, ring, small_regions = self._at_own_size(images, regions)
        return self.search(self.generator, self.discriminator, small, ring, small_regions, guide, self.encoder)

    def _at_own_size(
        self, images: Images, regions: Regions
    ) -> tuple[Float[Tensor, "batch channel *own"], Float[Tensor, "batch *own"], Bool[Tensor, "batch *own"]]:
        """Returns image, ring and region at the generator's size."""
        check_images(images)
        if self.generator.channels != images.shape[1]:
            raise OverpaintError(
                f"the generator paints {self.generator.channels} channels, but the images have {images.shape[1]}"
            )
        own = self.generator.output_size
        if tuple(images.shape[2:]) != own:
            images = within_range(resize(images, own), len(own))
            regions = resize(regions[:, None].float(), own)[:, 0] >= 0.5
        return images, self.rule.ring_weights(regions, normalised=self.search.normalised_ring), regions

    def _guide(
        self, classifier: Classifier, images: Images, targets: Targets, regions: Regions, loss: VariantLoss
    ) -> Guide:
        """Makes the loss that asks the classifier; Poisson blending has no gradients, so there paste stands in."""
        blend: Blend = "paste" if self.blend == "poisson" else self.blend

        def guide(painted: Images, owners: Targets) -> Float[Tensor, " row"]:
            sets = resized(painted[:, None], tuple(images.shape[2:]))
            variants = blend_into(images[owners], sets, regions[owners], blend)[:, 0]
            return loss(classifier.logits(variants), targets[owners])

        return guide

    def with_search(self, **changes: Any) -> "Inpainter":
        """Returns a maker whose search has other settings."""
        return replace(self, search=replace(self.search, **changes))

    def _judge(
        self,
        classifier: Classifier,
        images: Images,
        targets: Targets,
        regions: Regions,
        found: LatentSearchResult,
    ) -> Variants:
        variants = blend_into(images, resized(found.images, tuple(images.shape[2:])), regions, self.blend)
        scores = torch.stack([classifier.scores(one_image) for one_image in variants])
        confidences = scores.gather(2, targets[:, None, None].expand(-1, scores.shape[1], 1))[..., 0]
        accepted = classifier.decision.keeps(scores, targets[:, None].expand(scores.shape[:2]))
        distances = distances_inside(variants, regions)
        duplicate = torch.stack([mark_duplicates(d, self.duplicate_tolerance) for d in distances])
        counted = accepted & ~duplicate
        pairs = counted[:, :, None] & counted[:, None, :] & ~torch.eye(counted.shape[1]).bool().to(counted.device)
        rates = masked_mean(accepted.to(confidences), ~duplicate)
        empty = ~regions.flatten(1).any(1)
        return Variants(
            images=variants,
            latents=found.latents,
            confidences=confidences,
            predictions=scores.argmax(2),
            accepted=accepted,
            duplicate=duplicate,
            contextual_losses=found.contextual_losses,
            realism=self.realism(variants),
            acceptance_rates=rates.masked_fill(empty, torch.nan),
            mean_confidences=masked_mean(confidences, counted),
            diversities=masked_mean(distances.flatten(1), pairs.flatten(1)),
            steps=found.steps,
            improved=found.improved,
        )

    def nothing(self, images: Images) -> Variants:
        """Returns what stands in the place of variants that could not be made: copies of the image that count nowhere.

        Args:
            images: ``X``.
        """
        shape = (len(images), self.search.num_variants)
        absent = torch.full(shape, torch.nan, device=images.device)
        no, unknown = torch.zeros(shape, dtype=torch.bool, device=images.device), absent[:, 0]
        return Variants(
            images=images[:, None].repeat(1, shape[1], *[1] * (images.ndim - 1)),
            latents=torch.zeros(*shape, self.generator.latent_dim, device=images.device),
            confidences=absent,
            predictions=torch.zeros_like(no, dtype=torch.long),
            accepted=no,
            duplicate=~no,
            contextual_losses=absent,
            realism=absent,
            acceptance_rates=unknown,
            mean_confidences=unknown,
            diversities=unknown,
            steps=torch.zeros_like(unknown, dtype=torch.long),
            improved=no,
        )

    @torch.no_grad()
    def realism(self, variants: ImageSets) -> PerVariant:
        """Returns the discriminator's score (a logit) of each variant; NaN without a discriminator.

        Raises:
            NumericalError: If a score is not finite.
        """
        if self.discriminator is None:
            return torch.full(variants.shape[:2], torch.nan, device=variants.device)
        flat = resize(variants.flatten(0, 1), self.discriminator.input_size)
        # One image's variants a pass, so that the arithmetic does not depend on the batch.
        scores = torch.stack([self.discriminator(one_image) for one_image in flat.split(variants.shape[1])])
        check_finite(scores, "the discriminator gave a score")
        return scores
