"""An animated picture that fades from an image to one of its variants."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from overpaint.report.plots.images import enlarge, picture_grid

FRAMES = 12
"""Steps of the way to the variant; the way back has as many."""

MILLISECONDS = 80
"""How long a step is shown."""


def morph(image: NDArray[np.floating[Any]], variant: NDArray[np.floating[Any]]) -> bytes:
    """Returns an animated PNG of three pictures side by side: the image, ``X + t (X' - X)``, and the variant.

    ``t`` goes from 0 to 1 and back, smoothly. The first frame, which is all that a viewer without animation shows, has
    ``t = 1/2``.

    Args:
        image: ``X``, channel x height x width in ``[0, 1]``.
        variant: ``X'``.
    """
    turns = np.arange(2 * FRAMES) / FRAMES * np.pi + np.pi / 2
    ways = 0.5 - 0.5 * np.cos(turns)
    pictures = [
        Image.fromarray(enlarge(picture_grid(np.stack([image, image + t * (variant - image), variant])), 384))
        for t in ways
    ]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, format="PNG", save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0, optimize=True
    )
    return buffer.getvalue()
