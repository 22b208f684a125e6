"""A query task while it runs."""

from typing import Generic

from overpaint.core.types import Scores
from overpaint.perturbation.method import Interim, MaskBatch, TargetScores
from overpaint.perturbation.tasks import ImageBatch, QueryTask, Result


class QuerySession(Generic[Result]):
    """Runs the coroutine of a query task: hands out masks, collects scores, resumes it when all are there.

    Args:
        query_task: The task.

    Attributes:
        result: The coroutine's result.
        finished: Whether the coroutine has returned.
    """

    result: Result

    def __init__(self, query_task: QueryTask[Result]) -> None:
        self.query_task, self.finished = query_task, False
        self._advance(None)

    @property
    def remaining(self) -> int:
        """How many rows of the mask batch have no score yet."""
        return len(self.mask_batch) - self._received

    def next_rows(self, most: int) -> slice:
        """Returns the next rows to score."""
        return slice(self._received, self._received + min(most, self.remaining))

    def receive(self, scores: Scores) -> None:
        """Takes the scores of those rows, and goes on when all are there."""
        self._scores[self._received : self._received + len(scores)] = scores[:, self.query_task.targets]
        self._received += len(scores)
        if self.remaining == 0:
            self._advance(self._scores)

    def _advance(self, scores: TargetScores | None) -> None:
        coroutine, watch = self.query_task.coroutine, self.query_task.watch
        try:
            yielded = next(coroutine) if scores is None else coroutine.send(scores)
            while isinstance(yielded, Interim):
                if watch is not None and watch(yielded.found):
                    coroutine.close()
                    self.result, self.finished = yielded.found, True
                    return
                yielded = next(coroutine)
        except StopIteration as end:
            self.result, self.finished = end.value, True
            return
        self.mask_batch: MaskBatch | ImageBatch = yielded
        # All memory at once: a small tensor kept from every pass would fragment the heap, gigabytes for 8000 queries.
        image, targets = self.query_task.image, self.query_task.targets
        self._scores: TargetScores = image.new_empty(len(self.mask_batch), len(targets))
        self._received = 0
