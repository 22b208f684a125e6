"""The grid of samples that is drawn while a generator trains."""

from pathlib import Path

import lightning as L
from lightning.pytorch.loggers import WandbLogger

from overpaint.core.files import write_bytes
from overpaint.report.sample_pictures import as_image, sample_pictures
from overpaint.training.dcgan import DCGANModule

SAMPLES = "samples.png"
"""The file of the samples in the run's folder."""


def samples_of_epochs(run: Path) -> dict[int, Path]:
    """Returns the samples that were drawn after each epoch of a run."""
    paths = (run / Path(SAMPLES).stem).glob("*.png")
    return {int(path.stem): path for path in sorted(paths) if path.stem.isdecimal()}


class SampleGrid(L.Callback):
    """Draws samples from the same latents after each epoch, to ``samples.png``, ``samples/EPOCH.png`` and W&B.

    Args:
        path: The picture.
        wandb: The run's logger; None draws the file alone.
        count: How many samples.
    """

    def __init__(self, path: Path, wandb: WandbLogger | None = None, count: int = 64) -> None:
        self.path, self.wandb, self.count = path, wandb, count

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws the samples of this epoch."""
        if not trainer.is_global_zero or not isinstance(pl_module, DCGANModule):
            return
        draw, samples = sample_pictures(pl_module.generator.output_size, pl_module.scale), pl_module.sample(self.count)
        content = draw.grid(samples)
        write_bytes(self.path, content)
        write_bytes(self.path.with_suffix("") / f"{trainer.current_epoch:05d}.png", content)
        if self.wandb is not None:
            caption = [f"epoch {trainer.current_epoch}"]
            self.wandb.log_image("dcgan/samples", [as_image(draw.grid(samples, least=512))], caption=caption)
