"""A classifier's input and output: their checks, and the output as scores or logits."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.checks import check_finite
from overpaint.core.choices import OutputOption
from overpaint.core.decision import Decision
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.memory import FLOAT, check_memory
from overpaint.core.resize import resize
from overpaint.core.sizes import format_size
from overpaint.core.types import Images, Scores

Output = Literal["logits", "probabilities", "sigmoid", "multilabel_probabilities"]
"""The kind of a classifier's output: logits of a softmax; probabilities that sum to 1; logits of a sigmoid for each
class; probabilities of each class on its own."""

GAVE_A_SCORE = "the classifier gave a score"
"""The start of what is said of a score that is not finite."""

MULTI_LABEL = ("sigmoid", "multilabel_probabilities")
"""The kinds in which each class is a question of its own."""

TOLERANCE = 1e-3
"""How far a row of float32 probabilities may be from a sum of 1; in other precisions some units in the last place."""

SMALLEST = 1e-12
"""Probabilities below this are taken as this where their logarithm is needed."""


def decision_of(output: Output, threshold: float | None) -> Decision:
    """Returns the rule by which scores of a kind become an answer; 0.5 where each class is a question of its own."""
    multi_label = output in MULTI_LABEL
    return Decision(multi_label, 0.5 if multi_label and threshold is None else threshold)


def resize_to_input(images: Images, channels: int, input_size: Sequence[int]) -> Float[Tensor, "batch channel *size"]:
    """Resizes images or series to the classifier's size; each axis changes on its own, nothing is cropped.

    Raises:
        OverpaintError: If they have another number of channels or spatial dimensions.
    """
    if images.shape[1] != channels:
        raise OverpaintError(f"the classifier takes {channels} channels, but the images have {images.shape[1]}")
    return resize(images, input_size)


def standardise(
    images: Float[Tensor, "batch channel *space"], mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "batch channel *space"]:
    """Returns ``(images - mean) / std``, with a mean and a standard deviation for each channel, in float32."""
    shape = (1, -1, *[1] * (images.ndim - 2))
    centre, spread = (torch.tensor(list(values), device=images.device).reshape(shape) for values in (mean, std))
    return (images - centre) / spread


def as_scores(answer: Float[Tensor, "batch column"], output: Output) -> Scores:
    """Turns a classifier's output into scores in ``[0, 1]``.

    Args:
        answer: A column for each class; or a single one, that of the second of two classes: a logit ``z`` gives the
            scores ``[1 - p, p]`` with ``p = sigmoid(z)``, a probability is ``p``.
        output: Its kind.

    Raises:
        NumericalError: If a number is not finite.
        OverpaintError: If the rows are said to be probabilities and are not.
    """
    tolerance = sum_tolerance(answer.dtype)
    answer = _two_columns(answer.float(), output)
    check_finite(answer, GAVE_A_SCORE)
    if output == "logits":
        return answer.softmax(1)
    if output == "sigmoid":
        return answer.sigmoid()
    if output == "multilabel_probabilities":
        if not in_unit_range(answer):
            raise OverpaintError(
                f"the classifier's scores are no probabilities: they reach from {float(answer.min()):.4g} to "
                f"{float(answer.max()):.4g}; classifier.output=logits or sigmoid takes them as logits"
            )
        return answer
    if not are_probabilities(answer, tolerance):
        row = answer[(answer.sum(1) - 1).abs().argmax()]
        raise OverpaintError(
            f"the classifier's scores are no probabilities: a row has the sum {float(row.sum()):.4g} and the smallest "
            f"score {float(answer.min()):.4g}; classifier.output=logits takes them as logits, and sigmoid as those of "
            "classes that do not exclude each other"
        )
    return answer


def as_logits(answer: Float[Tensor, "batch column"], output: Output) -> Scores:
    """Turns a classifier's output into logits, differentiable: ``log p`` of probabilities that sum to 1.

    Where each class has a probability of its own it is ``log(p / (1 - p))``.

    Raises:
        NumericalError: If a number is not finite.
    """
    check_finite(answer, GAVE_A_SCORE)
    if output in ("logits", "sigmoid"):
        return _two_columns(answer, output)
    if output == "multilabel_probabilities":
        return answer.logit(1e-7)
    return _two_columns(answer, output).clamp(min=SMALLEST).log()


def _two_columns(answer: Float[Tensor, "batch column"], output: Output) -> Scores:
    """Returns two columns of a single one: ``[0, z]`` of logits, ``[1 - p, p]`` of probabilities."""
    if answer.shape[1] > 1:
        return answer
    return torch.cat([torch.zeros_like(answer) if output in ("logits", "sigmoid") else 1 - answer, answer], dim=1)


def sum_tolerance(dtype: torch.dtype) -> float:
    """Returns how far a row of probabilities may be from a sum of 1 in a precision."""
    return max(TOLERANCE, 8 * torch.finfo(dtype).eps) if dtype.is_floating_point else TOLERANCE


def in_unit_range(answer: Scores) -> bool:
    """Returns whether every number lies in ``[0, 1]``."""
    return bool(((answer >= 0) & (answer <= 1)).all())


def are_probabilities(answer: Scores, tolerance: float = TOLERANCE) -> bool:
    """Returns whether no number is negative and each row's sum is 1, but for a tolerance."""
    return bool((answer >= 0).all()) and bool(((answer.sum(1) - 1).abs() <= tolerance).all())


