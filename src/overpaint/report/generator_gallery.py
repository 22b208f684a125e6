"""The gallery of a trained generator: samples, interpolations, nearest training images."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import lightning as L
import torch
from jaxtyping import Float
from lightning.pytorch.loggers import WandbLogger
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.files import write_bytes
from overpaint.core.resize import resize
from overpaint.core.types import Images, StoredInputs
from overpaint.core.value_range import from_stored
from overpaint.data.domain import DomainData
from overpaint.report.plots.neighbours import PAIRS
from overpaint.report.sample_pictures import SamplePictures, sample_pictures
from overpaint.training.dcgan import DCGANModule
from overpaint.training.generation_metrics import ClassifierFeatures
from overpaint.training.precision_recall import memorization_ratio, nearest

INTERPOLATION, NEIGHBOURS = "interpolation.png", "neighbours.png"
"""The files."""

WAYS, STEPS = 8, 10
"""Rows and columns of ``interpolation.png``."""

COMPARED = 500
"""How many samples, and held-out images at most, are compared with the training images."""

PIXELS = 32
"""Longest side to which each axis of images is shrunk before they are compared by their pixels."""


class GeneratorGallery(L.Callback):
    """Draws two pictures of the generator after the last epoch, into the run's folder and to W&B.

    ``interpolation.png``: in each row the way from one random latent to another; images that change all the way, and
    are as good in the middle as at the ends, are no memories. ``neighbours.png``: samples beside their nearest training
    images (series in front of them), in the features of the domain's classifier, or by the pixels where there is none;
    with it ``dcgan/memorization_ratio`` is logged, see `overpaint.training.precision_recall.memorization_ratio`.

    Args:
        folder: The run's folder.
        data: The training images and, held out, the validation images.
        evaluator: The domain's classifier; None compares pixels.
        wandb: The run's logger; None draws the files alone.
    """

    def __init__(
        self, folder: Path, data: DomainData, evaluator: NetworkClassifier | None, wandb: WandbLogger | None = None
    ) -> None:
        self.folder, self.data, self.evaluator, self.wandb = folder, data, evaluator, wandb

    @torch.no_grad()
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Draws after the last epoch, before its checkpoint, so that a run stopped meanwhile draws when resumed."""
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if not last or not trainer.is_global_zero or not isinstance(pl_module, DCGANModule):
            return
        draw = sample_pictures(pl_module.generator.output_size, pl_module.scale)
        write_bytes(self.folder / INTERPOLATION, draw.grid(self._interpolations(pl_module), STEPS, 512))
        pairs, ratio = self._neighbours(pl_module, draw)
        write_bytes(self.folder / NEIGHBOURS, pairs)
        if not math.isnan(ratio):
            pl_module.log("dcgan/memorization_ratio", ratio, rank_zero_only=True)
        if self.wandb is not None:
            self.wandb.log_image("dcgan/interpolation", [str(self.folder / INTERPOLATION)])
            self.wandb.log_image("dcgan/neighbours", [str(self.folder / NEIGHBOURS)])

    def _interpolations(self, module: DCGANModule) -> Images:
        generator = module.averaged_generator
        ends = generator.sample_latents(2 * WAYS, torch.Generator().manual_seed(module.seed))
        latents = generator.interpolate_latents(ends[:WAYS], ends[WAYS:], STEPS)
        return module.paint(latents.transpose(0, 1).flatten(0, 1))

    def _neighbours(self, module: DCGANModule, draw: SamplePictures) -> tuple[bytes, float]:
        """Returns the figure's file and the ratio."""
        describe = self._described(module)
        samples = module.sample(COMPARED, stream=1)
        held_out = list(self._images(self.data.val.images[:COMPARED], module))
        queries = torch.cat([describe(images) for images in (*samples.split(256), *held_out)])
        train = self.data.train.images
        distances, indices = nearest(queries, (describe(images) for images in self._images(train, module)))
        ratio = memorization_ratio(distances[:COMPARED], distances[COMPARED:])
        order = distances[:COMPARED].argsort()
        chosen = torch.cat([order[: 2 * PAIRS], order[torch.linspace(2 * PAIRS, COMPARED - 1, 2 * PAIRS).long()]])
        beside = torch.cat(list(self._images(train[indices[chosen].cpu()], module)))
        where = "pixels" if self.evaluator is None else "the classifier's features"
        own, real = (float(part.median()) for part in (distances[:COMPARED], distances[COMPARED:]))
        title = f"distance in {where}: median {own:.3g}, that of real held-out data {real:.3g}"
        return draw.neighbours(samples[chosen], beside, distances[chosen], title), ratio

    def _described(self, module: DCGANModule) -> Callable[[Images], Float[Tensor, "batch feature"]]:
        if self.evaluator is not None:
            return ClassifierFeatures(self.evaluator.to(module.device))
        size = [min(PIXELS, side) for side in module.generator.output_size]
        return lambda images: resize(images, size).flatten(1)

    def _images(self, images: StoredInputs, module: DCGANModule) -> Iterator[Images]:
        for part in torch.split(images, 256):
            yield module.at_own_size(from_stored(part.to(module.device)))
