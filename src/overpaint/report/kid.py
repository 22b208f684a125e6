"""KID of the variants: their distance from real images."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.files import read_arrays
from overpaint.core.protocols import Classifier
from overpaint.core.types import StoredInputs
from overpaint.core.value_range import from_stored
from overpaint.report.spread import spread
from overpaint.training.generation_metrics import PASS, kernel_distance

COMPARED = 2000
"""Real images with which variants are compared at most."""

PAINTED, PAINTED_IMAGES = 8192, 1024
"""Variants that are compared at most, equally many of each image, and the images that they are of."""

LEAST = 50
"""So many images are needed at least to compare what was painted into them with others."""


def variants_kid(explained: Sequence[Path], real: Callable[[], StoredInputs], classifier: Classifier) -> float | None:
    """Returns KID of the different variants and real images, in the features of the classifier.

    The distance has no bias whatever the number of images, so of more than `PAINTED` variants some are enough: the
    first ones of each image, and of more than `PAINTED_IMAGES` images of so many, evenly over the run.

    Args:
        explained: The images' folders.
        real: Reads real images; not called where there are too few explained ones.
        classifier: The classifier.

    Returns:
        None for a black box, which has no features, and for the variants of fewer than `LEAST` images, which would
        differ from real images because they are few.
    """
    if not isinstance(classifier, NetworkClassifier) or len(explained) < LEAST or len(images := real()) < LEAST:
        return None
    parts = (from_stored(part).to(classifier.mean) for part in images[:COMPARED].split(PASS))
    return kernel_distance(parts, (part.to(classifier.mean) for part in _painted(explained)), classifier)


def _painted(explained: Sequence[Path]) -> Iterator[Float[Tensor, "variant channel *space"]]:
    """Yields the variants that are compared, about as many at a time as a pass has."""
    chosen = spread(explained, PAINTED_IMAGES)
    each = max(1, PAINTED // len(chosen))
    waiting: list[Tensor] = []
    for path in chosen:
        own = read_arrays(path / "variants.npz")
        waiting.append(torch.from_numpy(own["images"][np.flatnonzero(~own["duplicate"])[:each]]))
        if sum(map(len, waiting)) >= PASS:
            yield torch.cat(waiting)
            waiting = []
    if waiting:
        yield torch.cat(waiting)
