"""Kinds of variants: clusters of the accepted, classes of the flipped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

KINDS = 8
"""So many kinds of the accepted are shown, and so many pictures of the flipped."""


@dataclass(frozen=True)
class ShownVariant:
    """A variant that stands for others.

    Attributes:
        index: Which of the variants.
        share: Share of the different variants that it stands for.
        score: Its score of the explained class.
        answer: The class that it is taken for.
        members: The variants that it stands for, itself among them: those of its kind, or of its class.
    """

    index: int
    share: float
    score: float
    answer: str
    members: tuple[int, ...]


def accepted_kinds(
    image: NDArray[np.floating[Any]],
    region: NDArray[np.bool_],
    variants: Mapping[str, NDArray[Any]],
    class_names: Sequence[str],
    most: int = KINDS,
) -> list[ShownVariant]:
    """Returns one accepted variant of each kind, the most different from the image first; none of an empty region.

    Kinds are clusters by average linkage of the root-mean-square differences inside the region; one is shown by its
    medoid, the member nearest to the others.

    Args:
        image: The image.
        region: Its region.
        variants: ``images``, ``accepted``, ``duplicate``, ``confidences`` and ``predictions``.
        class_names: The classifier's.
        most: How many kinds there are at most.
    """
    counted = ~variants["duplicate"]
    chosen = np.flatnonzero(variants["accepted"] & counted)
    if not len(chosen) or not region.any():
        return []
    inside = variants["images"][chosen][:, :, region].reshape(len(chosen), -1).astype(np.float64)
    distances = squareform(pdist(inside)) if len(chosen) > 1 else np.zeros((1, 1))
    labels = fcluster(linkage(pdist(inside), "average"), most, "maxclust") if len(chosen) > 1 else np.ones(1, dtype=int)
    far = ((inside - image[:, region].reshape(-1)) ** 2).mean(1)
    medoids = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        medoid = members[int(distances[np.ix_(members, members)].sum(1).argmin())]
        medoids.append((int(medoid), members))
    medoids.sort(key=lambda pair: -far[pair[0]])
    return [
        ShownVariant(
            int(chosen[place]),
            len(members) / int(counted.sum()),
            float(variants["confidences"][chosen[place]]),
            class_names[int(variants["predictions"][chosen[place]])],
            tuple(chosen[members].tolist()),
        )
        for place, members in medoids
    ]


def flipped_by_class(
    variants: Mapping[str, NDArray[Any]], class_names: Sequence[str], most: int = KINDS
) -> list[ShownVariant]:
    """Returns flipped variants: one of each class, then a second one, and so on, the frequent classes first.

    Of a class those come first that have the least score of the explained class; those of a class stand together.

    Args:
        variants: As of `accepted_kinds`.
        class_names: The classifier's.
        most: How many variants there are at most.
    """
    counted = ~variants["duplicate"]
    chosen = np.flatnonzero(~variants["accepted"] & counted)
    chosen = chosen[np.argsort(variants["confidences"][chosen], kind="stable")]
    answers, counts = np.unique(variants["predictions"][chosen], return_counts=True)
    members = [chosen[variants["predictions"][chosen] == answer] for answer in answers]
    order = np.argsort(-counts, kind="stable")
    turns = sorted((turn, place) for place, i in enumerate(order) for turn in range(counts[i]))[:most]
    return [
        ShownVariant(
            int(members[order[place]][turn]),
            float(counts[order[place]] / counted.sum()),
            float(variants["confidences"][members[order[place]][turn]]),
            class_names[int(answers[order[place]])],
            tuple(members[order[place]].tolist()),
        )
        for place, turn in sorted((place, turn) for turn, place in turns)
    ]
