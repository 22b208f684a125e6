"""Methods with gradients asked about one channel of a series after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from overpaint.core.decision import Decision
from overpaint.core.protocols import Classifier, Requirement, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.scale import SeriesScale
from overpaint.core.types import Images, Scores, TargetSets


class ChannelClassifier:
    """A classifier of one channel: the others are those of a given image.

    Args:
        classifier: The classifier of all channels.
        image: The image that lends the others.
        channel: Which one it sees.
    """

    def __init__(self, classifier: Classifier, image: Float[Tensor, "channel *space"], channel: int) -> None:
        self.classifier, self.image, self.channel = classifier, image, channel
        self.class_names: Sequence[str] = classifier.class_names
        self.channels = 1
        self.input_size: tuple[int, ...] = classifier.input_size
        self.mean: Tensor = classifier.mean[:, channel : channel + 1]
        self.scale: SeriesScale | None = None
        self.decision: Decision = classifier.decision
        self.network: nn.Module | None = classifier.network

    def scores(self, images: Images) -> Scores:
        """See `Classifier.scores`."""
        return self.classifier.scores(self._whole(images))

    def logits(self, images: Images) -> Scores:
        """See `Classifier.logits`."""
        return self.classifier.logits(self._whole(images))

    def _whole(self, images: Float[Tensor, "batch 1 *space"]) -> Float[Tensor, "batch channel *space"]:
        """Returns images with all channels."""
        others = self.image.to(images).expand(len(images), *self.image.shape)
        return torch.cat([others[:, : self.channel], images, others[:, self.channel + 1 :]], dim=1)


@dataclass(frozen=True)
class SeparateAttributions(SaliencyMethod):
    """A method's maps of each channel: it explains the classifier of that channel, the others being the series' own.

    The map of a place is the sum over the channels. For the signed gradient this is the method's own map; of
    integrated gradients the path moves in one channel alone. A method's other measures are summed up, too.

    Attributes:
        method: The method.
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
        return self.method.numbers_kept(1, size)

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps, and those of each channel."""
        found = [self._of_image(classifier, image, own[None]) for image, own in zip(images, targets, strict=True)]
        maps = torch.cat([torch.stack([each.maps for each in of_image], dim=1) for of_image in found])
        errors = [
            torch.stack([each.standard_errors for each in of_image if each.standard_errors is not None], dim=1)
            for of_image in found
            if of_image[0].standard_errors is not None
        ]
        by_channel = torch.cat(errors) if errors else None
        measures = {
            name: torch.cat([torch.stack([each.measures[name] for each in of_image]).sum(0) for of_image in found])
            for name in found[0][0].measures
        }
        return SaliencyMaps(
            maps.sum(1),
            None if by_channel is None else by_channel.square().sum(1).sqrt(),
            torch.cat([torch.stack([each.queries for each in of_image]).sum(0) for of_image in found]),
            measures,
            maps,
            by_channel,
        )

    def _of_image(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: TargetSets
    ) -> list[SaliencyMaps]:
        """Explains each channel of an image."""
        channels = range(len(image))
        views = [ChannelClassifier(classifier, image, channel) for channel in channels]
        return [self.method(views[channel], image[None, channel : channel + 1], targets) for channel in channels]
