"""The one engine through which every masked query of a classifier goes."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.errors import OverpaintError
from overpaint.perturbation.passes import AGREEMENT, FIRST, ROWS, Growth, Precision, autocast, bfloat16_agreement
from overpaint.perturbation.proposals import PerturbationMethod
from overpaint.perturbation.questions import Question, Result, joined, method_question, show
from overpaint.perturbation.talk import Talk
from overpaint.types import Classifier, Images, SaliencyMaps, SaliencyMethod, Scores, TargetSets


class Engine:
    """Asks a classifier about masked images ``b + M ⊙ (x - b)``, the queries of many dialogues in common passes.

    A dialogue is one method at work on one image (`PerturbationMethod.propose`), or one metric at work on one map. Its
    random draws are its own, and the rows of a pass are independent, so a result does not depend on which others are
    asked beside it. What may depend on
    the size of a pass is the classifier's own last bit. Passes therefore have a multiple of `ROWS` rows, for which
    the convolutional networks that were tried answer the same to the bit on a processor; `row_difference` is the
    greatest difference that was seen. With a given ``chunk`` every pass has exactly that many rows (the last ones are
    filled up), so that the arithmetic is the same everywhere.

    Args:
        classifier: The classifier.
        chunk: Rows of a pass; ``auto``: found while the first queries are answered, see `Growth`.
        precision: On CUDA ``auto`` means bfloat16 where its map agrees with float32's, see `bfloat16_agreement`.
            Elsewhere, and where it does not, float32.
        compile: Whether ``torch.compile`` translates the classifier first; the size of a pass is then constant.
        on_answers: Called after each pass with the number of queries that it answered, and of all that the run's
            methods may ask.

    Attributes:
        notes: What the engine decided and a user should know.
        row_difference: Greatest difference that was seen between the scores of the same images in passes of different
            sizes; None until ``auto`` has looked.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    def __init__(
        self,
        classifier: Classifier,
        chunk: int | Literal["auto"] = "auto",
        precision: Precision = "auto",
        compile: bool = False,  # noqa: A002 - the name of what it does
        on_answers: Callable[[int, int], None] | None = None,
    ) -> None:
        if chunk != "auto" and chunk < 1:
            raise OverpaintError(f"engine: chunk={chunk} must be auto or at least 1")
        if compile and not hasattr(classifier, "compiled"):
            raise OverpaintError("engine: compile=true needs a classifier that is a network of torch")
        self.classifier, self.on_answers = classifier, on_answers
        self.constant = chunk != "auto" or compile
        self.chunk = FIRST if chunk == "auto" else int(chunk)
        self._growth = Growth() if chunk == "auto" else None
        self.precision: Precision | None = None if precision == "auto" else precision
        self.notes: list[str] = []
        self.row_difference: float | None = None
        self._compile = compile
        self._answer: Callable[[Images], Scores] = classifier.scores
        self._buffer: Tensor | None = None
        self._planned = 0

    def run(
        self, methods: Mapping[str, PerturbationMethod], images: Images, targets: TargetSets
    ) -> dict[str, SaliencyMaps]:
        """Explains images by several methods at once.

        Args:
            methods: The methods by name.
            images: Images in ``[0, 1]``, on the device that the queries run on.
            targets: The classes to explain of each image.

        Returns:
            The maps of each method, a row for each image and target.
        """
        questions = [
            method_question(method, self.classifier, image, own)
            for method in methods.values()
            for image, own in zip(images, targets, strict=True)
        ]
        found = self.hold(questions)
        each = len(images)
        return {name: joined(found[i * each : (i + 1) * each]) for i, name in enumerate(methods)}

    def hold(self, questions: Sequence[Question[Result]]) -> list[Result]:
        """Asks and answers until the dialogues of all questions are at their end.

        Args:
            questions: All about images of one shape.

        Returns:
            What each dialogue returned: tensors of inference mode, which can't take part in a latent search.
        """
        if self._compile:  # not before: only now the classifier is on its device
            self._answer, self._compile = self.classifier.compiled().scores, False  # type: ignore[attr-defined]
        self._planned = sum(question.most_queries for question in questions)
        with torch.inference_mode():
            talks = [Talk(question) for question in questions]
            while waiting := [talk for talk in talks if not talk.over]:
                if self.precision is None:
                    self._choose_precision(waiting[0].question)
                # Short proposals first: who chooses by the last scores goes on, the long ones fill the pass up.
                waiting.sort(key=lambda talk: talk.left)
                self._pass(waiting)
        return [talk.result for talk in talks]

    def _choose_precision(self, question: Question[Any]) -> None:
        """Decides on the precision, once for all runs."""
        if question.image.device.type == "cuda":
            target = int(question.targets[0])
            agreement = bfloat16_agreement(self._ask_in, question.image, question.fill, target)
            self.precision = "bfloat16" if agreement > AGREEMENT else "float32"
            if self.precision == "float32":
                self.notes.append(f"maps in bfloat16 agree with float32 only to {agreement:.3f}, so float32 is used")
        self.precision = self.precision or "float32"

    def _pass(self, waiting: Sequence[Talk[Any]]) -> None:
        """Fills one pass from the dialogues that wait, runs it, and hands the scores out."""
        parts: list[tuple[Talk[Any], slice, slice]] = []  # whose masks, which of them, and their rows of the pass
        count = 0
        for talk in waiting:
            if count == self.chunk:
                break
            part = talk.take(self.chunk - count)
            parts.append((talk, part, slice(count, count + part.stop - part.start)))
            count = parts[-1][2].stop
        size = self.chunk if self.constant else min(self.chunk, -(-count // ROWS) * ROWS)
        rows = self._rows_like(waiting[0].question.image, size)
        for talk, part, own in parts:
            show(talk.question, talk.proposal, part, rows[own])
        rows[count:] = rows[:1]
        try:
            scores = self._ask(rows) if self._growth is None else self._ask_and_grow(rows, self._growth)
        except torch.OutOfMemoryError as error:
            if self.chunk == 1:
                raise OverpaintError("the device has not enough memory for a single image") from error
            self.chunk, self._growth, self._buffer = max(1, self.chunk // 2), None, None
            return  # nothing was answered; the same queries are asked again in smaller passes
        for talk, _, own in parts:
            talk.hear(scores[own])
        if self.on_answers is not None:
            self.on_answers(count, self._planned)

    def _rows_like(self, image: Float[Tensor, "channel *space"], size: int) -> Images:
        """Returns memory for the rows of a pass; it is the same for all passes."""
        if self._buffer is None or self._buffer.shape[1:] != image.shape or len(self._buffer) < self.chunk:
            self._buffer = image.new_empty(self.chunk, *image.shape)
        return self._buffer[:size]

    def _ask_and_grow(self, rows: Images, growth: Growth) -> Scores:
        """Runs a pass, and lets its time tell how many rows the next one has."""
        start = time.perf_counter()
        scores = self._ask(rows)
        scores[0, 0].item()  # waits for the device
        size = growth.next_size(len(rows), time.perf_counter() - start, rows.device)
        if size is None:
            first = self._ask(rows[:ROWS])
            self.row_difference = float((first - scores[: len(first)]).abs().max())
            if self.row_difference > 0:
                self.notes.append(
                    f"scores of this classifier differ by up to {self.row_difference:.1g} with the size of a pass; "
                    f"engine.chunk={growth.best} repeats maps to the last bit"
                )
            self._growth = None
        self.chunk = size or growth.best
        return scores

    def _ask(self, rows: Images) -> Scores:
        assert self.precision is not None
        return self._ask_in(rows, self.precision)

    def _ask_in(self, rows: Images, precision: Precision) -> Scores:
        with autocast(rows.device, precision):
            return self._answer(rows)


def maps_of(
    method: SaliencyMethod | PerturbationMethod,
    classifier: Classifier,
    images: Images,
    targets: TargetSets,
    engine: Engine,
) -> SaliencyMaps:
    """Explains images by one method of either kind."""
    if isinstance(method, PerturbationMethod):
        return engine.run({"": method}, images, targets)[""]
    return method(classifier, images, targets)


def ask(method: PerturbationMethod, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
    """Explains images by one method, with an engine of its own."""
    return Engine(classifier).run({"": method}, images, targets)[""]
