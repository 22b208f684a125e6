"""Names and shapes of the tensors that the parts exchange.

Ranges and polarity, everywhere outside a network:

- images are float in ``[0, 1]``; series are float, scaled so that most of them lies there, see
  `overpaint.core.scale.SeriesScale`;
- scores are class probabilities in ``[0, 1]``; each row sums to 1, except of multi-label classifiers;
- saliency maps are signed and raw, larger means more important;
- a region is True where the image is salient and will be repainted;
- ``*space`` is any number of spatial dimensions: ``height width`` for an image, ``length`` for a series.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

Images = Float[Tensor, "batch channel *space"]
Targets = Int[Tensor, " batch"]
TargetSets = Int[Tensor, "batch target"]
Scores = Float[Tensor, "batch class"]
Maps = Float[Tensor, "batch *space"]
Regions = Bool[Tensor, "batch *space"]
RingWeights = Float[Tensor, "batch *space"]
Latents = Float[Tensor, "batch latent"]

ImageSets = Float[Tensor, "batch variant channel *space"]  # several images for each image of a batch: its variants
StoredInputs = UInt8[Tensor, "stored channel *space"] | Float[Tensor, "stored channel *space"]
"""Inputs as they are kept: images as 0 to 255, series as floats; see `overpaint.core.value_range`."""

PerVariant = Float[Tensor, "batch variant"]


class Batch(NamedTuple):
    """A batch of a data loader.

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


class Stamp(NamedTuple):
    """What can be known of an image without reading it.

    Attributes:
        name: Its name.
        state: While it stays the same, so does the image: for a file its size and the time of its last change. Empty
            where nothing can be said.
        path: The file that it is; empty where it is none.
    """

    name: str
    state: str
    path: str = ""
