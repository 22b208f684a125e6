"""Controls of the acceptance rate: the same region filled without a search, and another region."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from overpaint.core.bounds import Count, Seed
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import ProbeResult, Variants
from overpaint.core.rng import image_rng
from overpaint.core.types import Images
from overpaint.inpainting.blending import blend_into
from overpaint.inpainting.region import moved_elsewhere
from overpaint.inpainting.region_fills import FillSource
from overpaint.perturbation.baselines import baseline_image
from overpaint.probes.base import Probe, ProbeInputs
from overpaint.probes.fills import other_images, smoothed_surroundings

SHOWN = 4
"""So many pictures of each control are kept to be drawn."""

IN_THE_REGION = {
    "unsearched": "what the generator paints from random latents",
    "mean": "the mean colour",
    "blur": "the smoothed surroundings",
    "noise": "noise",
    "patch": "patches of examples of other classes",
    "sample": "unsearched samples of other classes",
}
"""Controls that take the place of what the region showed, and how they are called in a sentence."""


@checked_settings
@dataclass(frozen=True)
class Controls(Probe):
    """Puts other things than searched variants into the region, and asks the classifier in the same way.

    ============== ============================================================================================
    ``searched``   the variants themselves
    ``elsewhere``  variants of a hole of the same shape where little is salient (`moved_elsewhere`), searched
                   in the same way
    ``unsearched`` what the generator paints from as many random latents: no search, no choice of starts
    ``mean``       the mean colour of the classifier's training images
    ``blur``       the surroundings smoothed into the region. A Gaussian with the baseline's width, normalised by
                   how much of its window lies outside the region: what stood there, blurred, would still be there
    ``noise``      uniform noise, ``draws`` times
    ``patch``      the same place of ``draws`` of the other images, drawn at random. Those that the classifier calls
                   the explained class are passed over: they may show what the region showed
    ``sample``     the same of ``draws`` of the generator's samples. Of ``unsearched``, which passes over none, a share
                   keeps the class because it is of the class: one in three where there are three classes
    ============== ============================================================================================

    All are blended as the variants are. The numbers of control ``c``: ``acceptance_rate_c``, the share that the
    classifier calls the class (of generated ones near-duplicates count once), and ``score_c``, the mean score of the
    class over these. ``decisive`` is 0 where a control in the region (all but ``elsewhere``) is ever accepted, and
    at least as often as the searched variants: the classifier does not care what stands there, so the saliency map
    pointed to the wrong place. Else it is 1, also where neither variants nor controls are accepted. All are NaN
    where the region is empty; ``patch`` and ``sample`` are where there is none of another class.

    Arrays: ``images_c``, the first pictures of each control, and the region ``elsewhere``.

    Attributes:
        draws: Draws of ``noise``, ``patch`` and ``sample``.
        seed: Seed of the draws.

    Raises:
        OverpaintError: If there is not at least one draw.
    """

    uses_other_images: ClassVar[bool] = True
    draws: Count = 16
    seed: Seed = 0

    def __call__(self, inputs: ProbeInputs) -> list[ProbeResult]:
        """See `Probe`."""
        if not len(inputs.images):
            return []
        asked = (inputs.classifier, inputs.images, inputs.targets)
        places = moved_elsewhere(inputs.regions, inputs.maps)
        generated = {
            "searched": inputs.variants,
            "elsewhere": inputs.inpainter(*asked, places),
            "unsearched": inputs.inpainter.with_search(steps=0, num_candidates=0)(*asked, inputs.regions),
        }
        probed = []
        for row, region in enumerate(inputs.regions):
            found = {name: _of_variants(variants, row) for name, variants in generated.items()}
            for name, fills in self._fills(inputs, row).items():
                found[name] = _of_fills(inputs, row, fills)
            numbers: dict[str, float] = {}
            for name, (rate, score, _) in found.items():
                numbers |= {f"acceptance_rate_{name}": rate, f"score_{name}": score}
            numbers["decisive"] = decisive(numbers)
            arrays = {f"images_{name}": shown[:SHOWN] for name, (_, _, shown) in found.items() if len(shown)}
            if region.any():
                probed.append(ProbeResult(numbers, arrays | {"elsewhere": places[row]}))
            else:
                probed.append(ProbeResult(dict.fromkeys(numbers, math.nan)))
        return probed

    def _fills(self, inputs: ProbeInputs, row: int) -> dict[str, Images]:
        """Returns what is put into the region of a row, by the controls' names."""
        image, region, classifier = inputs.images[row], inputs.regions[row], inputs.classifier
        noise = torch.rand(self.draws, *image.shape, generator=image_rng(image, self.seed, "controls", "noise"))
        patches, target = image.new_zeros(0, *image.shape), int(inputs.targets[row])
        if inputs.other_images is not None:
            rng = image_rng(image, self.seed, "controls", "patch")
            patches = other_images(inputs.other_images, image, target, self.draws, classifier, rng)
        source = FillSource(["sample"], classifier, inputs.inpainter.generator)
        samples = source.fills(image, self.seed + 1)["sample"]  # others than those that chose the region
        other = ~classifier.decision.keeps(classifier.scores(samples), target)
        mean = baseline_image("mean", classifier, image, self.seed)
        blur = torch.where(region.all(), mean, smoothed_surroundings(image, region))
        fills = {"mean": mean[None], "blur": blur[None], "noise": noise.to(image), "patch": patches}
        return fills | {"sample": samples[other][: self.draws]}