def probe_images(channels: int, input_size: Sequence[int]) -> Images:
    """Returns six different images that a classifier can be tried with: black, white, and four of noise."""
    check_memory(
        f"a classifier of images of {channels}x{format_size(input_size)}",
        6 * FLOAT * channels * math.prod(input_size),
    )
    rng = torch.Generator().manual_seed(0)
    noise = torch.rand(4, channels, *input_size, generator=rng)
    return torch.cat([torch.zeros_like(noise[:1]), torch.ones_like(noise[:1]), noise])


def output_kind(
    given: OutputOption | Output,
    ask: Callable[[Images], Float[Tensor, "batch column"]],
    channels: int,
    input_size: Sequence[int],
) -> Output:
    """Finds the kind of a classifier's output, or checks the kind that is given; a warning says what was assumed.

    Args:
        given: ``logits`` are those of a softmax, ``sigmoid`` those of each class on its own; both are believed.
            ``probabilities`` is checked: where all lie in ``[0, 1]`` and do not sum to 1, each class has its own.
            ``auto`` is decided by the outputs for `probe_images`: probabilities of either kind, else logits of a
            softmax. Logits of a multi-label network can't be told from those.
        ask: Returns the classifier's own output for images in ``[0, 1]``.
        channels: The channels of its images.
        input_size: Their size along each spatial dimension.

    Raises:
        NumericalError: If no image has finite outputs.
        OverpaintError: If a number is said to be a probability and is none.
    """
    if given in ("logits", "multilabel_probabilities"):
        return given
    with torch.inference_mode():
        answer = answered(ask(probe_images(channels, input_size)))
    kind = _kind(given, answer)
    as_scores(answer, kind)
    return kind


def answered(answer: Float[Tensor, "batch column"]) -> Float[Tensor, "answered column"]:
    """Returns the rows that are finite: a network may fail on a constant image, and be right for others.

    Raises:
        NumericalError: If no row is: then the network itself is broken, not an image.
    """
    finite = answer.isfinite().all(1)
    if not bool(finite.any()):
        check_finite(answer, "the classifier is broken, its weights or its input transform: it gave a score")
    return answer[finite]


def _kind(given: OutputOption | Output, answer: Float[Tensor, "batch column"]) -> Output:
    numbers, unit = answer.float(), in_unit_range(answer)
    if given == "sigmoid":
        if unit:
            _assumed(
                "its outputs lie in [0, 1], and classifier.output=sigmoid takes them as logits; if they are "
                "probabilities already, say classifier.output=probabilities"
            )
        return "logits" if answer.shape[1] == 1 else "sigmoid"
    if answer.shape[1] == 1:
        return "probabilities" if unit or given == "probabilities" else "logits"
    if are_probabilities(numbers, sum_tolerance(answer.dtype)):
        return "probabilities"
    if unit and not bool((numbers == numbers[0, 0]).all()):  # one number for all is an untrained last layer's
        _assumed(
            "its outputs lie in [0, 1] and do not sum to 1, so it is taken as multi-label: each class has a "
            "probability of its own (classifier.output=logits takes them as logits of a softmax)"
        )
        return "multilabel_probabilities"
    return "probabilities" if given == "probabilities" else "logits"


def _assumed(what: str) -> None:
    warnings.warn(f"classifier: {what}", OverpaintWarning, stacklevel=2)


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
