"""Query tasks of the engine: a coroutine about one image, of a method or a metric."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.protocols import Classifier
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images
from overpaint.perturbation.baselines import Fill, fill_of, masked
from overpaint.perturbation.method import ImageMaps, Interim, MaskBatch, PerturbationMethod, TargetScores

Result = TypeVar("Result")


class ImageBatch(ABC):
    """Images to score that are no blend of the image and one baseline, made when they are needed."""

    @abstractmethod
    def __len__(self) -> int:
        """Returns how many there are."""

    @abstractmethod
    def images(self, rows: slice) -> Images:
        """Makes some of them."""


@dataclass(frozen=True)
class QueryTask(Generic[Result]):
    """A coroutine about one image, with what its masks are applied to.

    Attributes:
        image: The image.
        targets: The classes whose scores the coroutine is sent.
        fill: The baseline: what is seen where a mask is 0.
        coroutine: Yields masks or pictures, is sent their scores, and returns its result.
        max_queries: How many masks or pictures it yields at most.
        watch: Sees what was found so far, and ends the coroutine by returning True; None: nobody does.
    """

    image: Float[Tensor, "channel *space"]
    targets: Int[Tensor, " target"]
    fill: Fill
    coroutine: Generator[MaskBatch | ImageBatch | Interim[Result], TargetScores, Result]
    max_queries: int
    watch: Callable[[Result], bool] | None = None


def render(query_task: QueryTask[Any], mask_batch: MaskBatch | ImageBatch, rows: slice, out: Images) -> None:
    """Writes the images of a query into ``out``: ``b + M ⊙ (x - b)``, or the pictures as they are."""
    if isinstance(mask_batch, ImageBatch):
        out.copy_(mask_batch.images(rows))
    else:
        masked(query_task.image, query_task.fill, mask_batch.masks(rows), out)


def method_task(
    method: PerturbationMethod,
    classifier: Classifier,
    image: Float[Tensor, "channel *space"],
    targets: Int[Tensor, " target"],
    watch: Callable[[ImageMaps], bool] | None = None,
) -> QueryTask[ImageMaps]:
    """Returns the task in which a method explains an image, watched as `QueryTask` says."""
    return QueryTask(
        image,
        targets,
        fill_of(method.baseline, classifier, image, method.seed),
        method.sample_masks(classifier, image, targets),
        method.max_queries(tuple(image.shape[1:]), len(targets)),
        watch,
    )


def concatenate_image_maps(results: Sequence[ImageMaps]) -> SaliencyMaps:
    """Concatenates a method's results for several images into rows."""
    maps = torch.cat([r.maps for r in results])
    queries = [[r.queries] * len(r.maps) if isinstance(r.queries, int) else r.queries for r in results]
    spent = torch.tensor(list(chain.from_iterable(queries)), device=maps.device)
    return SaliencyMaps(
        maps,
        concatenate_known([r.standard_errors for r in results]),
        spent,
        by_channel=concatenate_known([r.by_channel for r in results]),
        errors_by_channel=concatenate_known([r.errors_by_channel for r in results]),
    )


def concatenate_known(parts: Sequence[Tensor | None]) -> Tensor | None:
    """Concatenates values; None where one of them is not known."""
    known = [part for part in parts if part is not None]
    return torch.cat(known) if len(known) == len(parts) else None
