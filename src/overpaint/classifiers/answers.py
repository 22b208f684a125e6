"""The form of a classifier's answers: its passes, and its scores among its outputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.classifiers.output import in_batches
from overpaint.core.errors import OverpaintError

PREFERRED = ("logits", "scores", "probabilities", "probs", "output", "out")
"""Names under which the scores are looked for first among several outputs."""


@runtime_checkable
class HasLogits(Protocol):
    """An output of several parts whose scores are its ``logits``, as those of Hugging Face and Inception."""

    @property
    def logits(self) -> Any:
        """The scores."""
        ...


@runtime_checkable
class HasFields(Protocol):
    """A tuple whose entries have names."""

    def _asdict(self) -> dict[Any, Any]:
        """Returns the entries by their names."""
        ...


@dataclass(frozen=True)
class AnswerForm:
    """How a classifier is called, and where the scores are in what it returns.

    Attributes:
        rows: Images that it takes at a time; None: any number.
        batched: Whether its input has a batch axis; without, it takes one image at a time.
        output_name: The name or the number of the scores among several outputs; None: it has one.
        binary: Whether it gives one number for an image, that of the second of two classes.
    """

    rows: int | None = None
    batched: bool = True
    output_name: str | int | None = None
    binary: bool = False

    def ask(
        self, function: Callable[[Tensor], object], inputs: Float[Tensor, "batch channel *space"], classes: int
    ) -> Float[Tensor, "batch column"]:
        """Returns what a classifier says of images: a column for each class, or a single one where it is binary.

        Args:
            function: The classifier.
            inputs: Its inputs.
            classes: The number of classes.

        Raises:
            OverpaintError: If its answer is not one number for each class and image.
        """
        columns = 1 if self.binary else classes
        if not self.batched:
            return torch.cat([self._columns(function(image), 1, columns) for image in inputs])
        return in_batches(lambda part: self._columns(function(part), len(part), columns), inputs, self.rows)

    def _columns(self, answer: object, images: int, columns: int) -> Tensor:
        found = picked(answer, self.output_name)
        numbers = as_numbers(found)
        if numbers is None:
            raise OverpaintError(
                f"the classifier answered with a {type(found).__name__}; one array of scores is needed"
            )
        matrix = as_matrix(numbers, images)
        if matrix is None or matrix.shape[1] != columns:
            raise OverpaintError(
                f"the classifier answered with shape {tuple(numbers.shape)} instead of {(images, columns)}"
            )
        return matrix


def picked(answer: object, name: str | int | None) -> object:
    """Returns the output of that name or number; without a name the ``logits`` of an answer that has them.

    Raises:
        OverpaintError: If there is none of that name.
    """
    if (
        name is None
    ):  # a tensor is told first: to look for its attributes takes as long as all else that is done with it
        return answer.logits if not isinstance(answer, Tensor) and isinstance(answer, HasLogits) else answer
    outputs = outputs_of(answer)
    for key in (name, str(name)):
        if key in outputs:
            return outputs[key]
    raise OverpaintError(f"classifier.output_name={name} is none of its outputs: {', '.join(map(str, outputs))}")


def outputs_of(answer: object) -> dict[str | int, object]:
    """Returns the outputs of an answer by their names, or by their numbers in a tuple; one output is number 0."""
    if isinstance(answer, Mapping):
        return dict(answer)
    if isinstance(answer, HasFields):
        return answer._asdict()
    if isinstance(answer, tuple):
        return dict(enumerate(answer))
    if isinstance(answer, list) and as_numbers(answer) is None:
        return dict(enumerate(answer))
    if isinstance(answer, HasLogits):
        return {name: value for name, value in vars(answer).items() if not name.startswith("_")}
    return {0: answer}


def as_numbers(value: object) -> Tensor | None:
    """Returns an array of numbers as a tensor: a tensor, an array, nested lists, or a dictionary of scores an image.

    The last is what converters of scikit-learn's models make. None for anything else.
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        value = [list(row.values()) for row in value]
    if isinstance(value, list) and any(isinstance(row, Tensor) for row in value):
        value = [row.detach().cpu().numpy() if isinstance(row, Tensor) else row for row in value]
    if not isinstance(value, np.ndarray | np.generic | list | int | float):
        return None
    try:
        array = np.asarray(value)
    except ValueError:  # ragged rows
        return None
    if array.dtype.kind not in "fiu":
        return None
    return torch.from_numpy(np.ascontiguousarray(array if array.dtype.kind == "f" else array.astype(np.float32)))


def as_matrix(numbers: Tensor | None, images: int) -> Float[Tensor, "image column"] | None:
    """Returns the numbers as a row for each image; axes of length 1 may be missing or too many.

    So ``(n, C, 1, 1)`` is ``(n, C)``, ``(n,)`` is ``(n, 1)``, and ``(C,)`` of a single image ``(1, C)``. None for any
    other shape, and for what are no numbers.
    """
    if numbers is None or not images or numbers.numel() == 0 or numbers.numel() % images:
        return None
    columns = numbers.numel() // images
    if [side for side in numbers.shape if side != 1] != [side for side in (images, columns) if side != 1]:
        return None
    return numbers if numbers.shape == (images, columns) else numbers.reshape(images, columns)


def find_output(answer: object, images: int, classes: int | None, source: str) -> str | int | None:
    """Finds the scores in the answer to some images.

    Args:
        answer: The answer.
        images: How many images it is about.
        classes: The number of classes where it is known.
        source: The classifier, for errors.

    Returns:
        The name of the output that holds them; None: the answer is the scores.

    Raises:
        OverpaintError: If several outputs could be the scores, or none.
    """
    if as_numbers(picked(answer, None)) is not None:
        return None
    outputs = outputs_of(answer)
    shapes = {name: _columns_of(value, images) for name, value in outputs.items()}
    fitting = [name for name, columns in shapes.items() if _may_be(columns, classes)]
    fitting = [name for name in fitting if shapes[name] > 1] or fitting
    preferred = [name for name in PREFERRED if name in fitting]
    if len(fitting) == 1 or preferred:
        return preferred[0] if preferred else fitting[0]
    said = ", ".join(f"{name} {_shape(value)}" for name, value in outputs.items())
    if fitting:
        raise OverpaintError(
            f"classifier={source} returns several outputs that could be its scores ({said}); name one of them by "
            "classifier.output_name"
        )
    raise OverpaintError(
        f"classifier={source} answered {_count(images)} with a {type(answer).__name__} ({said}), none of which holds "
        "a score for each class"
    )


def _may_be(columns: int, classes: int | None) -> bool:
    """Returns whether so many numbers an image can be the scores of so many classes; one number those of two."""
    return columns > 0 and (classes is None or columns == classes or (columns == 1 and classes <= 2))


def _columns_of(value: object, images: int) -> int:
    """Returns how many scores an image has in an output; 0 where it can't hold scores, such as labels."""
    if isinstance(value, Tensor) and not value.is_floating_point():
        return 0
    if isinstance(value, np.ndarray) and value.dtype.kind != "f":
        return 0
    matrix = as_matrix(as_numbers(value), images)
    return 0 if matrix is None else matrix.shape[1]


def _shape(value: object) -> str:
    numbers = as_numbers(value)
    return type(value).__name__ if numbers is None else str(tuple(numbers.shape))


def _count(images: int) -> str:
    return "one image" if images == 1 else f"{images} images"
