"""Pictures of a generator's samples: grids of images, or sheets of curves; what is drawn decides here alone."""

import io
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from overpaint.core.scale import SeriesScale
from overpaint.core.types import Images
from overpaint.core.value_range import is_series
from overpaint.report.plots.curve_sheets import curve_sheet, in_own_units
from overpaint.report.plots.images import enlarge, picture_grid, png
from overpaint.report.plots.neighbours import PAIRS, neighbour_pairs


@runtime_checkable
class SamplePictures(Protocol):
    """Draws samples; each method returns a PNG file's content."""

    def grid(self, samples: Images, columns: int = 8, least: int = 0) -> bytes:
        """Draws samples in rows, a picture of at least so many pixels where it is small."""
        ...

    def neighbours(self, samples: Images, beside: Images, distances: Float[Tensor, " sample"], title: str) -> bytes:
        """Draws samples with their nearest training images and the distances."""
        ...


class ImagePictures:
    """Draws images."""

    def grid(self, samples: Images, columns: int = 8, least: int = 0) -> bytes:
        """See `SamplePictures.grid`."""
        return png(enlarge(picture_grid(samples.float().cpu().numpy(), columns), least))

    def neighbours(self, samples: Images, beside: Images, distances: Float[Tensor, " sample"], title: str) -> bytes:
        """See `SamplePictures.neighbours`: each sample stands beside its training image."""
        left, right, far = (tensor.float().cpu().numpy() for tensor in (samples, beside, distances))
        return neighbour_pairs(left, right, far, f"samples (left) and their nearest training images, {title}")


class SeriesPictures:
    """Draws series in their own units.

    Args:
        scale: The units; None: they are not known.
    """

    def __init__(self, scale: SeriesScale | None) -> None:
        self.scale = scale

    def grid(self, samples: Images, columns: int = 8, least: int = 0) -> bytes:
        """See `SamplePictures.grid`."""
        return curve_sheet(in_own_units(samples.float().cpu(), self.scale).numpy(), columns)

    def neighbours(self, samples: Images, beside: Images, distances: Float[Tensor, " sample"], title: str) -> bytes:
        """See `SamplePictures.neighbours`: each training series is drawn in grey behind its sample."""
        own, others = (in_own_units(series.float().cpu(), self.scale).numpy() for series in (samples, beside))
        heading = f"samples and, in grey, their nearest training series, {title}"
        return curve_sheet(own, PAIRS, others, [f"{distance:.3g}" for distance in distances.tolist()], heading)


def as_image(content: bytes) -> Image.Image:
    """Opens a PNG file's content, for W&B."""
    return Image.open(io.BytesIO(content))


def sample_pictures(size: Sequence[int], scale: SeriesScale | None) -> SamplePictures:
    """Returns what draws samples of a size: images, or series of a scale."""
    return SeriesPictures(scale) if is_series(size) else ImagePictures()
