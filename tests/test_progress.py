"""The progress bar of explaining: what it shows and how far it moves."""

import time
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch

from overpaint.cli.progress import QueryProgress


def test_the_bar_moves_with_queries_and_then_with_the_time_of_the_last_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    progress = QueryProgress()
    progress.answered(1, 2)  # before there is a bar nothing happens
    progress.searched(1, 2, 0.5)
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    module: Any = L.LightningModule()
    module.trainer = SimpleNamespace(datamodule=SimpleNamespace(count=6), barebones=False)
    progress.on_predict_start(trainer, module)
    task = progress._bar.tasks[0]
    batch = SimpleNamespace(images=torch.zeros(2, 1, 4, 4))
    progress.on_predict_batch_start(trainer, module, batch)
    clock[0] += 2
    progress.answered(30, 100)
    assert task.completed == pytest.approx(2 * 0.3)
    assert task.fields["rate"] == "15 queries/s"
    clock[0] += 6
    progress.searched(3, 75, 0.0312)
    assert task.completed == pytest.approx(2 * 0.99)
    assert task.fields["rate"] == "searching 3/75, loss 0.031"
    clock[0] += 2
    progress.on_predict_batch_end(trainer, module, None, batch)
    assert task.completed == 2
    progress.on_predict_batch_start(trainer, module, batch)
    clock[0] += 4  # of the ten seconds that the first batch took
    progress.answered(1, 100)
    assert task.completed == pytest.approx(2 + 2 * 0.4)
    progress.on_predict_batch_end(trainer, module, None, batch)
    assert task.fields["images"] == "4/6"
    progress.on_predict_end(trainer, module)
