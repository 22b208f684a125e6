"""The checkpoints of a training run: when they are saved, and which one a stopped run goes on from."""

from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from overpaint.core.errors import OverpaintError
from overpaint.networks.checkpoint import read_checkpoint
from overpaint.report.csv_logger import CsvLogger
from overpaint.training.checkpoint_io import LAST, previous_checkpoint


class EpochCheckpoint(ModelCheckpoint):
    """Saves a checkpoint at the end of each epoch, once the epoch's row is in the table.

    Lightning logs an epoch's metrics after its checkpoint: a run killed between the two would go on with the next
    epoch, and the row would be missing.

    Args:
        table: The table.
        options: Those of `ModelCheckpoint`.
    """

    def __init__(self, table: CsvLogger, **options: Any) -> None:
        super().__init__(**options, enable_version_counter=False, save_on_train_epoch_end=True)
        self.table = table

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the row, then saves the checkpoint."""
        logged = {name: float(value) for name, value in trainer.logged_metrics.items()}
        self.table.log_metrics(logged | {"epoch": trainer.current_epoch})
        super().on_train_epoch_end(trainer, pl_module)


def last_checkpoint(output: Path, model: str) -> Path:
    """Returns where a run keeps what it goes on from."""
    return output / f"{LAST}{model}.ckpt"


def resumable_checkpoint(output: Path, model: str) -> tuple[Path | None, str]:
    """Finds the checkpoint that a stopped run of a model goes on from.

    Args:
        output: The run's folder.
        model: The model.

    Returns:
        The last checkpoint, or the one before it where the last is damaged; None where there is none yet. And what is
        to be said of it; empty: nothing.

    Raises:
        OverpaintError: If both are damaged.
    """
    last = last_checkpoint(output, model)
    previous = previous_checkpoint(last)
    if not last.is_file():
        return (previous, f"{last} is missing; training goes on from {previous}") if previous.is_file() else (None, "")
    try:
        read_checkpoint(last, model)
        return last, ""
    except OverpaintError as damage:
        try:
            read_checkpoint(previous, model)
        except OverpaintError:
            raise OverpaintError(
                f"{last} is damaged, and there is no whole {previous.name} beside it; overwrite=true trains anew"
            ) from damage
        return previous, f"{last} is damaged; training goes on from {previous}, an epoch before"
