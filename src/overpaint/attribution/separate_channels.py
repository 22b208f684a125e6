"""Methods with gradients asked about one channel of a series after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from overpaint.core.decision import Decision
from overpaint.core.protocols import Classifier
from overpaint.core.results import SaliencyMaps
from overpaint.core.scale import SeriesScale
from overpaint.core.types import Images, Scores, TargetSets
from overpaint.perturbation.method import ImageMaps
from overpaint.perturbation.separate_channels import MethodOfChannels, joined_channels
from overpaint.perturbation.tasks import concatenate_image_maps


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
class SeparateAttributions(MethodOfChannels):
    """A method's maps of each channel: it explains the classifier of that channel, the others being the series' own.

    The map of a place is the sum over the channels. For the signed gradient this is the method's own map; of
    integrated gradients the path moves in one channel alone. A method's other measures are summed up, too.

    Attributes:
        method: The method.
    """

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps, and those of each channel."""
        found = [self._of_image(classifier, image, own[None]) for image, own in zip(images, targets, strict=True)]
        maps = concatenate_image_maps([joined_channels([_image_maps(each) for each in own]) for own in found])
        measures = {
            name: torch.cat([torch.stack([each.measures[name] for each in own]).sum(0) for own in found])
            for name in found[0][0].measures
        }
        return replace(maps, measures=measures)

    def _of_image(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: TargetSets
    ) -> list[SaliencyMaps]:
        """Explains each channel of an image."""
        channels = range(len(image))
        views = [ChannelClassifier(classifier, image, channel) for channel in channels]
        return [self.method(views[channel], image[None, channel : channel + 1], targets) for channel in channels]


def _image_maps(maps: SaliencyMaps) -> ImageMaps:
    """Returns the maps of a single image."""
    return ImageMaps(maps.maps, maps.standard_errors, maps.queries.tolist())
