"""The rule by which scores become an answer: whether a class is kept, and how near it is to being lost."""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from overpaint.core.errors import OverpaintError


@dataclass(frozen=True)
class Decision:
    """Which classes of an image a classifier's scores affirm.

    Attributes:
        multi_label: Whether each class is a question of its own (a sigmoid), so that the scores of an image have no
            common sum; otherwise the classes exclude each other (a softmax).
        threshold: A class is kept while its score is above this; None: while its score is the highest.

    Raises:
        OverpaintError: If the threshold is not between 0 and 1.
    """

    multi_label: bool = False
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise OverpaintError(f"classifier.threshold={self.threshold} must lie between 0 and 1")

    def keeps(self, scores: Float[Tensor, "*rows class"], targets: Int[Tensor, "*rows"] | int) -> Bool[Tensor, "*rows"]:
        """Returns whether the class of each row is kept.

        Args:
            scores: The classifier's scores.
            targets: The class of each row, or one class for all.
        """
        if self.threshold is None:
            return scores.argmax(-1) == targets
        return _of_class(scores, targets) > self.threshold

    def log_scores(self, logits: Float[Tensor, "row class"], targets: Int[Tensor, " row"]) -> Float[Tensor, " row"]:
        """Returns the logarithm of each row's score of its class, differentiable with respect to the logits."""
        return _of_class(F.logsigmoid(logits) if self.multi_label else logits.log_softmax(1), targets)

    def margins(
        self, logits: Float[Tensor, "row class"], targets: Int[Tensor, " row"], wanted: int | None, kappa: float
    ) -> Float[Tensor, " row"]:
        """Returns how far each row is from another answer: ``max(0, f_c - r + κ)`` (Carlini & Wagner, 2017).

        The rival ``r`` is ``max_{j≠c} f_j``, or where the classes are questions of their own the logit of the
        threshold.

        Args:
            logits: ``f``.
            targets: ``c``.
            wanted: The other class ``t``; then it is ``max(0, r - f_t + κ)`` with ``t``'s rival. None: any.
            kappa: ``κ``, by how much the answer is to change.
        """
        pivot: Int[Tensor, " row"] | int = targets if wanted is None else wanted
        own = _of_class(logits, pivot)
        if self.multi_label and self.threshold is not None:
            rival = own.new_full(own.shape, math.log(self.threshold / (1 - self.threshold)))
        else:
            pivots = targets if wanted is None else targets.new_full(targets.shape, wanted)
            rival = logits.scatter(1, pivots[:, None], -math.inf).amax(1)
        ahead = own - rival if wanted is None else rival - own
        return (ahead + kappa).clamp(min=0)


def _of_class(values: Float[Tensor, "*rows class"], targets: Int[Tensor, "*rows"] | int) -> Float[Tensor, "*rows"]:
    if isinstance(targets, int):
        return values[..., targets]
    return values.gather(-1, targets.expand(values.shape[:-1])[..., None])[..., 0]
