"""IASSA: iterative and adaptive sampling with spatial attention (Vasu & Long, WACV 2020), from the paper alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from overpaint.core.bounds import Count, Positive, Seed, Share, ShareBelowAll, ShareOrNone
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, Discriminator
from overpaint.core.resize import resize
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, TargetSets
from overpaint.perturbation.attention import Level, attention, colour_and_place, network_levels
from overpaint.perturbation.baselines import Baseline
from overpaint.perturbation.engine import run_method
from overpaint.perturbation.method import (
    ImageMaps,
    PerturbationMethod,
    SamplingCoroutine,
    UsesDiscriminator,
    WindowMasks,
)
from overpaint.perturbation.windows import Windows, with_whole_image

Map = Float[Tensor, "*space"]

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
"""Interpolation for so many dimensions."""


@checked_settings
@dataclass(frozen=True)
class Iassa(PerturbationMethod, UsesDiscriminator):
    """Sliding windows, coarse everywhere and finer where it matters, with attention between places that are alike.

    Round ``k`` hides windows one at a time. Its map is the loss of score over the windows that cover a pixel,

        ``S_k(λ) = 1/n_k(λ) Σ_{j ∋ λ, asked} (f_c(x) - f_c(x with window j hidden))``,

    ``n_k`` the number of windows over the pixel, asked or not, and ``S`` the mean of the maps of all ``rounds``, those
    to come counted as 0. Attention then carries saliency between alike places and gives the adjusted map

        ``S' = λ S + (1 - λ) A S``,    ``A = softmax(C / temperature)``,

    ``C`` the cosine similarity of the places' features on a grid of ``cells`` an axis, averaged over several levels:
    the outputs of the classifier's network at each of its resolutions, from one pass; where it shows none, those of
    the ``discriminator`` of its domain; without one, colour and place. The region is where ``S' > low + threshold ·
    (max - low)``, ``low`` the least value but at least 0; the next round asks only the windows that touch it, each
    smaller by ``shrink``. The result is ``S'`` behind the last round, in units of the score.

    Deviations from the paper and its published code, each with its reason:

    - one softmax of cosines with a temperature: the code's two softmaxes of raw products give a matrix so near to
      uniform that it does nothing; and 28 x 28 places instead of 112 x 112, whose matrix has 157 million entries;
    - the code's region is counted from the least value, also a negative one: where a place
      disturbs the class, nearly the whole image became the region (on three of eight photographs);
    - the code shows the round that agrees best with the annotation; here nothing looks at an annotation;
    - rounds add up with windows not asked as no loss, so that a finer round can only raise the region it refines:
      where half of the object is enough for the classifier, small windows find nothing, and what the coarse ones
      found stays;
    - windows are shares of the side, and the strides a quarter of them (the code's, at 224 pixels: 45 and 8, to 37 and
      7): the same number of queries on small images. They are wider at first, for classifiers that are sure with
      a part of the object. The defaults ask 600 to 1500 queries a target.

    Attributes:
        rounds: Rounds, the coarse one included; all targets share that one.
        window: Side of the first windows, as a share of the image's side.
        shrink: Side of a round's windows relative to the round before.
        overlap: Windows that cover a pixel along each axis: the stride is the window's side divided by it.
        threshold: Share of the adjusted map's range above 0 beyond which a place belongs to the region.
        balance: ``λ``, the weight of the map without attention.
        temperature: Temperature of the attention: smaller attends only to places that are more alike.
        cells: Places along each axis between which attention acts, at most.
        discriminator: Of the images' domain, for classifiers that show no layers.
        baseline: What stands where the image is hidden.
        seed: Seed of a baseline of noise; nothing else is random.

    Raises:
        OverpaintError: If a setting is out of its range; at the call, if the discriminator takes other channels.
    """

    rounds: Count = 4
    window: Share = 0.3
    shrink: Share = 0.85
    overlap: Count = 4
    threshold: ShareBelowAll = 0.3
    balance: ShareOrNone = 0.5
    temperature: Positive = 0.2
    cells: Count = 28
    discriminator: Discriminator | None = None
    baseline: Baseline = "mean"
    seed: Seed = 0

    def _windows(self, size: tuple[int, ...]) -> list[Windows]:
        """Returns the windows of each round."""
        shares = [self.window * self.shrink**k for k in range(self.rounds)]
        sides = [tuple(max(1, round(share * length)) for length in size) for share in shares]
        return [
            Windows(size, window, tuple(max(1, round(side / self.overlap)) for side in window), overhang=True)
            for window in sides
        ]

    def max_queries(self, size: tuple[int, ...], targets: int) -> int:
        """See `PerturbationMethod.max_queries`: if all of the image were in the region of each round."""
        coarse, *finer = [math.prod(windows.counts) for windows in self._windows(size)]
        return 1 + coarse + targets * sum(finer)

    def sample_masks(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: Int[Tensor, " target"]
    ) -> SamplingCoroutine:
        """Yields the coarse windows, then in each round the finer windows of all targets' regions."""
        coarse, *finer = self._windows(tuple(image.shape[1:]))
        adjusting = _Adjusting(self, classifier, image)
        answers = yield with_whole_image(coarse.masks(torch.ones(coarse.counts, device=image.device).bool()))
        whole = answers[0].double()
        losses = (whole - answers[1:]).T.reshape(-1, *coarse.counts)
        found = _round_map(coarse, losses) / self.rounds
        spent = [len(answers) + (classifier.network is not None)] * len(targets)
        for windows in finer:
            regions = torch.stack([self._region(adjusting(one)) for one in found])
            touching = windows.touching(regions)
            counts = touching.flatten(1).sum(1).tolist()
            if sum(counts) == 0:
                break
            answers = yield _concatenated([windows.masks(own) for own in touching])
            losses = torch.zeros(len(targets), *windows.counts, dtype=torch.float64, device=image.device)
            for own, scores in enumerate(answers.split(counts)):
                losses[own][touching[own]] = whole[own] - scores[:, own].double()
            found = found + _round_map(windows, losses) / self.rounds
            spent = [before + count for before, count in zip(spent, counts, strict=True)]
        return ImageMaps(torch.stack([adjusting(one) for one in found]).to(image), None, spent)

    def _region(self, adjusted: Map) -> Bool[Tensor, "*space"]:
        """Returns the places to look at closer; none in a map without contrast, or nowhere above 0."""
        low, high = adjusted.min().clamp(min=0), adjusted.max()
        return adjusted > low + self.threshold * (high - low)

    def levels(self, classifier: Classifier, image: Float[Tensor, "channel *space"]) -> list[Level]:
        """Returns what tells the places of an image apart."""
        cells = tuple(min(self.cells, length) for length in image.shape[1:])
        found: list[Level] = []
        if classifier.network is not None:
            found = network_levels(classifier.network, lambda: classifier.scores(image[None]), cells)
        if not found and isinstance(discriminator := self.discriminator, nn.Module):
            if discriminator.channels != len(image):
                raise OverpaintError(
                    f"iassa: the discriminator takes {discriminator.channels} channels, not {len(image)}"
                )
            resized = resize(image[None], discriminator.input_size)
            found = network_levels(discriminator, lambda: discriminator(resized), cells)
        return found or colour_and_place(image, cells)

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors: nothing is random."""
        return run_method(self, classifier, images, targets)


class _Adjusting:
    """Turns an image's map ``S`` into ``λ S + (1 - λ) A S``."""

    def __init__(self, settings: Iassa, classifier: Classifier, image: Float[Tensor, "channel *space"]) -> None:
        levels = settings.levels(classifier, image)
        self.cells, self.balance = tuple(levels[0].shape[1:]), settings.balance
        self.attention = attention(levels, settings.temperature)

    def __call__(self, found: Map) -> Map:
        places = F.interpolate(found[None, None], self.cells, mode="area").flatten()
        attended = (self.attention @ places).reshape(1, 1, *self.cells)
        mode = LINEAR[found.ndim]
        return self.balance * found + (1 - self.balance) * F.interpolate(attended, found.shape, mode=mode)[0, 0]


def _round_map(windows: Windows, losses: Float[Tensor, "target *windows"]) -> Float[Tensor, "target *space"]:
    """Returns ``S_k`` of each target."""
    return windows.spread(losses) / windows.covering().to(losses.device)


def _concatenated(masks: Sequence[WindowMasks]) -> WindowMasks:
    """Returns the masks of all targets, one target after the other."""
    return WindowMasks(masks[0].size, torch.cat([m.starts for m in masks]), torch.cat([m.stops for m in masks]))
