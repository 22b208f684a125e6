"""Names and shapes of the tensors that travel between the parts, and the protocols of the parts.

Ranges and polarity, everywhere outside a network:

- images are float in ``[0, 1]``;
- scores are class probabilities in ``[0, 1]``, each row sums to 1;
- saliency maps are signed and raw, larger means more important;
- a region is True where the image is salient and will be repainted;
- ``*space`` is any number of spatial dimensions: ``height width`` for an image, ``length`` for a series.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

Images = Float[Tensor, "batch channel *space"]
Targets = Int[Tensor, " batch"]
TargetSets = Int[Tensor, "batch target"]
Scores = Float[Tensor, "batch class"]
Maps = Float[Tensor, "batch *space"]
Regions = Bool[Tensor, "batch *space"]
RingWeights = Float[Tensor, "batch *space"]
Latents = Float[Tensor, "batch latent"]

ImageSets = Float[Tensor, "batch variant channel *space"]  # several images for each image of a batch: its variants
PerVariant = Float[Tensor, "batch variant"]

LatentDistribution = Literal["normal", "uniform"]


class Batch(NamedTuple):
    """What a data loader yields.

    Attributes:
        images: The images, in ``[0, 1]``.
        labels: Class indices; -1 where an image has none.
        names: A name for each image, unique in its data set.
    """

    images: Images
    labels: Targets
    names: Sequence[str]


@runtime_checkable
class GroundTruthObjects(Protocol):
    """The annotated objects of one image."""

    def of_class(self, target: int) -> Bool[Tensor, "*space"]:
        """Returns True where an object of the class is; nowhere where none of it is annotated."""
        ...


@dataclass(frozen=True)
class SaliencyMaps:
    """The result of a saliency method: a row for each image and each of its targets, the targets of an image together.

    Attributes:
        maps: Raw importance of each pixel, signed where the method is.
        standard_errors: Standard error of each value of ``maps``; None where the method draws nothing at random
            or runs a single chain.
        queries: Forward passes of the classifier behind each row; the targets of an image may share them.
        measures: Other numbers of each row that the method reports, by name.
    """

    maps: Float[Tensor, "row *space"]
    standard_errors: Float[Tensor, "row *space"] | None
    queries: Int[Tensor, " row"]
    measures: Mapping[str, Float[Tensor, " row"]] = field(default_factory=dict)


@dataclass(frozen=True)
class LatentSearchResult:
    """The latents that a latent search found, ``variant`` of them for each image of the batch.

    Attributes:
        latents: The latents ``z'``.
        images: What the generator paints from them, ``G(z')``, at the generator's resolution.
        contextual_losses: Mean absolute difference of ``G(z')`` and the image, weighted by the ring around the region.
        prior_losses: ``softplus(-D(G(z')))``: small where the discriminator finds the image real.
        steps: Gradient steps that were made for each image.
    """

    latents: Float[Tensor, "batch variant latent"]
    images: ImageSets
    contextual_losses: PerVariant
    prior_losses: PerVariant
    steps: Targets


@dataclass(frozen=True)
class Variants:
    """Repainted variants of each image, and what the classifier says of them.

    Attributes:
        images: The variants ``X'``.
        latents: The latents they were painted from.
        confidences: The classifier's score for the explained class.
        predictions: The class with the highest score.
        accepted: True where the prediction is the explained class.
        duplicate: True where a variant nearly equals an earlier one inside the region; it is counted nowhere.
        contextual_losses: How well the painted image continues into its surroundings; smaller is better.
        realism: The discriminator's score (a logit) of the variant; larger is more real.
        acceptance_rates: Accepted share of the variants that are no duplicates; NaN where the region is empty.
        mean_confidences: Mean ``confidences`` of the accepted ones; NaN where there is none.
        diversities: Mean pairwise root-mean-square distance inside the region among the accepted ones that are no
            duplicates, in the images' unit; NaN where there are fewer than two.
        steps: Gradient steps of the latent search.
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
        regions: The salient region in each method's map.
        flat: True for maps without contrast or with values that are not finite.
        ground_truth: True where an annotated object of the explained class is; None where nothing was annotated.
        metric_results: The metrics of each row, by method and metric.
        variants: The repainted variants of the first method's region; None where no generator was given.
        probe_results: What probes found out about each row's variants, by their names.
    """

    images: Images
    targets: Targets
    scores: Scores
    saliency: Mapping[str, SaliencyMaps]
    repeats: Mapping[SeededName, SaliencyMaps]
    regions: Mapping[str, Regions]
    flat: Mapping[str, Bool[Tensor, " batch"]]
    ground_truth: Regions | None
    metric_results: Mapping[str, Mapping[str, Sequence[MetricResult]]]
    variants: Variants | None
    probe_results: Mapping[str, Sequence[ProbeResult]]


@runtime_checkable
class Classifier(Protocol):
    """What a method may know of a classifier; every kind of classifier is brought to this face."""

    @property
    def class_names(self) -> Sequence[str]:
        """The name of each class, in the order of the scores."""
        ...

    @property
    def channels(self) -> int:
        """Channels that an image must have."""
        ...

    @property
    def input_size(self) -> tuple[int, ...]:
        """The size along each spatial dimension of the images it was made for; others are resized to it."""
        ...

    @property
    def mean(self) -> Tensor:
        """The mean colour of the images it was trained on, shaped to broadcast over a batch."""
        ...

    @property
    def network(self) -> nn.Module | None:
        """The network behind ``logits``, for methods that need its layers; None for a black box."""
        ...

    def scores(self, images: Images) -> Scores:
        """Returns class probabilities of images in ``[0, 1]``, without gradients."""
        ...

    def logits(self, images: Images) -> Scores:
        """Returns class scores before the softmax, differentiable with respect to the images."""
        ...


class SaliencyMethod(ABC):
    """A saliency method: a final, frozen dataclass whose fields are its settings; a call computes maps.

    Attributes:
        is_control: Whether it knows nothing of the classifier, so that others are compared with it.
    """

    is_control: ClassVar[bool] = False

    @property
    def is_stochastic(self) -> bool:
        """Whether the maps depend on a field ``seed``."""
        return False

    @abstractmethod
    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns the maps of ``images`` for the classes ``targets``, a row for each image and target."""


@runtime_checkable
class Generator(Protocol):
    """A network that paints images from latents; how it was trained does not matter."""

    @property
    def latent_dim(self) -> int:
        """Length of a latent."""
        ...

    @property
    def latent_distribution(self) -> LatentDistribution:
        """The distribution of the latents that it was trained on: N(0, 1), or U(-1, 1)."""
        ...

    @property
    def channels(self) -> int:
        """Channels of its images."""
        ...

    @property
    def output_size(self) -> tuple[int, ...]:
        """Size of its images along each spatial dimension."""
        ...

    @property
    def training(self) -> bool:
        """Whether it is in training mode, in which it must not be searched."""
        ...

    def __call__(self, latents: Latents) -> Images:
        """Returns the images of latents, in ``[0, 1]``, differentiable."""
        ...

    def sample_latents(self, count: int, rng: torch.Generator) -> Latents:
        """Draws latents from the distribution that it was trained on, on ``rng``'s device."""
        ...


@runtime_checkable
class Discriminator(Protocol):
    """A network that tells real images from painted ones."""

    @property
    def channels(self) -> int:
        """Channels that an image must have."""
        ...

    @property
    def input_size(self) -> tuple[int, ...]:
        """Size of the images that it takes, along each spatial dimension."""
        ...

    @property
    def training(self) -> bool:
        """Whether it is in training mode, in which it must not be asked."""
        ...

    def __call__(self, images: Images) -> Float[Tensor, " batch"]:
        """Returns a logit for each image in ``[0, 1]``, differentiable: larger is more real."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """A network that guesses from what surrounds a region which latents could continue the image."""

    @property
    def training(self) -> bool:
        """Whether it is in training mode, in which it must not be asked."""
        ...

    def guesses(
        self, images: Images, regions: Regions, count: int, rng: torch.Generator
    ) -> Float[Tensor, "batch guess latent"]:
        """Draws ``count`` latents for each image; what lies inside its region is not seen."""
        ...
