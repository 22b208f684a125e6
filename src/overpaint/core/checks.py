"""Checks of what a user hands in, made where it comes in."""

import math

from torch import Tensor

from overpaint.core.errors import NumericalError, OverpaintError

SLACK = 1e-4
"""By which a value may lie outside: interpolation rounds."""


def check_finite(values: Tensor, said: str) -> None:
    """Checks that what a part gave is finite.

    Args:
        values: A row for each image.
        said: Who gave what, such as ``the classifier gave a score``.

    Raises:
        NumericalError: If not; it says one of the values, and for how many of the images.
    """
    finite = values.detach().isfinite()
    if bool(finite.all()):
        return
    broken = int((~finite.reshape(len(finite), -1).all(1)).sum())
    value = float(values.detach()[~finite][0])
    shown = "NaN" if math.isnan(value) else "infinity" if value > 0 else "-infinity"
    raise NumericalError(f"{said} that is not a finite number ({shown}) for {broken} of {len(finite)} images")


def check_images(images: Tensor) -> None:
    """Checks that images are floats in ``[0, 1]``, as everywhere outside a network, or series finite floats.

    Raises:
        OverpaintError: If not; of images it says where they lie and what brings them there.
    """
    if not images.is_floating_point():
        raise OverpaintError(f"images must be floats in [0, 1], but these are {images.dtype}: use images.float() / 255")
    if images.numel() == 0:
        return
    if images.ndim == 3:
        if not bool(images.detach().isfinite().all()):
            raise OverpaintError("series must be finite, but these hold NaN or infinity: fill in what is missing")
        return
    low, high = (float(end) for end in images.detach().aminmax())
    if not (low >= -SLACK and high <= 1 + SLACK):  # also where a value is NaN
        advice = ""
        if -1 - SLACK <= low < -SLACK and high <= 1 + SLACK:
            advice = ": use (images + 1) / 2 if they come from [-1, 1]"
        elif low >= -SLACK and 1 + SLACK < high <= 255:
            advice = ": use images / 255 if they come from [0, 255]"
        raise OverpaintError(f"images must lie in [0, 1], but these go from {low:.4g} to {high:.4g}{advice}")


def check_dimensions(inputs: Tensor) -> None:
    """Checks that inputs are a batch of series or of images.

    Raises:
        OverpaintError: If they have another number of axes, as volumes have.
    """
    if inputs.ndim not in (3, 4):
        raise OverpaintError(
            f"the inputs have the shape {tuple(inputs.shape)}; series (batch, channel, length) and images (batch, "
            "channel, height, width) are explained, and nothing else is"
        )
