"""The trial of a classifier when it is opened: its passes, its number of classes, its repeatability."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.classifiers.answers import AnswerForm, as_matrix, as_numbers, find_output, picked
from overpaint.classifiers.options import ClassifierOptions
from overpaint.classifiers.output import answered
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.sizes import format_size

FIXED_ROWS = (*range(2, 17), 32, 64)
"""Sizes of a batch that are tried for classifiers that take neither one image nor any number."""

TOGETHER = 3
"""Images of the batch in which an image's output must be that of the image alone."""

REPEAT_TOLERANCE = 1e-4
"""How far two outputs for one image may lie apart, as a share of the outputs' range: atomic sums of a GPU do 1e-6."""

BATCH_TOLERANCE = 1e-3
"""The same for an image alone and in a batch, whose sums may be made in another order, in float32."""

QUANTISED_TOLERANCE = 5e-2
"""The same for networks of 8-bit integers, whose scale may be that of the whole batch."""


@dataclass(frozen=True)
class Trial:
    """What was found when a classifier was tried.

    Attributes:
        form: How it is called.
        classes: How many classes it has; two of a binary one.
    """

    form: AnswerForm
    classes: int


@dataclass(frozen=True)
class Tried:
    """A classifier to be tried.

    Attributes:
        function: Takes inputs, which are normalised if the classifier is, returns anything.
        inputs: Inputs of several different images.
        options: What is said of it.
        rows: Images that it takes at a time where its source says it; None: to be found.
        known_classes: The number of classes where it is known.
        precision: Its precision.
        quantised: Whether it computes with 8-bit integers.
    """

    function: Callable[[Tensor], object]
    inputs: Float[Tensor, "image channel *space"]
    options: ClassifierOptions
    rows: int | None
    known_classes: int | None
    precision: torch.dtype = torch.float32
    quantised: bool = False


@torch.inference_mode()
def try_classifier(tried: Tried) -> Trial:
    """Shows a classifier a few images, and finds how it is called and how many classes it has.

    Raises:
        NumericalError: If it gives no finite number for any of them.
        OverpaintError: If it can't take the images, does not answer with scores, or answers differently when an image
            is shown again or beside others, unless ``classifier.allow_random`` permits it.
    """
    form, columns = _find_form(tried)
    if columns == 1:
        form = replace(form, binary=True)
    trial = Trial(form, max(columns, 2))
    _check_repeats(tried, trial)
    return trial


def _find_form(tried: Tried) -> tuple[AnswerForm, int]:
    """Returns how the classifier is called, and the numbers that it gives for an image."""
    if tried.rows is not None:
        return _form_of(tried, AnswerForm(tried.rows))
    failures: list[OverpaintError] = []
    for form in (AnswerForm(), AnswerForm(batched=False), *map(AnswerForm, FIXED_ROWS)):
        try:
            found, columns = _form_of(tried, form)
        except OverpaintError as error:
            failures.append(error)
            if error.__cause__ is None:  # it took the images, and did not answer with scores
                break
            continue
        if found.rows is None and found.batched and not _takes_several(tried, found, columns):
            found = replace(found, rows=1)
        return found, columns
    raise failures[0]


def _form_of(tried: Tried, form: AnswerForm) -> tuple[AnswerForm, int]:
    """Shows it one image in a form, and finds the scores in its answer.

    Raises:
        OverpaintError: With a cause if it raised one; without if its answer holds no scores.
    """
    options, rows = tried.options, form.rows or 1
    one = tried.inputs[2]
    try:
        answer = tried.function(one.expand(rows, *one.shape).contiguous() if form.batched else one)
    except Exception as error:  # someone else's code
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise OverpaintError(
            f"classifier={options.source} can't take images of {format_size(tuple(one.shape[1:]))} pixels with "
            f"{len(one)} channels: {reason}"
        ) from error
    name = options.output_name
    if name is None:
        name = find_output(answer, rows, tried.known_classes, options.source)
    found = picked(answer, name)
    numbers = as_numbers(found)
    matrix = as_matrix(numbers, rows)
    if matrix is None:
        said = f"a {type(found).__name__}" if numbers is None else f"shape {tuple(numbers.shape)}"
        count = "one image" if rows == 1 else f"{rows} images"
        raise OverpaintError(
            f"classifier={options.source} answered {count} with {said}; it must give ({rows}, classes)"
        )
    return replace(form, output_name=name), matrix.shape[1]


def _takes_several(tried: Tried, form: AnswerForm, columns: int) -> bool:
    """Returns whether it answers a batch with a row for each image."""
    try:
        answer = tried.function(tried.inputs[2 : 2 + TOGETHER].contiguous())
        matrix = as_matrix(as_numbers(picked(answer, form.output_name)), TOGETHER)
    except Exception:  # someone else's code, which says so of a batch that it can't take
        return False
    return matrix is not None and matrix.shape[1] == columns


def _check_repeats(tried: Tried, trial: Trial) -> None:
    """Checks that an image's output is the same when it is shown again, and when it is shown beside others."""
    one, several = tried.inputs[2:3], tried.inputs[2 : 2 + TOGETHER]
    first, again, together = (
        trial.form.ask(tried.function, inputs.contiguous(), trial.classes).double() for inputs in (one, one, several)
    )
    answered(together)
    spread = float(torch.cat([first, together]).max() - torch.cat([first, together]).min())
    scale = max(spread, 1e-6 * float(first.abs().max()))
    by_time = float((first - again).abs().max())
    by_batch = float((first - together[:1]).abs().max())
    eps = max(torch.finfo(first_dtype).eps for first_dtype in (tried.precision, torch.float32))
    batch_tolerance = QUANTISED_TOLERANCE if tried.quantised else max(BATCH_TOLERANCE, 8 * eps)
    if by_time > max(REPEAT_TOLERANCE, 4 * eps) * scale:
        cause = (
            f"gives other outputs when the same image is shown again (they differ by {by_time:.2g}), as a network does "
            "that was exported in train mode, or in which dropout or noise is active"
        )
    elif by_batch > batch_tolerance * scale:
        cause = (
            f"gives other outputs for an image beside others than alone (they differ by {by_batch:.2g}), as a network "
            "does that was exported in train mode, in which batch normalisation uses the statistics of the batch"
        )
    else:
        return
    if not tried.options.allow_random:
        raise OverpaintError(
            f"classifier={tried.options.source} {cause}; export it in eval mode, or set classifier.allow_random=true "
            "to explain it as it is"
        )
    warnings.warn(
        f"classifier={tried.options.source} {cause}: maps average over its outputs and do not repeat",
        OverpaintWarning,
        stacklevel=2,
    )
