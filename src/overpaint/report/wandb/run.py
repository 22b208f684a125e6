"""Weights & Biases runs that no network, account or server can delay or break."""

import logging
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from rich.console import Console
from torchmetrics import MeanMetric

from overpaint.core.choices import WandbMode
from overpaint.pipeline.lightning import Prediction
from overpaint.report.wandb.mode import VARIABLE, wandb_mode

CONNECT_SECONDS = 20.0
"""How long an online run may take to connect before it is kept offline."""


def start_run(
    mode: WandbMode | None, folder: Path, project: str, job_type: str, settings: Mapping[str, Any], console: Console
) -> Any | None:
    """Starts a W&B run.

    Args:
        mode: ``offline`` writes below ``folder/wandb``, for ``wandb sync`` later; ``online`` needs an account, and
            falls back to ``offline``, with a line that says so, where there is none or no connection; ``none``; None
            takes the environment's ``WANDB_MODE``, see `wandb_mode`.
        folder: The run's folder.
        project: The W&B project.
        job_type: ``train`` or ``explain``.
        settings: The merged configuration.
        console: Where a fall-back is said.

    Returns:
        The run; None for ``none``, or where W&B can't even write a run to disk, which is said too.
    """
    mode = wandb_mode(mode)
    if mode == "none":
        return None
    import wandb  # a third of a second

    if not os.environ.get(VARIABLE):
        os.environ.pop(VARIABLE, None)  # W&B refuses an empty one
    # Where W&B keeps a table's pictures until they are sent: with the run, or moving its folder would lose them.
    os.environ["WANDB_DATA_DIR"] = str(folder.resolve() / "wandb")
    logging.getLogger("wandb").setLevel(logging.ERROR)
    modes: list[Literal["online", "offline"]] = ["online", "offline"] if mode == "online" else ["offline"]
    for each in modes:
        try:
            if each == "online" and not wandb.login(prompt=False):
                console.print("W&B: not logged in ('wandb login' does that); the run is kept offline")
                continue
            return wandb.init(
                mode=each,
                dir=str(folder),
                project=project,
                job_type=job_type,
                config=dict(settings),
                reinit="finish_previous",
                settings=wandb.Settings(console="off", silent=True, init_timeout=CONNECT_SECONDS, disable_git=True),
            )
        except (wandb.errors.Error, OSError, ValueError) as error:  # the last: a wrong variable of the environment
            why = " ".join(str(error).split())
            console.print(f"W&B: no {each} run could be started ({why})", markup=False)
    return None


class LateRun:
    """A W&B run that starts when it is first asked for, and is finished at the end of the block.

    Starting takes seconds, for which the first pictures need not wait.

    Args:
        start: Starts it; None where nothing is recorded.
    """

    def __init__(self, start: Callable[[], Any | None]) -> None:
        self._start, self._is_started = start, False

    @cached_property
    def run(self) -> Any | None:
        """The run; None where nothing is recorded."""
        self._is_started = True
        return self._start()

    def __enter__(self) -> "LateRun":
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_started and self.run is not None:
            self.run.finish()


class RunningScores(L.Callback):
    """Logs the mean of each metric over the images so far, while more of them are explained.

    With several devices it is the mean of the first one's images; the table at the end is of all.

    Args:
        late: The W&B run, which the first batch starts.
    """

    def __init__(self, late: LateRun) -> None:
        self.late = late
        self.means: dict[str, MeanMetric] = {}
        self.rows = 0

    def on_predict_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Prediction, *_: Any
    ) -> None:
        """Adds the batch's rows."""
        run = self.late.run
        if run is None or outputs.explained is None:
            return
        for method, own in outputs.explained.explanation.metric_results.items():
            for metric, measured in own.items():
                mean = self.means.setdefault(
                    f"{metric}/{method}", MeanMetric(nan_strategy="ignore", sync_on_compute=False)
                )
                mean.update(torch.tensor([each.value for each in measured]))
        self.rows += len(outputs.explained.images)
        scores = {name: float(mean.compute()) for name, mean in self.means.items() if float(mean.weight) > 0}
        run.log({"rows": self.rows, **scores})
