"""Boundary search: do the acceptable variations lead to adversarial examples (the authors' open question)?"""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from overpaint.attribution.state import preserve_state
from overpaint.core.bounds import Count, NotNegative, Positive, Share
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier
from overpaint.core.results import ProbeResult, Variants
from overpaint.core.rows import select_rows
from overpaint.core.types import Images, ImageSets, PerVariant, Scores, Targets
from overpaint.probes.base import Probe, ProbeInputs
from overpaint.probes.descent import LatentSets, bisect, descend_pixels, distances_between
from overpaint.probes.flip_taxonomy import KINDS, FlippedVariants, FlipTaxonomy

SHOWN = 3
"""So many flips of each kind are kept to be drawn, the nearest first."""


@checked_settings
@dataclass(frozen=True)
class BoundarySearch(Probe):
    """Asks how near to the accepted variants others lie that the classifier takes for another class, and what they are.

    With gradients the latents are searched again from the same starts, with ``weight · margin`` as a further loss, see
    `Decision.margins`. A black box is asked about the variants there are. Then, from each accepted variant to the
    flipped one with the nearest latent, the way is halved down to the decision boundary; the flipped side of it is the
    accepted variant's *boundary point* (the black-box search of Zhao, Dua & Singh, 2018, widens a radius instead). With
    gradients each accepted variant is also changed pixel by pixel inside the region, by projected gradient descent
    (PGD) on the same margin: what an attack that knows no generator finds.

    Numbers, NaN where the row has no accepted variant or nothing of the kind:

    - ``success_rate``: share of the different searched latents that flip; ``boundary_rate`` and ``pgd_rate``: share of
      the accepted variants from which a boundary point, or PGD, reaches another class;
    - ``latent_distance`` and ``picture_distance``: median distance from the accepted to the boundary point, Euclidean
      between latents, and root mean square between pictures inside the region; ``pgd_distance``: the latter for PGD;
    - ``accepted_realism``, ``searched_realism``, ``boundary_realism``, ``pgd_realism``: the discriminator's median
      score;
    - for each SOURCE, ``searched``, ``boundary`` and ``pgd``: ``flips_SOURCE``, how many flips; ``KIND_SOURCE`` and
      ``KIND_fraction_SOURCE``, how many and what share are of each of `KINDS`, see `FlipTaxonomy`. Pictures of PGD
      keep the contextual loss of the variant that they come from, since what it is measured on does not change.

    Arrays: the nearest boundary points of each kind ``flipped_KIND``, the ``accepted_KIND`` that they come from and
    ``predictions_KIND``; the same for the nearest of PGD as ``flipped_pgd`` and so on; the ``image``.

    Attributes:
        into: The class that is to be reached, by index or name; ``any`` for any other one. A row of that class itself
            has no numbers.
        gradients: False treats every classifier as a black box.
        weight: Of the margin in the search, above 0.
        margin: ``κ``, in logits.
        bisection_steps: Of the way to the boundary.
        pgd_steps: Steps of PGD.
        pgd_step: By which a pixel changes in a step.

    Raises:
        OverpaintError: If a setting is out of its range; at the call, if there is no class ``into``.
    """

    uses_oracle: ClassVar[bool] = True
    into: str | int = "any"
    gradients: bool = True
    weight: Positive = 0.05
    margin: NotNegative = 1.0
    bisection_steps: Count = 10
    pgd_steps: Count = 40
    pgd_step: Share = 0.01

    def __call__(self, inputs: ProbeInputs) -> list[ProbeResult]:
        """See `Probe`."""
        wanted = self._wanted(inputs.classifier)
        if not len(inputs.images):
            return []
        white = self.gradients and inputs.classifier.network is not None
        with preserve_state(inputs.classifier, "probes=boundary_search") if white else nullcontext():
            return self._probed(inputs, wanted, white)

    def _wanted(self, classifier: Classifier) -> int | None:
        """Returns the index of the class that is to be reached; None for any."""
        names = list(classifier.class_names)
        if self.into == "any":
            return None
        if isinstance(self.into, int) and 0 <= self.into < len(names):
            return self.into
        if self.into in names:
            return names.index(str(self.into))
        raise OverpaintError(
            f"probes.boundary_search.into={self.into} is no class of the classifier; name one of {names[:10]}, an "
            f"index from 0 to {len(names) - 1}, or any"
        )

    def _probed(self, inputs: ProbeInputs, wanted: int | None, white: bool) -> list[ProbeResult]:
        asked = (inputs.classifier, inputs.images, inputs.targets, inputs.regions)
        decision = inputs.classifier.decision

        def loss(logits: Scores, targets: Targets) -> Float[Tensor, " row"]:
            return self.weight * decision.margins(logits, targets, wanted, self.margin)

        def flips(latents: LatentSets) -> Bool[Tensor, "batch variant"]:
            return _flipped(inputs.inpainter.repainted(*asked, latents), inputs.targets, wanted)

        searched = inputs.inpainter.searched(*asked, loss) if white else inputs.variants
        near = inputs.variants.latents
        far = _nearest_flipped(near, searched, _flipped(searched, inputs.targets, wanted))
        _, far = bisect(flips, near, far, self.bisection_steps)
        boundary = inputs.inpainter.repainted(*asked, far)
        pixels = self._attacked(inputs, wanted) if white else None
        return [
            self._of_row(inputs.rows([row]), select_rows(searched, [row]), select_rows(boundary, [row]), one, wanted)
            for row, one in enumerate(pixels.split(1) if pixels is not None else [None] * len(near))
        ]

    def _attacked(self, inputs: ProbeInputs, wanted: int | None) -> ImageSets:
        """Returns what PGD makes of each variant."""
        attacked = []
        for images, target, region in zip(inputs.variants.images, inputs.targets, inputs.regions, strict=True):

            def loss(logits: Scores, target: Tensor = target) -> Float[Tensor, " row"]:
                return inputs.classifier.decision.margins(logits, target.expand(len(logits)), wanted, self.margin)

            own = (inputs.classifier, images, region, loss, self.pgd_steps, self.pgd_step)
            attacked.append(descend_pixels(*own))
        return torch.stack(attacked)

    def _of_row(
        self, own: ProbeInputs, searched: Variants, boundary: Variants, pixels: ImageSets | None, wanted: int | None
    ) -> ProbeResult:
        """Files the flips of a painting of a single row."""
        accepted, target = (own.variants.accepted & ~own.variants.duplicate)[0], int(own.targets[0])
        region, variants, different = own.regions[0], own.variants.images[0], ~searched.duplicate[0]
        measurable = bool(region.any()) and bool(accepted.any()) and wanted != target
        losses, realism = own.variants.contextual_losses[0], own.variants.realism[0]
        rule = FlipTaxonomy.of(losses[accepted], realism[accepted]) if measurable else FlipTaxonomy(math.nan, math.nan)

        flipped = _flipped(searched, own.targets, wanted)[0] & different
        numbers = {"success_rate": _share(flipped, different), "accepted_realism": _median(realism[accepted])}
        numbers |= _found(_chosen(own, searched, flipped), "searched", rule, target)

        crossed = _flipped(boundary, own.targets, wanted)[0] & accepted
        steps = (boundary.latents - own.variants.latents)[0].norm(dim=1)
        moved = distances_between(boundary.images[0], variants, region)
        numbers |= {"boundary_rate": _share(crossed, accepted), "latent_distance": _median(steps[crossed])}
        numbers["picture_distance"] = _median(moved[crossed])
        found = _chosen(own, boundary, crossed)
        numbers |= _found(found, "boundary", rule, target)
        arrays = {"image": own.images[0]}
        for index, kind in enumerate(KINDS):
            order = _nearest(found.kinds(rule, target) == index, crossed, moved)
            arrays |= _pictures(kind, variants, boundary.images[0], boundary.predictions[0], order)

        if pixels is not None:
            answers, reached, attacked = self._judged_pixels(own, pixels, wanted)
            reached = reached & accepted
            away = distances_between(pixels[0], variants, region)
            numbers |= {"pgd_rate": _share(reached, accepted), "pgd_distance": _median(away[reached])}
            numbers |= _found(_flips_of(own, pixels, losses, attacked[0], reached), "pgd", rule, target)
            everything = torch.ones(int(reached.sum()), dtype=torch.bool, device=reached.device)
            arrays |= _pictures("pgd", variants, pixels[0], answers, _nearest(everything, reached, away))
        else:
            nothing = _flips_of(own, boundary.images, losses, realism, torch.zeros_like(accepted))
            numbers |= {"pgd_rate": math.nan, "pgd_distance": math.nan}
            numbers |= dict.fromkeys(_found(nothing, "pgd", rule, target), math.nan)
        return ProbeResult(numbers, arrays) if measurable else ProbeResult(dict.fromkeys(numbers, math.nan))

    def _judged_pixels(
        self, own: ProbeInputs, pixels: ImageSets, wanted: int | None
    ) -> tuple[Int[Tensor, " variant"], Bool[Tensor, " variant"], PerVariant]:
        scores = own.classifier.scores(pixels[0])
        kept = own.classifier.decision.keeps(scores, int(own.targets[0]))
        reached = ~kept if wanted is None else scores.argmax(1) == wanted
        return scores.argmax(1), reached, own.inpainter.realism(pixels)


