"""The image or series that is asked about, as the classifier sees it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.files import read_arrays
from overpaint.core.protocols import Classifier
from overpaint.core.scale import SeriesScale
from overpaint.core.sizes import format_size
from overpaint.pipeline.artifacts import SCALE


@dataclass(frozen=True)
class ChosenInput:
    """An image or a series, as the classifier sees it.

    Attributes:
        name: What it is called.
        file: The file that a command names for it; what is no file of the visitor's is downloaded under this name.
        pixels: The image in ``[0, 1]``, or the scaled series.
        scale: The units of a series; None: it is an image, or the units are unknown.
        values: A series in its units, or as it is where these are unknown; None: it is an image.
    """

    name: str
    file: str
    pixels: Float[Tensor, "1 channel *space"]
    scale: SeriesScale | None = None
    values: Float[Tensor, "1 channel length"] | None = None

    @property
    def size(self) -> tuple[int, ...]:
        """The size along each spatial dimension."""
        return tuple(self.pixels.shape[2:])

    @property
    def array(self) -> Float[np.ndarray, "channel *space"]:
        """The image or the series alone."""
        array: NDArray[np.float32] = self.pixels[0].cpu().numpy()
        return array

    def arrays(self, region: Bool[np.ndarray, "*space"] | None = None) -> dict[str, NDArray[np.generic]]:
        """Returns what the report's drawings take: the input, a region of it (None: an empty one), and the scale."""
        shaded = np.zeros(self.size, dtype=bool) if region is None else region
        units = {} if self.scale is None else {SCALE: np.array([self.scale.low, self.scale.high])}
        return {"image": self.array, "region": shaded, **units}

    def same_as(self, other: "ChosenInput | None") -> bool:
        """Returns whether it is the same image or series."""
        return other is not None and self.name == other.name and torch.equal(self.pixels, other.pixels)


def read_row(folder: Path, classifier: Classifier) -> Float[Tensor, "1 channel *space"]:
    """Reads the image, or the scaled series, of a row that was explained.

    Raises:
        OverpaintError: If it is not there, or of another size or other channels than the classifier's.
    """
    file = folder / "saliency.npz"
    try:
        pixels = torch.from_numpy(read_arrays(file)["image"])[None].float()
    except (OSError, KeyError, ValueError) as error:
        raise OverpaintError(f"{file} can't be read: {error}") from error
    if tuple(pixels.shape[1:]) != (classifier.channels, *classifier.input_size):
        raise OverpaintError(
            f"{folder.name} has {pixels.shape[1]} channels and the size {format_size(tuple(pixels.shape[2:]))}, but "
            f"the classifier takes {classifier.channels} and {format_size(classifier.input_size)}; choose the "
            "classifier of that run"
        )
    return pixels
