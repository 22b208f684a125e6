"""Trains a classifier on the target domain."""

from collections.abc import Mapping, Sequence
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.classification import MulticlassAccuracy, MulticlassStatScores

from overpaint.classifiers.network import classifier_from_settings
from overpaint.core.bounds import ImageSize, NotNegative, Seed
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.names import distinct_names
from overpaint.core.sizes import as_size, format_size, plain_size
from overpaint.core.types import Batch, Images
from overpaint.core.value_range import is_series
from overpaint.networks.checkpoint import FORMAT_KEY
from overpaint.training.optimisers import make_optimizer, make_scheduler

OPTIMIZER, SCHEDULER = "model.classifier.optimizer", "model.classifier.scheduler"
"""The keys of two sections, for errors."""


@checked_settings
class ClassifierModule(L.LightningModule):
    """Trains a network by cross-entropy.

    Args:
        architecture: ``residual``, or for images a classification model of torchvision by its name.
        class_names: The classes.
        image_size: Height and width of the images that the network sees, or the side of a square; the length of series
            in a list.
        mean: Mean of each channel of the training images.
        std: Their standard deviation.
        optimizer: ``target``, a class of ``torch.optim``, and its arguments.
        scheduler: ``target``, a class of ``torch.optim.lr_scheduler``, and its arguments; it moves after each step, see
            `overpaint.training.optimisers.make_scheduler`.
        distortion: Standard deviation of the entries added to the identity of each image's random affine map (a
            little rotation, scale and shear; of a series, which is stretched in time, of its one entry); 0 leaves the
            images alone.
        seed: Seed of the weights and distortions.
        scale: The units of series, see `SeriesScale.settings`; the checkpoint keeps them.

    Raises:
        OverpaintError: If a setting is wrong, or the network can't take images of this size.
    """

    def __init__(
        self,
        architecture: str,
        class_names: list[str],
        image_size: ImageSize,
        mean: list[float],
        std: list[float],
        optimizer: Mapping[str, Any],
        scheduler: Mapping[str, Any],
        distortion: NotNegative = 0.1,
        seed: Seed = 0,
        scale: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)
        self.settings: dict[str, Any] = {
            "architecture": architecture,
            "class_names": class_names,
            "image_size": plain_size(as_size(image_size, None, "model.classifier.image_size")),
            "mean": mean,
            "std": std,
        }
        if scale is not None:
            self.settings["scale"] = scale
        self.optimizer_settings, self.scheduler_settings = optimizer, scheduler
        self.distortion, self.seed = distortion, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.classifier = classifier_from_settings(self.settings)
        self._check_size()
        self.learning_rate = self._schedule(1000)[0].defaults["lr"]  # a wrong setting must show before training
        self.val_accuracy = MulticlassAccuracy(len(class_names), average="micro")
        self.test_accuracy = MulticlassAccuracy(len(class_names), average="micro")
        self.val_answers = MulticlassStatScores(len(class_names), average=None)
        self.test_answers = MulticlassStatScores(len(class_names), average=None)
        self.rng = torch.Generator()

    def _check_size(self) -> None:
        """Finds out before training whether the network can take images of this size."""
        size = self.classifier.input_size
        try:
            self.classifier.eval().scores(torch.zeros(1, self.classifier.channels, *size))
        except (RuntimeError, AssertionError) as error:
            raise OverpaintError(
                f"model.classifier.architecture={self.settings['architecture']} can't take inputs of size "
                f"{format_size(size)} ({str(error).splitlines()[0]}); choose another model.classifier.image_size"
            ) from error
        self.classifier.train()

    def on_train_epoch_start(self) -> None:
        """Starts the epoch's random stream, so that a resumed run draws what an uninterrupted one would.

        Each device draws its own.
        """
        self.rng.manual_seed(1_000_003 * self.seed + 7 * self.current_epoch + 104_729 * self.global_rank)

    def _distort(self, images: Images) -> Images:
        if is_series(images.shape[2:]):
            noise = torch.zeros(len(images), 2, 2)
            noise[:, 0, 0] = self.distortion * torch.randn(len(images), generator=self.rng)
            return _mapped(images[:, :, None], noise)[:, :, 0]
        height, width = images.shape[2:]
        pixels = torch.tensor([[1, height / width], [width / height, 1]])  # the grid's unit is half a side
        return _mapped(images, self.distortion * torch.randn(len(images), 2, 2, generator=self.rng) * pixels)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the cross-entropy of distorted images.

        Raises:
            OverpaintError: If it is not finite.
        """
        images, labels = batch.images, batch.labels
        if len(images) == 1:  # one image has no spread, by which batch normalisation divides; distorted twice it has
            images, labels = images.repeat(2, *[1] * (images.ndim - 1)), labels.repeat(2)
        images = self._distort(images) if self.distortion else images
        loss = F.cross_entropy(self.classifier.logits(images), labels)
        if not bool(loss.isfinite()):
            raise OverpaintError(
                f"the classifier's loss is {float(loss.detach())} in epoch {self.current_epoch}; its checkpoints of "
                f"the epochs before are kept; try a smaller {OPTIMIZER}.lr than {self.learning_rate}"
            )
        self.log("classifier/loss", loss, on_step=True, on_epoch=True, batch_size=len(images), sync_dist=True)
        self.log("loss", loss, prog_bar=True, logger=False)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Counts the right answers."""
        logits = self.classifier.logits(batch.images)
        self.val_accuracy(logits, batch.labels)
        self.val_answers.update(logits, batch.labels)
        self.log("classifier/val_accuracy", self.val_accuracy, on_epoch=True, on_step=False)

    def on_validation_epoch_end(self) -> None:
        """Logs the accuracy of each class."""
        self._log_by_class("val_accuracy", self.val_answers)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Counts the right answers."""
        logits = self.classifier.logits(batch.images)
        self.test_accuracy(logits, batch.labels)
        self.test_answers.update(logits, batch.labels)
        self.log("classifier/test_accuracy", self.test_accuracy, on_epoch=True, on_step=False)

    def on_test_epoch_end(self) -> None:
        """Logs the accuracy of each class."""
        self._log_by_class("test_accuracy", self.test_answers)

    def _log_by_class(self, what: str, answers: MulticlassStatScores) -> None:
        """Logs the share of each class's images that were given it; a class without images has none."""
        counts = answers.compute()  # of each class: true and false positives, true and false negatives, images
        for name, right, images in zip(
            distinct_names(self.classifier.class_names), counts[:, 0], counts[:, 4], strict=True
        ):
            if int(images):
                self.log(f"classifier/{what}_of_{name}", right.float() / images, sync_dist=True)
        answers.reset()

    def configure_optimizers(self) -> Any:
        """Returns the optimiser with its schedule over all steps of the run."""
        optimizer, scheduler = self._schedule(max(1, int(self.trainer.estimated_stepping_batches)))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _schedule(self, steps: int) -> tuple[Optimizer, LRScheduler]:
        optimizer = make_optimizer(self.optimizer_settings, self.parameters(), OPTIMIZER)
        return optimizer, make_scheduler(self.scheduler_settings, optimizer, steps, SCHEDULER)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what is needed to build the classifier again."""
        checkpoint[FORMAT_KEY] = {"kind": "classifier", "settings": self.settings}


def _mapped(images: Images, noise: Float[Tensor, "batch 2 2"]) -> Images:
    """Returns images behind the affine maps that differ from the identity by ``noise``, mirrored at their edges."""
    affine = torch.cat([torch.eye(2) + noise, torch.zeros(len(images), 2, 1)], dim=2).to(images)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
