"""The progress bar of explaining: images, queries a second, time left."""

import time
from collections import deque
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from overpaint.cli.console import FIRST_PROCESS, console
from overpaint.configuration.parts import Listeners

PASSES = 20
"""The rate that is shown is that of so many last passes."""


class QueryProgress(ProgressBar):
    """Shows how many images are explained, how many queries are answered in a second, and the time that is left.

    Within a batch the bar moves with its time, of as much as the last batch took; in the first one with the queries
    that are answered, of those that its methods may ask.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bar = Progress(
            TextColumn("explaining {task.fields[images]} images"),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            disable=not FIRST_PROCESS,
            transient=True,
        )
        self._task: TaskID | None = None
        self._passes: deque[tuple[float, int]] = deque(maxlen=PASSES)
        self._done = self._all = self._in_batch = 0
        self._asked = 0
        self._began = self._took = 0.0

    @property
    def listeners(self) -> Listeners:
        """The callbacks that move the bar."""
        return Listeners(self.answered, self.searched)

    def on_predict_start(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Shows the bar."""
        super().on_predict_start(trainer, pl_module)
        self._all = pl_module.trainer.datamodule.count
        mine = self._all / max(1, trainer.world_size)
        self._task = self._bar.add_task("", total=mine, images=f"0/{self._all}", rate="")
        self._bar.start()

    def on_predict_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, *_: Any) -> None:
        """Forgets the last batch's rate: the latent search lay between."""
        self._in_batch = len(batch.images)
        self._asked, self._began = 0, time.monotonic()
        self._passes.clear()
        self._passes.append((time.monotonic(), 0))

    def answered(self, queries: int, planned: int) -> None:
        """Takes note of a pass of the engine: the queries that it answered, and all that its methods may ask."""
        self._passes.append((time.monotonic(), queries))
        spent = self._passes[-1][0] - self._passes[0][0]
        rate = sum(count for _, count in list(self._passes)[1:]) / max(spent, 1e-9)
        self._asked += queries
        self._move(f"{rate:,.0f} queries/s", self._asked / max(1, planned))

    def searched(self, step: int, steps: int, loss: float) -> None:
        """Takes note of a step of the latent search: its number, how many there may be, and the mean loss."""
        self._move(f"searching {step}/{steps}, loss {loss:.3f}", 1.0)

    def _move(self, doing: str, share: float) -> None:
        """Shows what is done, and how far in the batch it is: by its time, or, if no batch was timed, by ``share``."""
        if self._took:
            share = (time.monotonic() - self._began) / self._took
        if self._task is not None:
            self._bar.update(self._task, completed=self._done + self._in_batch * min(0.99, share), rate=doing)

    def on_predict_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        """Moves the bar to the end of the batch: methods may have stopped before they asked everything."""
        self._done += len(batch.images)
        self._took = time.monotonic() - self._began
        assert self._task is not None
        shown = min(self._done * max(1, trainer.world_size), self._all)
        self._bar.update(self._task, completed=self._done, images=f"{shown}/{self._all}", refresh=True)

    def on_predict_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        """Takes the bar away."""
        self._bar.stop()

    def on_exception(self, *_: Any) -> None:
        """Takes the bar away, so that what went wrong can be read."""
        self._bar.stop()
