"""The base class of perturbation methods, and the batches of masks that they yield."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.protocols import Classifier, Discriminator, SaliencyMethod
from overpaint.perturbation.baselines import Baseline
from overpaint.perturbation.masks import Grids, MaskGeometry, Masks, Shifts

ROUND = 128
"""Queries after which a method that may stop early looks at the error of its map."""

Found = TypeVar("Found")

TargetScores = Float[Tensor, "query target"]
"""The scores of the explained classes, for each mask of a batch."""


@runtime_checkable
class MaskBatch(Protocol):
    """Masks that are made when they are needed, on the device of the tensors that describe them."""

    def __len__(self) -> int:
        """Returns how many masks there are."""
        ...

    def masks(self, rows: slice) -> Masks:
        """Makes some of them; 1 keeps a pixel, 0 shows the baseline.

        Behind the queries come the image's axes; without that of the channels, one mask is that of all.
        """
        ...


@dataclass(frozen=True)
class GridMasks:
    """Smooth masks from small grids and shifts, see `MaskGeometry`."""

    geometry: MaskGeometry
    grids: Grids
    shifts: Shifts

    def __len__(self) -> int:
        return len(self.grids)

    def masks(self, rows: slice) -> Masks:
        """See `MaskBatch.masks`."""
        return self.geometry.masks(self.grids[rows], self.shifts[rows])


@dataclass(frozen=True)
class SegmentMasks:
    """Masks that keep or hide whole segments of an image.

    Attributes:
        segments: The segment of each pixel, counted from 0.
        keep: How much of each segment a mask keeps.
    """

    segments: Int[Tensor, "*space"]
    keep: Float[Tensor, "query segment"]

    def __len__(self) -> int:
        return len(self.keep)

    def masks(self, rows: slice) -> Masks:
        """See `MaskBatch.masks`."""
        return self.keep[rows][:, self.segments]


@dataclass(frozen=True)
class WindowMasks:
    """Masks that hide one box each.

    Attributes:
        size: Pixels along each axis.
        starts: The first hidden pixel along each axis.
        stops: The first pixel behind the box.
    """

    size: tuple[int, ...]
    starts: Int[Tensor, "query dimension"]
    stops: Int[Tensor, "query dimension"]

    def __len__(self) -> int:
        return len(self.starts)

    def masks(self, rows: slice) -> Masks:
        """See `MaskBatch.masks`."""
        starts, stops = self.starts[rows], self.stops[rows]
        hidden = torch.ones(len(starts), device=starts.device)
        for axis, length in enumerate(self.size):
            place = torch.arange(length, device=starts.device)
            inside = (place >= starts[:, axis, None]) & (place < stops[:, axis, None])
            hidden = hidden[..., None] * inside.float().reshape(len(inside), *[1] * axis, length)
        return 1 - hidden


@dataclass(frozen=True)
class ImageMaps:
    """What a method finds for one image.

    Attributes:
        maps: A map for each target.
        standard_errors: Their standard errors, where the method has them.
        queries: Forward passes behind each map; one number where all targets share them.
        by_channel: The maps of each channel, where these were explained apart.
        errors_by_channel: Their standard errors.
    """

    maps: Float[Tensor, "target *space"]
    standard_errors: Float[Tensor, "target *space"] | None
    queries: int | Sequence[int]
    by_channel: Float[Tensor, "target channel *space"] | None = None
    errors_by_channel: Float[Tensor, "target channel *space"] | None = None


@dataclass(frozen=True)
class Interim(Generic[Found]):
    """What a coroutine has found so far, for those who watch it.

    Attributes:
        found: What it would return if it ended now.
    """

    found: Found


SamplingCoroutine = Generator[MaskBatch | Interim[ImageMaps], TargetScores, ImageMaps]
"""A method at work on one image: it yields masks, is sent the scores they left, and returns the maps at the end.

After each of its `rounds` it may yield the maps so far; then it is sent nothing."""


class PerturbationMethod(SaliencyMethod):
    """A saliency method that sees the classifier through masked queries.

    Its coroutine yields masks, and the engine runs those of many coroutines in common batches, whether the method
    chooses its next masks by the last scores or knows them all beforehand.
    """

    @property
    @abstractmethod
    def baseline(self) -> Baseline:
        """What stands where an image is masked."""

    @property
    @abstractmethod
    def seed(self) -> int:
        """Seed of its random draws, and of a baseline of noise."""

    @property
    def is_stochastic(self) -> bool:
        """Whether its maps depend on the seed: here, whether its baseline is noise."""
        return isinstance(self.baseline, str) and self.baseline == "noise"

    @abstractmethod
    def max_queries(self, size: tuple[int, ...], targets: int) -> int:
        """Returns how many masks it yields at most for an image of ``size`` pixels and a number of targets."""

    @abstractmethod
    def sample_masks(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: Int[Tensor, " target"]
    ) -> SamplingCoroutine:
        """Explains the classes ``targets`` of an image; the scores that it is sent are theirs, in their order."""


@runtime_checkable
class BudgetedMethod(Protocol):
    """A method whose number of masked queries is a setting."""

    @property
    def queries(self) -> int:
        """Queries for each image."""
        ...


class UsesDiscriminator(ABC):
    """A method that looks at images through the discriminator of their domain, where there is one."""

    @property
    @abstractmethod
    def discriminator(self) -> Discriminator | None:
        """The discriminator; None: there is none, or it is still to be given."""


def rounds(queries: int, stop_at: float | None) -> Iterator[int]:
    """Splits a number of queries into rounds, after each of which the error of the map is looked at.

    Args:
        queries: All queries.
        stop_at: The error at which sampling stops; None: never, and one round is enough.

    Yields:
        The number of queries of each round.
    """
    step = queries if stop_at is None else ROUND
    for start in range(0, queries, step):
        yield min(step, queries - start)


def relative_errors(maps: Float[Tensor, "row *space"], errors: Float[Tensor, "row *space"]) -> Float[Tensor, " row"]:
    """Returns the mean standard error of each map in units of the map's range; infinite for a flat map."""
    flat = maps.flatten(1)
    return errors.flatten(1).mean(1) / (flat.amax(1) - flat.amin(1))


def precise(maps: Float[Tensor, "row *space"], errors: Float[Tensor, "row *space"], stop_at: float | None) -> bool:
    """Tells whether the error of every map is under ``stop_at``."""
    return stop_at is not None and bool((relative_errors(maps, errors) < stop_at).all())
