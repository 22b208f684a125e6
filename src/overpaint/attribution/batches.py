"""Runs rows of images through forward and backward passes of bounded size."""

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from captum.attr import Saliency
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.core.types import Images, Targets, TargetSets

Result = TypeVar("Result")


def rows_of(images: Images, targets: TargetSets) -> tuple[Float[Tensor, "row channel *space"], Int[Tensor, " row"]]:
    """Returns a row for each image and each of its targets, in full precision."""
    return images.float().repeat_interleave(targets.shape[1], dim=0), targets.flatten()


def with_halving(limit: int, attempt: Callable[[int], Result]) -> Result:
    """Calls ``attempt(limit)``; as long as the device has too little memory, again with half the limit.

    Raises:
        OverpaintError: If even a single row does not fit, or the limit is not positive.
    """
    _check_rows(limit)
    while True:
        try:
            return attempt(limit)
        except torch.OutOfMemoryError as error:
            if limit == 1:
                raise OverpaintError(
                    "the device has too little memory for the gradients of one image; use smaller images, a method "
                    "without gradients, or trainer.accelerator=cpu"
                ) from error
        # Outside of the except block, whose traceback would keep the failed pass's tensors.
        limit //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def even_batch_size(count: int, limit: int) -> int:
    """Returns the size of passes that share ``count`` rows nearly equally, ``limit`` at most."""
    _check_rows(limit)
    return math.ceil(count / math.ceil(count / limit))


def _check_rows(limit: int) -> None:
    if limit < 1:
        raise OverpaintError(f"rows={limit} must be at least 1")


def in_batches(
    compute: Callable[[Images, Targets], Float[Tensor, "row *rest"]], images: Images, targets: Targets, limit: int
) -> Float[Tensor, "rows *rest"]:
    """Computes rows, ``limit`` in a pass, fewer if the memory is too small.

    Every pass has the same number of rows (the last is filled up), since a network's arithmetic may differ in the last
    bit with the size of the batch: so a row does not depend on its neighbours.

    Args:
        compute: Takes the images and targets of a pass, returns a result for each.
        images: The image of each row.
        targets: The target of each row.
        limit: Rows in a pass.
    """

    def attempt(rows: int) -> Tensor:
        missing = -len(images) % rows
        filled = [torch.cat([v, v[-1:].expand(missing, *v.shape[1:])]) if missing else v for v in (images, targets)]
        passes = zip(*(values.split(rows) for values in filled), strict=True)
        return torch.cat([compute(*each) for each in passes])[: len(images)]

    return with_halving(limit, attempt)


def input_gradients(classifier: Classifier, images: Images, targets: Targets) -> Images:
    """Returns ``∂ logit_target / ∂ image`` of each row, for images in ``[0, 1]``; no parameter's gradient."""
    inputs = images.detach().clone().requires_grad_()
    gradients: Tensor = Saliency(classifier.logits).attribute(inputs, target=targets, abs=False)
    return gradients.detach()
