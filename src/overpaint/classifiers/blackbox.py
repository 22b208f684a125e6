"""A classifier that is a plain function: only its scores are known, it has no layers and no gradients."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from overpaint.classifiers.answers import AnswerForm
from overpaint.classifiers.output import Output, as_scores, decision_of, output_kind, resize_to_input, standardise
from overpaint.core.choices import OutputOption
from overpaint.core.errors import OverpaintError
from overpaint.core.scale import SeriesScale
from overpaint.core.sizes import as_size
from overpaint.core.types import Images, Scores

ScoreFunction = Callable[[NDArray[np.float32]], Any]
"""Takes images ``(batch, channel, height, width)`` in ``[0, 1]``, or series, returns scores ``(batch, class)``."""

GREY = 0.5
"""Each channel of the colour that is shown where an image is masked, if nothing is known of the training images."""


def normalised(function: ScoreFunction, mean: Sequence[float], std: Sequence[float]) -> ScoreFunction:
    """Returns ``function((images - mean) / std)``, for a function that takes normalised images."""

    def of_images(images: NDArray[np.float32]) -> Any:
        return function(standardise(torch.from_numpy(images), mean, std).numpy())

    return of_images


class CallableClassifier:
    """Any Python function from images to scores, on the CPU.

    Args:
        function: Takes a float32 array ``(batch, channel, height, width)`` in ``[0, 1]``, or ``(batch, channel,
            length)``, and returns logits or probabilities ``(batch, class)``, or as ``form`` says.
        class_names: The name of each class, in the order of the scores.
        input_size: Size of the images that the function takes, ``(height, width)`` or a square's side, or of its
            series, ``(length,)``; others are resized to it.
        channels: Their channels.
        mean: The mean of each channel, for images in ``[0, 1]``: the colour shown where an image is masked; None
            takes a middle grey.
        output: The kind of its output; ``auto`` asks it about six images.
        form: How it is called, and where the scores are in what it returns.
        threshold: See `Decision`; None: 0.5 where each class is a question of its own.
        kind: What it is, for messages: ``a function``, ``ONNX``, ``quantised``.
        scale: The units of its series, for drawing.

    Raises:
        OverpaintError: If ``mean`` has another number of channels, the function's answer to an image is not one number
            for each class, or it is not what ``output`` says.
    """

    network: nn.Module | None = None

    def __init__(
        self,
        function: ScoreFunction,
        class_names: Sequence[str],
        input_size: int | Sequence[int],
        channels: int,
        mean: Sequence[float] | None = None,
        output: OutputOption | Output = "auto",
        form: AnswerForm = AnswerForm(),  # noqa: B008 - it can't change
        threshold: float | None = None,
        kind: str = "a function",
        scale: SeriesScale | None = None,
    ) -> None:
        mean = [GREY] * channels if mean is None else list(mean)
        if len(mean) != channels:
            raise OverpaintError(f"mean={mean} must have one entry for each of the {channels} channels")
        self.function, self.form, self.kind, self.scale = function, form, kind, scale
        self.class_names = list(class_names)
        self.input_size, self.channels = as_size(input_size, None, "input_size"), channels
        self.mean = torch.tensor(mean).reshape(1, channels, *[1] * len(self.input_size))
        self.output: Output = output_kind(output, self.answers, channels, self.input_size)
        self.decision = decision_of(self.output, threshold)

    def answers(self, images: Images) -> Float[Tensor, "batch column"]:
        """Returns the function's output for images in ``[0, 1]``, logits or probabilities, on the images' device.

        Raises:
            OverpaintError: If the images have another number of channels or dimensions, or the function's answer is not
                one number for each class and image.
        """
        inputs = resize_to_input(images.detach().float(), self.channels, self.input_size).contiguous().cpu()
        answer = self.form.ask(lambda part: self.function(part.numpy()), inputs, len(self.class_names))
        return answer.detach().to(images.device)

    def logits(self, images: Images) -> Scores:
        """Has no answer.

        Raises:
            OverpaintError: Always: a function of arrays has no gradients.
        """
        raise OverpaintError(
            f"this classifier is a black box without gradients ({self.kind}); use perturbation methods such as rise, "
            "or give it as a network of torch"
        )

    def scores(self, images: Images) -> Scores:
        """Returns class probabilities, on the images' device.

        Raises:
            OverpaintError: As `answers`, or if a score is not finite or a row of probabilities has another sum than 1.
        """
        return as_scores(self.answers(images), self.output)
