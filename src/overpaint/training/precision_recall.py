"""Improved precision and recall, density and coverage of sets of feature vectors, by nearest neighbours."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Vectors = Float[Tensor, "_ feature"]


def _distances(queries: Vectors, references: Vectors) -> Float[Tensor, "query reference"]:
    """Returns Euclidean distances; equal vectors have 0, which the faster way through a product does not give."""
    return torch.cdist(queries, references, compute_mode="donot_use_mm_for_euclid_dist")


def neighbour_radii(vectors: Vectors, neighbours: int) -> Float[Tensor, " vector"]:
    """Returns the distance from each vector to its nearest other ones' ``neighbours``-th; a set of fewer has fewer."""
    among = _distances(vectors, vectors)
    return among.kthvalue(1 + min(neighbours, len(vectors) - 1), dim=1).values  # the first is the vector itself


def fraction_inside(vectors: Vectors, references: Vectors, neighbours: int) -> float:
    """Returns the share of vectors that lie in the manifold of the references.

    The manifold is the union of the balls around the references, each as wide as the distance to its
    ``neighbours``-th nearest neighbour among them (Kynkäänniemi et al., 2019, equation 1).
    """
    inside = _distances(vectors, references) <= neighbour_radii(references, neighbours)
    return float(inside.any(1).double().mean())


def precision_and_recall(real: Vectors, samples: Vectors, neighbours: int = 3) -> tuple[float, float]:
    """Tells the quality of samples from their variety (Kynkäänniemi et al., 2019, equation 2).

    Args:
        real: Features of real images.
        samples: Features of samples; the larger set is cut to the size of the smaller, as the balls shrink with a
            set's size and the paper takes two of the same.
        neighbours: ``k``; 3 in the paper.

    Returns:
        Precision: the share of samples in the real manifold. Recall: the share of real images in the samples' manifold.
        Both are in [0, 1]; a generator that paints one good picture has precision 1 and recall near 0.
    """
    count = min(len(real), len(samples))
    real, samples = real[:count], samples[:count]
    return fraction_inside(samples, real, neighbours), fraction_inside(real, samples, neighbours)


def covered(real: Vectors, samples: Vectors, neighbours: int = 5) -> Bool[Tensor, " real"]:
    """Returns for each real image whether a sample lies in its ball; the mean is the coverage (Naeem et al., 2020).

    The ball of a real image is as wide as the distance to its ``k``-th nearest neighbour among the real ones. Where N
    real images and M samples have one distribution, a real image is covered with the probability (their Lemma 2)
    ``1 - (N-1)…(N-k) / ((M+N-1)…(M+N-k))``, about ``1 - 2^-k`` for M = N.

    Args:
        real: Features of real images.
        samples: Features of samples.
        neighbours: ``k``; 5 in the paper.
    """
    return (_distances(real, samples) <= neighbour_radii(real, neighbours)[:, None]).any(1)


def nearest(queries: Vectors, references: Iterable[Vectors]) -> tuple[Float[Tensor, " query"], Int[Tensor, " query"]]:
    """Finds the nearest reference of each query, on the device that the vectors are on.

    Args:
        queries: The vectors whose neighbours are sought.
        references: The references in parts, so that they need not be in memory together.

    Returns:
        The distances, and the indices among the references of all parts.
    """
    distances = torch.full((len(queries),), float("inf"), device=queries.device)
    indices = torch.zeros(len(queries), dtype=torch.long, device=queries.device)
    start = 0
    for part in references:
        # The product finds the neighbour fast; the distance is then taken without its rounding.
        candidates = torch.cdist(queries, part).argmin(1)
        found = (queries - part[candidates]).norm(dim=1)
        closer = found < distances
        distances, indices = torch.where(closer, found, distances), torch.where(closer, start + candidates, indices)
        start += len(part)
    return distances, indices


def memorization_ratio(samples: Float[Tensor, " sample"], held_out: Float[Tensor, " image"]) -> float:
    """Returns whether samples are nearer to the training images than images that the generator has never seen.

    ``median(samples) / median(held_out)``: near 0 the samples are copies of training images, at 1 they are as far
    from them as real images of the domain; NaN where the median held-out image is itself a copy.

    Args:
        samples: Distance from each sample to its nearest training image.
        held_out: Distance from each real held-out image to its nearest training image.
    """
    return float(samples.median() / held_out.median()) if float(held_out.median()) > 0 else float("nan")
