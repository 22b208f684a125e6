"""A dialogue with what was proposed, what was answered, and its result."""

from typing import Generic

from overpaint.perturbation.proposals import Answers, Proposal
from overpaint.perturbation.questions import Pictures, Question, Result
from overpaint.types import Scores


class Talk(Generic[Result]):
    """Holds one question's dialogue: hands out rows of its proposal, collects their scores, goes on when all are there.

    Args:
        question: What is asked.

    Attributes:
        result: What the dialogue returned.
        over: Whether it has.
    """

    result: Result

    def __init__(self, question: Question[Result]) -> None:
        self.question, self.over = question, False
        self._go_on(None)

    @property
    def left(self) -> int:
        """How many rows of the proposal have not been answered."""
        return len(self.proposal) - self._heard

    def take(self, most: int) -> slice:
        """Returns the next rows to ask about."""
        return slice(self._heard, self._heard + min(most, self.left))

    def hear(self, scores: Scores) -> None:
        """Takes the scores of those rows, and goes on when all are there."""
        self._answers[self._heard : self._heard + len(scores)] = scores[:, self.question.targets]
        self._heard += len(scores)
        if self.left == 0:
            self._go_on(self._answers)

    def _go_on(self, answers: Answers | None) -> None:
        dialogue = self.question.dialogue
        try:
            self.proposal: Proposal | Pictures = next(dialogue) if answers is None else dialogue.send(answers)
        except StopIteration as end:
            self.result, self.over = end.value, True
            return
        # All memory at once: a small piece kept from every pass would cut the heap up, gigabytes for 8000 queries.
        image, targets = self.question.image, self.question.targets
        self._answers: Answers = image.new_empty(len(self.proposal), len(targets))
        self._heard = 0
