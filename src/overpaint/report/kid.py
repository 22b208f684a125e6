"""KID of the variants: their distance from real images."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.files import read_arrays
from overpaint.core.protocols import Classifier
from overpaint.training.generation_metrics import kernel_distance

COMPARED = 2000
"""Real images with which variants are compared at most."""

LEAST = 50
"""So many images are needed at least to compare what was painted into them with others."""


def variants_kid(
    explained: Sequence[Path], real: Callable[[], UInt8[Tensor, "real channel *space"]], classifier: Classifier
) -> float | None:
    """Returns KID of all different variants and real images, in the features of the classifier.

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
    sets = (read_arrays(path / "variants.npz") for path in explained)
    painted = [torch.from_numpy(own["images"][~own["duplicate"]]) for own in sets]
    return kernel_distance(
        (images[:COMPARED] / 255).to(classifier.mean), torch.cat(painted).to(classifier.mean), classifier
    )
