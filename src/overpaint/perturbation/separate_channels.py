"""Perturbation methods asked about one channel of a series after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.protocols import Classifier, Requirement, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, TargetSets
from overpaint.perturbation.baselines import Baseline
from overpaint.perturbation.engine import run_method
from overpaint.perturbation.method import ImageMaps, Interim, MaskBatch, PerturbationMethod, SamplingCoroutine

SEEDS_APART = 7919
"""Between the seeds of two channels, so that each has masks of its own."""


@dataclass(frozen=True)
class ChannelMasks:
    """Masks that hide one channel and keep the others.

    Attributes:
        of_channel: The masks of that channel.
        channel: Which it is.
        channels: How many there are.
    """

    of_channel: MaskBatch
    channel: int
    channels: int

    def __len__(self) -> int:
        return len(self.of_channel)

    def masks(self, rows: slice) -> Float[Tensor, "query channel *space"]:
        """See `MaskBatch.masks`: here with a mask for each channel."""
        masks = self.of_channel.masks(rows)
        kept = masks.new_ones(len(masks), self.channels, *masks.shape[1:])
        kept[:, self.channel] = masks
        return kept


@dataclass(frozen=True)
class MethodOfChannels(SaliencyMethod):
    """A method that another one makes of each channel; it needs what that one needs.

    Attributes:
        method: The other method.
    """

    method: SaliencyMethod

    @property
    def requires(self) -> Requirement:
        """What the method needs."""
        return self.method.requires

    @property
    def is_stochastic(self) -> bool:
        """Whether the method's maps depend on the seed."""
        return self.method.is_stochastic

    def numbers_kept(self, channels: int, size: Sequence[int]) -> int:
        """See `SaliencyMethod`: one channel is explained at a time."""
        return self.method.numbers_kept(channels, size)


@dataclass(frozen=True)
class SeparateChannels(MethodOfChannels, PerturbationMethod):
    """A method's maps of each channel: its masks hide that channel alone, the others stay as they are.

    ``S_c`` is the method's map for the masked series ``b_c + M ⊙ (x_c - b_c)`` in channel ``c``, ``x`` in all others.
    The map of a place is ``Σ_c S_c``; the channels' masks are drawn apart, so its standard error is
    ``(Σ_c SE_c²)^½``. A series costs as many queries for each channel as the method takes for all together.

    Attributes:
        method: The method.
        channels: How many channels a series has.
    """

    method: PerturbationMethod
    channels: int

    @property
    def baseline(self) -> Baseline:
        """The method's."""
        return self.method.baseline

    @property
    def seed(self) -> int:
        """The method's."""
        return self.method.seed

    def max_queries(self, size: tuple[int, ...], targets: int) -> int:
        """See `PerturbationMethod.max_queries`."""
        return self.channels * self.method.max_queries(size, targets)

    def sample_masks(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: Int[Tensor, " target"]
    ) -> SamplingCoroutine:
        """Yields the masks of one channel after the other."""
        found: list[ImageMaps] = []
        for channel in range(self.channels):
            found.append((yield from self._of_channel(channel, classifier, image, targets)))
        return joined_channels(found)

    def _of_channel(
        self, channel: int, classifier: Classifier, image: Tensor, targets: Int[Tensor, " target"]
    ) -> SamplingCoroutine:
        """Asks about a channel; maps of a method that is not done yet are shown to nobody."""
        method: Any = self.method
        if method.is_stochastic:
            method = replace(method, seed=(method.seed + SEEDS_APART * channel) % 2**32)
        sampling, answers = method.sample_masks(classifier, image, targets), None
        while True:
            try:
                asked = sampling.send(answers)
            except StopIteration as end:
                found: ImageMaps = end.value
                return found
            answers = None if isinstance(asked, Interim) else (yield ChannelMasks(asked, channel, self.channels))

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps, and those of each channel."""
        return run_method(self, classifier, images, targets)


def joined_channels(found: Sequence[ImageMaps]) -> ImageMaps:
    """Joins the maps of each channel of an image, see `SeparateChannels`."""
    maps = torch.stack([each.maps for each in found], dim=1)
    errors = [each.standard_errors for each in found if each.standard_errors is not None]
    by_channel = torch.stack(errors, dim=1) if errors else None
    spent = [[each.queries] * len(maps) if isinstance(each.queries, int) else each.queries for each in found]
    return ImageMaps(
        maps.sum(1),
        None if by_channel is None else by_channel.square().sum(1).sqrt(),
        [sum(of_target) for of_target in zip(*spent, strict=True)],
        maps,
        by_channel,
    )
