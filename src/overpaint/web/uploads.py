"""Images and series as visitors bring them, read at the classifier's size; what can't be read is said in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from overpaint.api.images import as_images
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.data.files.values import PictureOptions
from overpaint.data.series.content import Case
from overpaint.data.series.pattern import fitted_series, read_cases

MEGAPIXELS = 64.0
"""Larger uploads are refused."""


def read_picture(path: Path, name: str, classifier: Classifier) -> Float[Tensor, "1 channel height width"]:
    """Reads an uploaded picture.

    Args:
        path: Where it lies.
        name: What the visitor calls it.
        classifier: Whose size and channels it gets.

    Raises:
        OverpaintError: If it is no image that can be read, or a too large one.
    """
    with _called(path, name):
        given = as_images(path, 2, "crop", PictureOptions.of("auto", MEGAPIXELS, ""), classifier.channels)
        return given.load(classifier.input_size, classifier.channels)


def read_series_file(path: Path, name: str) -> dict[str, Case]:
    """Reads the series of an uploaded file, by their names.

    Raises:
        OverpaintError: If it is no file of series that can be read.
    """
    with _called(path, name):
        return {Path(name).stem + own.removeprefix(path.stem): case for own, case in read_cases(path).items()}


def fit_series(case: Case, name: str, classifier: Classifier) -> Float[Tensor, "1 channel length"]:
    """Returns a series at a classifier's length, in its own units.

    Raises:
        OverpaintError: If it has other channels, or one without any value.
    """
    return fitted_series({name: case}, classifier.input_size[0], classifier.channels)


@contextmanager
def _called(path: Path, name: str) -> Iterator[None]:
    """Within it errors call a file as the visitor does."""
    try:
        yield
    except (OverpaintError, OSError, ValueError) as error:
        said = str(error).replace(str(path), name).replace(path.name, name)
        raise OverpaintError(said) from error