def _of_variants(variants: Variants, row: int) -> tuple[float, float, Images]:
    different = ~variants.duplicate[row]
    score = float(variants.confidences[row][different].mean())
    return float(variants.acceptance_rates[row]), score, variants.images[row][different]


def _of_fills(inputs: ProbeInputs, row: int, fills: Images) -> tuple[float, float, Images]:
    if not len(fills):
        return math.nan, math.nan, fills
    own, target = slice(row, row + 1), int(inputs.targets[row])
    filled = blend_into(inputs.images[own], fills[None], inputs.regions[own], inputs.inpainter.blend)[0]
    scores = inputs.classifier.scores(filled)
    kept = inputs.classifier.decision.keeps(scores, target).float()
    return float(kept.mean()), float(scores[:, target].mean()), filled


def decisive(numbers: Mapping[str, float]) -> float:
    """Returns 1 where the region decides, 0 where a control in it is accepted as often; NaN without a region."""
    if math.isnan(numbers["acceptance_rate_searched"]):
        return math.nan
    return float(not accepted_as_often(numbers))


def accepted_as_often(numbers: Mapping[str, float]) -> list[str]:
    """Returns the controls in the region that are accepted, and at least as often as the searched variants."""
    searched = numbers["acceptance_rate_searched"]
    rates = {name: numbers[f"acceptance_rate_{name}"] for name in IN_THE_REGION}
    return [name for name, rate in rates.items() if rate > 0 and rate >= searched]


def verdict(numbers: Mapping[str, float | None]) -> str:
    """Says in a sentence what the controls of a row mean.

    Args:
        numbers: What `Controls` found; None counts as NaN.
    """
    known = {name: math.nan if value is None else value for name, value in numbers.items()}
    searched, elsewhere = known["acceptance_rate_searched"], known["acceptance_rate_elsewhere"]
    if math.isnan(searched):
        return "The map has no salient region, so there is nothing to compare."
    if rivals := accepted_as_often(known):
        named = ", ".join(f"{IN_THE_REGION[name]} ({known[f'acceptance_rate_{name}']:.0%})" for name in rivals)
        return (
            f"The region was not decisive: the classifier accepted {named} in it at least as often as the searched "
            f"variants ({searched:.0%}), so it does not care what stands there."
        )
    if searched == 0:
        return (
            f"The region was decisive: nothing that was put there kept the class, not even the searched variants; of "
            f"those in a hole elsewhere {elsewhere:.0%} did."
        )
    return (
        f"The region was decisive: {searched:.0%} of the searched variants were accepted there, and every control "
        f"in their place less often; of the variants in a hole elsewhere {elsewhere:.0%} were."
    )
