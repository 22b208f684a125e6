"""The progress bar of explaining: what it shows and how far it moves."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import lightning as L
import pytest
import torch

from overpaint.app.progress import QueryProgress


@pytest.mark.parametrize(("maker", "share"), [(None, 1.0), (object(), 0.5)])
def test_the_bar_moves_with_queries_and_then_with_the_search(maker: Any, share: float) -> None:
    progress = QueryProgress()
    progress.answered(1, 2)  # before there is a bar nothing happens
    progress.searched(1, 2, 0.5)
    trainer: Any = create_autospec(L.Trainer, instance=True)
    trainer.world_size, trainer.datamodule = 1, SimpleNamespace(part=range(6))
    module = SimpleNamespace(trainer=trainer, maker=maker)
    progress.on_predict_start(trainer, module)
    task = progress._bar.tasks[0]
    batch = SimpleNamespace(images=torch.zeros(2, 1, 4, 4))
    for done in (0, 2):
        progress.on_predict_batch_start(trainer, module, batch)
        progress.answered(30, 100)
        assert task.completed == pytest.approx(done + 2 * share * 0.3)
        assert task.fields["rate"].endswith(" queries/s")
        progress.answered(70, 100)
        assert task.completed == pytest.approx(done + 2 * share)
        if maker is not None:
            for step in range(4):
                progress.searched(step, 4, 0.0312)
                assert task.completed == pytest.approx(done + 1 + step / 4)
            assert task.fields["rate"] == "searching, loss 0.031"
        progress.on_predict_batch_end(trainer, module, None, batch)  # the search ended before its last step
        assert task.completed == done + 2
    assert task.fields["images"] == "4/6"
    progress.on_predict_end(trainer, module)
