"""The one engine through which every masked query of a classifier goes."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.bounds import Count
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.memory import FLOAT, check_memory
from overpaint.core.protocols import Classifier, CompilableClassifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, Scores, TargetSets
from overpaint.perturbation.batching import (
    AGREEMENT,
    FIRST_BATCH_SIZE,
    ROWS,
    BatchSizeTuner,
    Precision,
    autocast,
    bfloat16_agreement,
)
from overpaint.perturbation.method import PerturbationMethod
from overpaint.perturbation.session import QuerySession
from overpaint.perturbation.tasks import QueryTask, Result, concatenate_image_maps, method_task, render


@checked_settings
class Engine:
    """Runs a classifier on masked images ``b + M ⊙ (x - b)``, the queries of many tasks in common passes.

    A task is a method's coroutine for one image (`PerturbationMethod.sample_masks`), or a metric's for one map. Its
    random draws are its own, and the rows of a pass are independent, so a result does not depend on which others run
    beside it. Only the last bits of the classifier's scores may depend on the size of a pass. Passes therefore have a
    multiple of `ROWS` rows, for which the convolutional networks that were tried return the same bits on a processor;
    `batch_size_difference` is the greatest difference that was seen. With a given ``batch_size`` every pass has exactly
    that many rows (the last ones are filled up), so that the arithmetic is the same everywhere.

    Args:
        classifier: The classifier.
        batch_size: Rows of a pass; ``auto``: found during the first passes, see `BatchSizeTuner`.
        precision: On CUDA ``auto`` means bfloat16 where its map agrees with float32's, see `bfloat16_agreement`.
            Elsewhere, and where it does not, float32.
        compile: Whether ``torch.compile`` translates the classifier first; the size of a pass is then constant.
        on_batch: Called after each pass with the number of its queries, and of all that the run's methods may make.

    Attributes:
        notes: What the engine decided and a user should know.
        batch_size_difference: Greatest difference that was seen between the scores of the same images in passes of
            different sizes; None until ``auto`` has compared them.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    def __init__(
        self,
        classifier: Classifier,
        batch_size: Count | Literal["auto"] = "auto",
        precision: Precision = "auto",
        compile: bool = False,  # noqa: A002 - the name of what it does
        on_batch: Callable[[int, int], None] | None = None,
    ) -> None:
        if batch_size != "auto":
            numbers = batch_size * classifier.channels * math.prod(classifier.input_size)
            check_memory(f"engine.batch_size={batch_size}", 2 * FLOAT * numbers)
        if compile and not isinstance(classifier, CompilableClassifier):
            raise OverpaintError("engine: compile=true needs a classifier that is a network of torch")
        self.classifier, self.on_batch = classifier, on_batch
        self.constant = batch_size != "auto" or compile
        self.batch_size = FIRST_BATCH_SIZE if batch_size == "auto" else int(batch_size)
        self._tuner = BatchSizeTuner() if batch_size == "auto" else None
        self.precision: Precision | None = None if precision == "auto" else precision
        self.notes: list[str] = []
        self.batch_size_difference: float | None = None
        self._to_compile = classifier if compile and isinstance(classifier, CompilableClassifier) else None
        self._scores: Callable[[Images], Scores] = classifier.scores
        self._buffer: Tensor | None = None
        self._planned = 0

    def run_methods(
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
        query_tasks = [
            method_task(method, self.classifier, image, own)
            for method in methods.values()
            for image, own in zip(images, targets, strict=True)
        ]
        found = self.run(query_tasks)
        each = len(images)
        return {name: concatenate_image_maps(found[i * each : (i + 1) * each]) for i, name in enumerate(methods)}

    def run(self, query_tasks: Sequence[QueryTask[Result]]) -> list[Result]:
        """Runs query tasks to their end.

        Args:
            query_tasks: The tasks, all of images of one shape.

        Returns:
            The result of each task: tensors of inference mode, which can't take part in a latent search.
        """
        if self._to_compile is not None:  # not before: only now the classifier is on its device
            self._scores, self._to_compile = self._to_compile.compiled().scores, None
        self._planned = sum(query_task.max_queries for query_task in query_tasks)
        with torch.inference_mode():
            sessions = [QuerySession(query_task) for query_task in query_tasks]
            while waiting := [session for session in sessions if not session.finished]:
                if self.precision is None:
                    self._choose_precision(waiting[0].query_task)
                # Short batches first: methods that choose by the last scores go on, the long ones fill the pass up.
                waiting.sort(key=lambda session: session.remaining)
                self._pass(waiting)
        return [session.result for session in sessions]

    def _choose_precision(self, query_task: QueryTask[Any]) -> None:
        """Decides on the precision, once for all runs."""
        if query_task.image.device.type == "cuda":
            target = int(query_task.targets[0])
            agreement = bfloat16_agreement(self._score_in, query_task.image, query_task.fill, target)
            self.precision = "bfloat16" if agreement > AGREEMENT else "float32"
            if self.precision == "float32":
                self.notes.append(f"maps in bfloat16 agree with float32 only to {agreement:.3f}, so float32 is used")
        self.precision = self.precision or "float32"

    def _pass(self, waiting: Sequence[QuerySession[Any]]) -> None:
        """Fills one pass from the sessions that wait, runs it, and hands the scores out."""
        # A session, which of its masks, and their rows of the pass.
        parts: list[tuple[QuerySession[Any], slice, slice]] = []
        count = 0
        for session in waiting:
            if count == self.batch_size:
                break
            part = session.next_rows(self.batch_size - count)
            parts.append((session, part, slice(count, count + part.stop - part.start)))
            count = parts[-1][2].stop
        size = self.batch_size if self.constant else min(self.batch_size, -(-count // ROWS) * ROWS)
        rows = self._rows_like(waiting[0].query_task.image, size)
        for session, part, own in parts:
            render(session.query_task, session.mask_batch, part, rows[own])
        rows[count:] = rows[:1]
        try:
            scores = self._score(rows) if self._tuner is None else self._score_and_grow(rows, self._tuner)
        except torch.OutOfMemoryError as error:
            if self.batch_size == 1:
                raise OverpaintError("the device has not enough memory for a single image") from error
            self.batch_size, self._tuner, self._buffer = max(1, self.batch_size // 2), None, None
            return  # the same queries are made again, in smaller passes
        for session, _, own in parts:
            session.receive(scores[own])
        if self.on_batch is not None:
            self.on_batch(count, self._planned)

    def _rows_like(self, image: Float[Tensor, "channel *space"], size: int) -> Images:
        """Returns memory for the rows of a pass; it is the same for all passes."""
        if self._buffer is None or self._buffer.shape[1:] != image.shape or len(self._buffer) < self.batch_size:
            self._buffer = image.new_empty(self.batch_size, *image.shape)
        return self._buffer[:size]

    def _score_and_grow(self, rows: Images, tuner: BatchSizeTuner) -> Scores:
        """Runs a pass, and lets its time tell how many rows the next one has."""
        start = time.perf_counter()
        scores = self._score(rows)
        scores[0, 0].item()  # waits for the device
        size = tuner.next_size(len(rows), time.perf_counter() - start, rows.device)
        if size is None:
            first = self._score(rows[:ROWS])
            self.batch_size_difference = float((first - scores[: len(first)]).abs().max())
            if self.batch_size_difference > 0:
                self.notes.append(
                    f"scores of this classifier differ by up to {self.batch_size_difference:.1g} with the batch "
                    f"size; engine.batch_size={tuner.best} repeats maps to the last bit"
                )
            self._tuner = None
        self.batch_size = size or tuner.best
        return scores

    def _score(self, rows: Images) -> Scores:
        assert self.precision is not None
        return self._score_in(rows, self.precision)

    def _score_in(self, rows: Images, precision: Precision) -> Scores:
        with autocast(rows.device, precision):
            return self._scores(rows)


def compute_maps(
    method: SaliencyMethod,
    classifier: Classifier,
    images: Images,
    targets: TargetSets,
    engine: Engine,
) -> SaliencyMaps:
    """Explains images by one method of either kind."""
    if isinstance(method, PerturbationMethod):
        return engine.run_methods({"": method}, images, targets)[""]
    return method(classifier, images, targets)


def run_method(method: PerturbationMethod, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
    """Explains images by one method, with an engine of its own."""
    return Engine(classifier).run_methods({"": method}, images, targets)[""]
