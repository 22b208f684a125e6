"""What training leaves beside its checkpoints: a table of metrics and a grid of samples."""

from pathlib import Path

import lightning as L
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.trainer.states import TrainerFn

from overpaint.core.files import read_csv, write_bytes, write_csv
from overpaint.report.plots.images import enlarge, picture_grid, png
from overpaint.training.dcgan import DCGANModule


class MetricsFile(L.Callback):
    """Keeps ``metrics.csv``: a row for each epoch of each model.

    Lightning's CSVLogger deletes its file when a run starts, so a resumed run would lose its history; this one keeps
    the rows of the epochs before, and of the other model.

    Args:
        path: The file.
        model: The model's name, for the rows' first column.
    """

    def __init__(self, path: Path, model: str) -> None:
        self.path, self.model = path, model

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the epoch's metrics."""
        self._write(trainer, str(trainer.current_epoch))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes what a validation after training measured."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._write(trainer, "end")

    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Writes the metrics of the test part."""
        self._write(trainer, "test")

    def _write(self, trainer: L.Trainer, epoch: str) -> None:
        if not trainer.is_global_zero:
            return
        every = trainer.check_val_every_n_epoch or 1
        stale = ("samples/",) if epoch.isdecimal() and (int(epoch) + 1) % every else ()
        metrics = {
            name.removesuffix("_epoch"): f"{float(value):.6g}"
            for name, value in trainer.callback_metrics.items()
            if "/" in name
            and not name.startswith(stale)
            and not name.endswith("_step")
            and f"{name}_epoch" not in trainer.callback_metrics
        }

        def is_before(row: dict[str, str]) -> bool:
            if epoch.isdecimal():
                return row["epoch"].isdecimal() and int(row["epoch"]) < int(epoch)
            return row["epoch"] != epoch

        kept = [row for row in read_csv(self.path) if row["model"] != self.model or is_before(row)]
        new = {"model": self.model, "epoch": epoch, **metrics}
        write_csv(self.path, [*kept, new])


class SampleGrid(L.Callback):
    """Draws samples from the same latents after each epoch, to ``samples.png`` and W&B.

    Args:
        path: The picture.
        count: How many samples.
    """

    def __init__(self, path: Path, count: int = 64) -> None:
        self.path, self.count = path, count

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the samples of this epoch."""
        if not trainer.is_global_zero or not isinstance(pl_module, DCGANModule):
            return
        picture = picture_grid(pl_module.sample(self.count).float().cpu().numpy())
        write_bytes(self.path, png(picture))
        if isinstance(trainer.logger, WandbLogger):
            trainer.logger.log_image(
                "dcgan/samples", [enlarge(picture, 512)], caption=[f"epoch {trainer.current_epoch}"]
            )