def _flipped(variants: Variants, targets: Targets, wanted: int | None) -> Bool[Tensor, "batch variant"]:
    return ~variants.accepted if wanted is None else variants.predictions == wanted


def _nearest_flipped(near: LatentSets, searched: Variants, flipped: Bool[Tensor, "batch variant"]) -> LatentSets:
    """Returns, for each latent, the nearest one that flips; itself where none does."""
    far = []
    for own, others, chosen in zip(near, searched.latents, flipped, strict=True):
        candidates = others[chosen]
        if len(candidates):
            distances = torch.cdist(own, candidates, compute_mode="donot_use_mm_for_euclid_dist")
            own = candidates[distances.argmin(1)]
        far.append(own)
    return torch.stack(far)


def _flips_of(
    own: ProbeInputs, sets: ImageSets, losses: Tensor, realism: Tensor, chosen: Bool[Tensor, " variant"]
) -> FlippedVariants:
    """Gathers the chosen ones; the oracle is shown all variants of an image in one pass, whichever are chosen."""
    answers = None if own.oracle is None else own.oracle.scores(sets[0]).argmax(1)[chosen]
    return FlippedVariants(sets[0][chosen], losses[chosen], realism[chosen], answers)


def _chosen(own: ProbeInputs, variants: Variants, chosen: Bool[Tensor, " variant"]) -> FlippedVariants:
    return _flips_of(own, variants.images, variants.contextual_losses[0], variants.realism[0], chosen)


