"""Baselines: the values of masked pixels."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from overpaint.core.choices import BASELINE_WORDS, BaselineWord
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.core.rng import image_rng
from overpaint.core.types import Images
from overpaint.core.value_range import is_series

Image = Float[Tensor, "channel *space"]

Baseline = BaselineWord | Float[Tensor, "..."]
"""``mean``: the mean colour of the classifier's training images (the 0 of its normalised input, as in RISE's code);
``blur``: the image, smoothed by a Gaussian whose standard deviation is a twentieth of each side; ``black``; ``noise``:
uniform, one draw for an image; ``rise_blur``: the image, smoothed as where RISE's insertion starts, over 11 pixels
whatever its size; ``linear``, for series: the straight line across what a mask hides; ``auto``: ``linear`` for series,
``mean`` for all else; or a given image in ``[0, 1]``, or another series."""

BLUR = 0.05
"""Standard deviation of the Gaussian, as a share of the image's side."""

RISE_WIDTH, RISE_DEVIATION = 11, 5
"""Pixels of RISE's kernel along each axis, and the standard deviation of the Gaussian that it is made with."""


@dataclass(frozen=True)
class LineAcross:
    """The straight line from what a mask keeps before a hole to what it keeps behind it.

    Places that a mask keeps by at least half are the line's ends. A hole at the end of a series has the value of its
    one end; where nothing is kept there is ``empty``.

    Attributes:
        series: The series.
        empty: What is seen where nothing is kept.
    """

    series: Float[Tensor, "channel length"]
    empty: Float[Tensor, "channel length"]

    def under(self, masks: Float[Tensor, "query some length"]) -> Float[Tensor, "query channel length"]:
        """Returns what is seen where each mask, of each channel or of all together, is 0."""
        length = masks.shape[-1]
        kept, places = masks >= 0.5, torch.arange(length, dtype=torch.int32, device=masks.device).expand(masks.shape)
        before = torch.where(kept, places, -1).cummax(-1).values
        behind = torch.where(kept, places, length).flip(-1).cummin(-1).values.flip(-1)
        left = torch.where(before < 0, behind, before).clamp(max=length - 1)
        right = torch.where(behind == length, left, behind)
        share = ((places - left) / (right - left).clamp(min=1)).to(self.series)
        series = self.series.expand(len(masks), *self.series.shape)
        ends = [series.gather(-1, place.long().expand(series.shape)) for place in (left, right)]
        return torch.where(kept.any(-1, keepdim=True), torch.lerp(ends[0], ends[1], share), self.empty)


Fill = Image | LineAcross
"""What is seen where a mask is 0, the same under all masks or by the mask."""


def fill_of(baseline: Baseline | str, classifier: Classifier, image: Image, seed: int) -> Fill:
    """Returns what is seen where masks hide ``image``.

    Raises:
        OverpaintError: As `baseline_image`, or if ``linear`` is to cross holes in pictures.
    """
    if isinstance(baseline, str) and baseline == "auto" and is_series(image.shape[1:]):
        baseline = "linear"
    if not isinstance(baseline, str) or baseline != "linear":
        return baseline_image(baseline, classifier, image, seed)
    if not is_series(image.shape[1:]):
        raise OverpaintError("baseline=linear draws a line across a hole in a series; for images take mean or blur")
    return LineAcross(image, baseline_image("mean", classifier, image, seed))


def masked(
    image: Image, fill: Fill, masks: Float[Tensor, "query *masked"], out: Images | None = None
) -> Float[Tensor, "query channel *space"]:
    """Returns ``b + M ⊙ (x - b)`` for each mask ``M``, with the fill ``b``; written into ``out`` if it is given.

    A mask has the image's axes; without that of the channels, it is the same for all of them.
    """
    each = masks if masks.ndim > image.ndim else masks[:, None]
    shown = fill.under(each) if isinstance(fill, LineAcross) else fill
    return torch.lerp(shown, image, each, out=out)


def baseline_image(baseline: Baseline | str, classifier: Classifier, image: Image, seed: int) -> Image:
    """Returns the one image that is seen where ``image`` is masked whatever the mask, in its shape.

    There ``auto`` is ``mean`` for series too.

    Raises:
        OverpaintError: If ``baseline`` is no such word, or an image of another shape; or ``linear``, which needs masks.
    """
    if isinstance(baseline, Tensor):
        if baseline.shape != image.shape:
            raise OverpaintError(
                f"the baseline is an image of shape {tuple(baseline.shape)}, but the images have {tuple(image.shape)}"
            )
        return baseline.to(image)
    if baseline == "black":
        return torch.zeros_like(image)
    if baseline in ("mean", "auto"):
        return classifier.mean.to(image)[0].expand_as(image)
    if baseline == "blur":
        return _blurred(image)
    if baseline == "rise_blur":
        return _rise_blurred(image, classifier.mean.to(image)[0])
    if baseline == "noise":
        return torch.rand(image.shape, generator=image_rng(image, seed, "baseline")).to(image)
    if baseline == "linear":
        raise OverpaintError(
            "baseline=linear draws a line across what a mask hides, and here nothing is masked; take mean, blur, "
            "black, noise or another series"
        )
    raise OverpaintError(f"baseline={baseline} is none of {', '.join(BASELINE_WORDS)}, nor an image")


def _blurred(image: Image) -> Image:
    """Smooths each axis by a Gaussian, the border repeated; torchvision's is for images alone and mirrors it."""
    for axis in range(1, image.ndim):
        deviation = BLUR * image.shape[axis]
        reach = min(round(3 * deviation), image.shape[axis] - 1)
        place = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
        image = _smoothed(image, axis, torch.softmax(-0.5 * (place / deviation).square(), dim=0), "replicate")
    return image


def _rise_blurred(image: Image, mean: Float[Tensor, "channel *ones"]) -> Image:
    """Smooths as RISE's public evaluation does, ``m + K * (x - m)`` with the mean colour ``m`` beyond the border.

    RISE pads the normalised image with 0, which is the mean colour here; the standard deviation that it was divided by
    cancels. Its kernel ``K`` is a single 1 amid 11 pixels a side, smoothed by scipy with a deviation of 5 and mirrored
    at the kernel's own border: it sums to 1, and is nearly a box. It is a product over the axes, and so is that of any
    number of dimensions here.
    """
    kernel = gaussian_filter1d(np.eye(RISE_WIDTH)[RISE_WIDTH // 2], RISE_DEVIATION)
    deviations = image - mean
    for axis in range(1, image.ndim):
        deviations = _smoothed(deviations, axis, torch.from_numpy(kernel).to(image), "constant")
    return mean + deviations


def _smoothed(
    image: Image, axis: int, kernel: Float[Tensor, " place"], padding: Literal["replicate", "constant"]
) -> Image:
    """Smooths one axis by a symmetric kernel of odd length; beyond the border lies its last pixel, or 0."""
    reach = len(kernel) // 2
    lines = image.movedim(axis, -1)
    padded = F.pad(lines.reshape(1, -1, lines.shape[-1]), (reach, reach), mode=padding)[0]
    smooth = F.conv1d(padded[:, None], kernel[None, None])[:, 0]
    return smooth.reshape(lines.shape).movedim(-1, axis)
