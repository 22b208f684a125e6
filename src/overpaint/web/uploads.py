"""Images as visitors bring them, read at the classifier's size; what can't be read is refused in a sentence."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.api.images import as_images
from overpaint.core.errors import OverpaintError
from overpaint.core.files import read_arrays
from overpaint.core.protocols import Classifier
from overpaint.data.files.values import PictureOptions

MEGAPIXELS = 64.0
"""Larger uploads are refused."""


@dataclass(frozen=True)
class ChosenImage:
    """An image, as the classifier sees it.

    Attributes:
        name: What it is called.
        file: The file that a command names for it; what is no file of the visitor's is downloaded under this name.
        pixels: The image.
    """

    name: str
    file: str
    pixels: Float[Tensor, "1 channel height width"]

    def same_as(self, other: "ChosenImage | None") -> bool:
        """Returns whether it is the same image."""
        return other is not None and self.name == other.name and torch.equal(self.pixels, other.pixels)


def read_upload(path: Path, name: str, classifier: Classifier) -> ChosenImage:
    """Reads an uploaded file.

    Raises:
        OverpaintError: If it is no image that can be read, or a too large one.
    """
    if len(classifier.input_size) != 2:
        raise OverpaintError("this classifier does not take pictures; the page shows pictures alone")
    try:
        given = as_images(path, 2, "crop", PictureOptions.of("auto", MEGAPIXELS, ""), classifier.channels)
        pixels = given.load(tuple(classifier.input_size), classifier.channels)
    except (OverpaintError, OSError, ValueError) as error:
        said = str(error).replace(str(path), name).replace(path.name, name)
        raise OverpaintError(said) from error
    return ChosenImage(Path(name).stem, name, pixels.to(classifier.mean.device))


def image_of_run(folder: Path, classifier: Classifier) -> ChosenImage:
    """Reads the image of a row that was explained.

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
            f"{folder.name} is an image of {tuple(pixels.shape[1:])} (channels, height, width), but the "
            f"classifier takes {(classifier.channels, *classifier.input_size)}; choose the classifier of that run"
        )
    return ChosenImage(folder.name, f"{folder.name}.png", pixels.to(classifier.mean.device))