def _found(flips: FlippedVariants, source: str, rule: FlipTaxonomy, target: int) -> dict[str, float]:
    return {f"{source}_realism": _median(flips.realism)} | flips.numbers(source, rule, target)


def _nearest(
    kind: Bool[Tensor, " flip"], flipped: Bool[Tensor, " variant"], distances: Float[Tensor, " variant"]
) -> Int[Tensor, " shown"]:
    """Returns the numbers of the variants of a kind that have moved least."""
    numbers = flipped.nonzero()[:, 0][kind]
    return numbers[distances[numbers].argsort(stable=True)][:SHOWN]


def _pictures(
    name: str, accepted: Images, flipped: Images, predictions: Tensor, order: Int[Tensor, " shown"]
) -> dict[str, Tensor]:
    if not len(order):
        return {}
    return {
        f"accepted_{name}": accepted[order],
        f"flipped_{name}": flipped[order],
        f"predictions_{name}": predictions[order],
    }


def _share(true: Bool[Tensor, " variant"], chosen: Bool[Tensor, " variant"]) -> float:
    """Returns the true share of the chosen ones; NaN where none is chosen."""
    return float((true & chosen).sum() / chosen.sum())


def _median(values: Float[Tensor, " value"]) -> float:
    return float(values.quantile(0.5)) if len(values) else math.nan
