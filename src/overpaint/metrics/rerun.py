"""Runs a saliency method again for the rows of its maps."""

import torch
from jaxtyping import Int
from torch import Tensor

from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.types import Images, Maps, Targets
from overpaint.metrics.base import finite
from overpaint.perturbation.engine import Engine, compute_maps


def group_rows_by_image(images: Images) -> list[list[int]]:
    """Returns which rows show the same image; the targets of an image lie together."""
    groups = [[0]] if len(images) else []
    for row in range(1, len(images)):
        if torch.equal(images[row], images[row - 1]):
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def rerun_method(
    method: SaliencyMethod,
    classifier: Classifier,
    images: Images,
    targets: Targets,
    engine: Engine,
) -> tuple[Maps, Int[Tensor, " row"]]:
    """Explains rows, each image with all its targets together, since these may share queries.

    Args:
        method: The method.
        classifier: The classifier.
        images: The image of each row, the rows of an image together.
        targets: The class of each row.
        engine: Asks the queries.

    Returns:
        The map of each row, 0 where the method gives none that is finite, and the queries that each took.
    """
    groups = group_rows_by_image(images)
    maps = torch.zeros_like(images[:, 0], dtype=torch.float32)
    queries = torch.zeros_like(targets)
    for count in sorted({len(group) for group in groups}):  # a call takes as many targets of each image
        rows = torch.tensor([group for group in groups if len(group) == count], device=images.device)
        found = compute_maps(method, classifier, images[rows[:, 0]], targets[rows], engine)
        maps[rows.flatten()] = found.maps.float()
        queries[rows.flatten()] = found.queries.to(queries)
    return finite(maps), queries
