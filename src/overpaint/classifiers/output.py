"""Checks of a classifier's input and output, and its output as probabilities or logits."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.resize import resize
from overpaint.core.types import Images, Scores

Output = Literal["logits", "probabilities"]
"""What a network or function answers with."""

OutputOption = Literal["auto", "logits", "probabilities"]
"""What a user may say of that; ``auto`` finds out with `output_kind`."""

TOLERANCE = 1e-3
"""How far a row of probabilities may be from a sum of 1: half precision leaves some 5e-4."""

SMALLEST = 1e-12
"""Probabilities below this are taken as this where their logarithm is needed."""


def resize_to_input(images: Images, channels: int, input_size: Sequence[int]) -> Float[Tensor, "batch channel *size"]:
    """Resizes images or series to the classifier's size; each axis changes on its own, nothing is cropped.

    Raises:
        OverpaintError: If they have another number of channels or spatial dimensions.
    """
    if images.shape[1] != channels:
        raise OverpaintError(f"the classifier takes {channels} channels, but the images have {images.shape[1]}")
    return resize(images, input_size)


def validate_output(answer: object, images: int, classes: int) -> Scores:
    """Returns a classifier's answer if it has one number for each image and class.

    Raises:
        OverpaintError: If it is no tensor of that shape.
    """
    if not isinstance(answer, Tensor):
        raise OverpaintError(f"the classifier answered with a {type(answer).__name__}; one array of scores is needed")
    if tuple(answer.shape) != (images, classes):
        raise OverpaintError(f"the classifier answered with shape {tuple(answer.shape)} instead of {(images, classes)}")
    return answer


def as_scores(answer: Scores, output: Output) -> Scores:
    """Turns a classifier's answer into probabilities.

    Raises:
        OverpaintError: If a number is not finite, or the rows are said to be probabilities and are not.
    """
    answer = answer.float()
    scores = answer.softmax(1) if output == "logits" else answer
    if not bool(scores.isfinite().all()):
        raise OverpaintError("the classifier gave a score that is not a finite number")
    if output == "probabilities" and not are_probabilities(scores):
        row = scores[(scores.sum(1) - 1).abs().argmax()]
        raise OverpaintError(
            f"the classifier's scores are no probabilities: a row has the sum {float(row.sum()):.4g} and the smallest "
            f"score {float(scores.min()):.4g}; classifier.output=logits takes them as logits"
        )
    return scores


def as_logits(answer: Scores, output: Output) -> Scores:
    """Turns a classifier's answer into logits: for probabilities, their logarithm."""
    return answer if output == "logits" else answer.clamp(min=SMALLEST).log()


def are_probabilities(answer: Scores) -> bool:
    """Returns whether no number is negative and each row's sum is 1, but for `TOLERANCE`."""
    return bool((answer >= 0).all()) and bool(((answer.sum(1) - 1).abs() <= TOLERANCE).all())


def probe_images(channels: int, input_size: Sequence[int]) -> Images:
    """Returns six different images that a classifier can be tried with: black, white, and four of noise."""
    rng = torch.Generator().manual_seed(0)
    noise = torch.rand(4, channels, *input_size, generator=rng)
    return torch.cat([torch.zeros_like(noise[:1]), torch.ones_like(noise[:1]), noise])


def output_kind(
    given: OutputOption, ask: Callable[[Images], Scores], channels: int, input_size: Sequence[int]
) -> Output:
    """Finds out what a classifier answers with, or checks what is said of it.

    Args:
        given: ``logits`` is believed, ``probabilities`` is checked, ``auto`` is decided by the classifier's answers
            to `probe_images`: probabilities if all of them are, logits otherwise.
        ask: Returns the classifier's own answer to images in ``[0, 1]``.
        channels: The channels of its images.
        input_size: Their size along each spatial dimension.

    Raises:
        OverpaintError: If an answer has the wrong shape, is not finite, or is said to be probabilities and is not.
    """
    if given == "logits":
        return given
    with torch.inference_mode():
        answer = ask(probe_images(channels, input_size)).float()
    kind: Output = "probabilities" if given == "probabilities" or are_probabilities(answer) else "logits"
    as_scores(answer, kind)
    return kind


def in_batches(ask: Callable[[Tensor], Tensor], images: Images, rows: int | None) -> Tensor:
    """Asks a network that takes exactly ``rows`` images at a time; the last pass is filled up with its last image.

    Args:
        ask: The network.
        images: Any number of images.
        rows: Images of a pass; None takes all at once.
    """
    if rows is None:
        return ask(images)
    filled = torch.cat([images, images[-1:].expand(-len(images) % rows, *images.shape[1:])])
    return torch.cat([ask(part) for part in filled.split(rows)])[: len(images)]
