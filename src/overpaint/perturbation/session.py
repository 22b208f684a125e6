"""A dialogue with what was proposed, what was answered, and its result."""

from typing import Generic

from overpaint.core.types import Scores
from overpaint.perturbation.method import MaskBatch, TargetScores
from overpaint.perturbation.tasks import ImageBatch, QueryTask, Result


class QuerySession(Generic[Result]):
    """Runs the coroutine of a query task: hands out its masks, collects their scores, resumes it when all are there.

    Args:
        query_task: What is asked.

    Attributes:
        result: What the dialogue returned.
        finished: Whether it has.
    """

    result: Result

    def __init__(self, query_task: QueryTask[Result]) -> None:
        self.query_task, self.finished = query_task, False
        self._advance(None)

    @property
    def remaining(self) -> int:
        """How many rows of the proposal have not been answered."""
        return len(self.mask_batch) - self._received

    def next_rows(self, most: int) -> slice:
        """Returns the next rows to ask about."""
        return slice(self._received, self._received + min(most, self.remaining))

    def receive(self, scores: Scores) -> None:
        """Takes the scores of those rows, and goes on when all are there."""
        self._answers[self._received : self._received + len(scores)] = scores[:, self.query_task.targets]
        self._received += len(scores)
        if self.remaining == 0:
            self._advance(self._answers)

    def _advance(self, answers: TargetScores | None) -> None:
        coroutine = self.query_task.coroutine
        try:
            self.mask_batch: MaskBatch | ImageBatch = next(coroutine) if answers is None else coroutine.send(answers)
        except StopIteration as end:
            self.result, self.finished = end.value, True
            return
        # All memory at once: a small piece kept from every pass would cut the heap up, gigabytes for 8000 queries.
        image, targets = self.query_task.image, self.query_task.targets
        self._answers: TargetScores = image.new_empty(len(self.mask_batch), len(targets))
        self._received = 0
