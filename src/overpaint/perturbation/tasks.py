"""What the engine is asked: a dialogue about one image, whoever leads it."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.types import Classifier, Images, SaliencyMaps
from overpaint.perturbation.baselines import baseline_image
from overpaint.perturbation.method import ImageMaps, MaskBatch, PerturbationMethod, TargetScores

Result = TypeVar("Result")


@runtime_checkable
class ImageBatch(Protocol):
    """Images to ask about that are no blend of the image and one baseline, made when they are needed."""

    def __len__(self) -> int:
        """Returns how many there are."""
        ...

    def images(self, rows: slice) -> Images:
        """Makes some of them."""
        ...


@dataclass(frozen=True)
class QueryTask(Generic[Result]):
    """A dialogue about one image.

    Attributes:
        image: The image.
        targets: The classes whose scores the dialogue is sent.
        fill: What is seen where a mask is 0.
        coroutine: Yields masks or pictures, is sent their scores, and returns its result.
        max_queries: How many it asks about at most.
    """

    image: Float[Tensor, "channel *space"]
    targets: Int[Tensor, " target"]
    fill: Float[Tensor, "channel *space"]
    coroutine: Generator[MaskBatch | ImageBatch, TargetScores, Result]
    max_queries: int


def render(query_task: QueryTask[Any], mask_batch: MaskBatch | ImageBatch, rows: slice, out: Images) -> None:
    """Writes what is to be asked about into ``out``: ``b + M ⊙ (x - b)``, or the pictures as they are."""
    if isinstance(mask_batch, ImageBatch):
        out.copy_(mask_batch.images(rows))
    else:
        torch.lerp(query_task.fill, query_task.image, mask_batch.masks(rows)[:, None], out=out)


def method_task(
    method: PerturbationMethod,
    classifier: Classifier,
    image: Float[Tensor, "channel *space"],
    targets: Int[Tensor, " target"],
) -> QueryTask[ImageMaps]:
    """Asks a method to explain an image."""
    return QueryTask(
        image,
        targets,
        baseline_image(method.baseline, classifier, image, method.seed),
        method.sample_masks(classifier, image, targets),
        method.max_queries(tuple(image.shape[1:]), len(targets)),
    )


def joined(results: Sequence[ImageMaps]) -> SaliencyMaps:
    """Joins a method's results for several images into rows."""
    errors = [r.standard_errors for r in results if r.standard_errors is not None]
    maps = torch.cat([r.maps for r in results])
    queries = [[r.queries] * len(r.maps) if isinstance(r.queries, int) else r.queries for r in results]
    spent = torch.tensor(list(chain.from_iterable(queries)), device=maps.device)
    return SaliencyMaps(maps, torch.cat(errors) if errors else None, spent)
