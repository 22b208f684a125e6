"""The protocols of the parts: classifier, saliency method, generator, discriminator, encoder.

Ranges and polarity are those of `overpaint.core.types`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from overpaint.core.choices import LatentDistribution
from overpaint.core.decision import Decision
from overpaint.core.results import SaliencyMaps
from overpaint.core.scale import SeriesScale
from overpaint.core.types import Images, Latents, Regions, Scores, TargetSets

Requirement = Literal["scores", "gradients", "relus", "layers"]
"""What a method needs of a classifier: its scores alone; gradients; gradients that ReLUs pass; layers of a network."""


@runtime_checkable
class Classifier(Protocol):
    """A classifier of images, whatever computes its scores."""

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
    def scale(self) -> SeriesScale | None:
        """The units of its series; None: it takes images, or the units are unknown."""
        ...

    @property
    def decision(self) -> Decision:
        """The rule by which scores become an answer."""
        ...

    @property
    def network(self) -> nn.Module | None:
        """The network behind ``logits``, for methods that need its layers; None for a black box."""
        ...

    def scores(self, images: Images) -> Scores:
        """Returns class probabilities of images in ``[0, 1]``, without gradients."""
        ...

    def logits(self, images: Images) -> Scores:
        """Returns class scores before the softmax or sigmoid, differentiable with respect to the images."""
        ...


@runtime_checkable
class CompilableClassifier(Classifier, Protocol):
    """A classifier that ``torch.compile`` can translate."""

    def compiled(self) -> Classifier:
        """Returns the same classifier, compiled."""
        ...


class SaliencyMethod(ABC):
    """A saliency method: a final, frozen dataclass whose fields are its settings; a call computes maps.

    Attributes:
        is_control: Whether it knows nothing of the classifier, so that others are compared with it.
    """

    is_control: ClassVar[bool] = False

    @property
    def requires(self) -> Requirement:
        """What of the classifier it needs."""
        return "scores"

    @property
    def is_stochastic(self) -> bool:
        """Whether the maps depend on a field ``seed``."""
        return False

    @property
    def pictures_only(self) -> bool:
        """Whether it can explain images and no series."""
        return False

    def numbers_kept(self, channels: int, size: Sequence[int]) -> int:
        """Returns how many numbers it keeps at once for a map, about: of settings that are far too large, too many.

        Args:
            channels: The image's channels.
            size: Its size along each spatial dimension.
        """
        return 0

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
        """Whether it is in training mode, in which it must not be used."""
        ...

    def __call__(self, images: Images) -> Float[Tensor, " batch"]:
        """Returns a logit for each image in ``[0, 1]``, differentiable: larger is more real."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """A network that draws latents for an image from what surrounds its region."""

    @property
    def training(self) -> bool:
        """Whether it is in training mode, in which it must not be used."""
        ...

    def guesses(
        self, images: Images, regions: Regions, count: int, rng: torch.Generator
    ) -> Float[Tensor, "batch guess latent"]:
        """Draws ``count`` latents for each image; what lies inside its region is not seen."""
        ...
