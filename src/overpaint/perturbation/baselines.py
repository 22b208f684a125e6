"""What stands where an image is masked."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from overpaint.errors import OverpaintError
from overpaint.perturbation.randomness import image_rng
from overpaint.types import Classifier

Image = Float[Tensor, "channel *space"]

BaselineWord = Literal["mean", "blur", "black", "noise"]
BASELINE_WORDS: tuple[str, ...] = get_args(BaselineWord)

Baseline = BaselineWord | Float[Tensor, "..."]
"""``mean``: the mean colour of the classifier's training images (the 0 of its normalised input, as in RISE's code);
``blur``: the image, smoothed by a Gaussian whose standard deviation is a twentieth of each side; ``black``; ``noise``:
uniform, one draw for an image; or a given image in ``[0, 1]``."""

BLUR = 0.05
"""Standard deviation of the Gaussian, as a share of the image's side."""


def baseline_image(baseline: Baseline | str, classifier: Classifier, image: Image, seed: int) -> Image:
    """Returns what is seen where ``image`` is masked, in its shape.

    Raises:
        OverpaintError: If ``baseline`` is no such word, or an image of another shape.
    """
    if isinstance(baseline, Tensor):
        if baseline.shape != image.shape:
            raise OverpaintError(
                f"the baseline is an image of shape {tuple(baseline.shape)}, but the images have {tuple(image.shape)}"
            )
        return baseline.to(image)
    if baseline == "black":
        return torch.zeros_like(image)
    if baseline == "mean":
        return classifier.mean.to(image)[0].expand_as(image)
    if baseline == "blur":
        return _blurred(image)
    if baseline == "noise":
        return torch.rand(image.shape, generator=image_rng(image, seed, "baseline")).to(image)
    raise OverpaintError(f"baseline={baseline} is none of {', '.join(BASELINE_WORDS)}, nor an image")


def _blurred(image: Image) -> Image:
    """Smooths each axis by a Gaussian, the border repeated."""
    for axis in range(1, image.ndim):
        deviation = BLUR * image.shape[axis]
        reach = min(round(3 * deviation), image.shape[axis] - 1)
        place = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
        kernel = torch.softmax(-0.5 * (place / deviation).square(), dim=0)
        lines = image.movedim(axis, -1)
        padded = F.pad(lines.reshape(1, -1, lines.shape[-1]), (reach, reach), mode="replicate")[0]
        smooth = F.conv1d(padded[:, None], kernel[None, None])[:, 0]
        image = smooth.reshape(lines.shape).movedim(-1, axis)
    return image
