"""SmoothGrad (Smilkov, Thorat, Kim, Viégas & Wattenberg, 2017)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from overpaint.attribution.batches import even_batch_size, in_batches, input_gradients, rows_of
from overpaint.attribution.sign_reduction import Sign, reduce_sign
from overpaint.attribution.state import preserve_state
from overpaint.core.bounds import Count, NotNegative, Seed, Several
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.rng import image_rng
from overpaint.core.types import Images, TargetSets


@checked_settings
@dataclass(frozen=True)
class SmoothGrad(SaliencyMethod):
    """The gradient's mean over noisy copies of the image (section 2).

    ``(1/n) Σ_i g(x + ε_i)`` with ``ε_i ~ N(0, σ²)``.

    Deviation: the noise comes from the image's own random stream, not from the device's global one as in captum's
    NoiseTunnel (an oracle in the tests), so that a map does not depend on the batch or the device; and the samples
    give its standard error. With ``sign=absolute`` that is the error of the channel that attains the maximum.

    Attributes:
        samples: Noisy copies ``n``, at least 2.
        noise: ``σ``, as a share of the range of the image's own values, as in the paper (10 to 20 %).
        sign: ``absolute`` is ``max_c |.|``; ``signed`` sums the channels; ``positive`` keeps of that what is above 0.
        batch_size: Noisy images in one pass at most.
        seed: Seed of the noise.

    Raises:
        OverpaintError: If a setting is out of its range; at the call, if the classifier has no gradients, or under
            inference mode.
    """

    requires = "gradients"

    samples: Several = 50
    noise: NotNegative = 0.15
    sign: Sign = "absolute"
    batch_size: Count = 25
    seed: Seed = 0

    @property
    def is_stochastic(self) -> bool:
        """The noise is drawn at random."""
        return True

    def numbers_kept(self, channels: int, size: Sequence[int]) -> int:
        """See `SaliencyMethod`: the noise, the noisy images and their gradients."""
        return 3 * self.samples * channels * math.prod(size)

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps with their standard errors, ``samples`` forward and backward passes a row."""
        with preserve_state(classifier, "smooth_grad"):
            pairs = [self._map(classifier, x, t) for x, t in zip(*rows_of(images, targets), strict=True)]
        maps, errors = (torch.stack(values) for values in zip(*pairs, strict=True))
        return SaliencyMaps(maps, errors, torch.full_like(targets.flatten(), self.samples))

    def _map(self, classifier: Classifier, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the map of one image and its standard error."""
        rng = image_rng(image, self.seed, "smooth_grad")
        noise = torch.randn(self.samples, *image.shape, generator=rng).to(image)
        noisy = image + self.noise * (image.max() - image.min()) * noise
        batch_size = even_batch_size(
            self.samples, self.batch_size
        )  # so that little is computed to fill up the last pass
        gradients = in_batches(partial(input_gradients, classifier), noisy, target.expand(self.samples), batch_size)
        if self.sign != "absolute":
            gradients = gradients.sum(1, keepdim=True)
        errors, means = torch.std_mean(gradients, dim=0)
        strongest = means.abs().argmax(0, keepdim=True)
        chosen, error = (values.gather(0, strongest)[0] for values in (means, errors))
        return reduce_sign(chosen, self.sign), error / math.sqrt(self.samples)
