"""Baselines: the values of masked pixels."""

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

Image = Float[Tensor, "channel *space"]

Baseline = BaselineWord | Float[Tensor, "..."]
"""``mean``: the mean colour of the classifier's training images (the 0 of its normalised input, as in RISE's code);
``blur``: the image, smoothed by a Gaussian whose standard deviation is a twentieth of each side; ``black``; ``noise``:
uniform, one draw for an image; ``rise_blur``: the image, smoothed as where RISE's insertion starts, over 11 pixels
whatever its size; or a given image in ``[0, 1]``."""

BLUR = 0.05
"""Standard deviation of the Gaussian, as a share of the image's side."""

RISE_WIDTH, RISE_DEVIATION = 11, 5
"""Pixels of RISE's kernel along each axis, and the standard deviation of the Gaussian that it is made with."""


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
    if baseline == "rise_blur":
        return _rise_blurred(image, classifier.mean.to(image)[0])
    if baseline == "noise":
        return torch.rand(image.shape, generator=image_rng(image, seed, "baseline")).to(image)
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
