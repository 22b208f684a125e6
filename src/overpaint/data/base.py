"""What every data set offers: three parts held in memory as bytes, and loaders over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from overpaint.core.errors import OverpaintError
from overpaint.core.resize import as_size
from overpaint.core.types import Batch, GroundTruthObjects, Targets

UNLABELLED = -1


@dataclass(frozen=True)
class ImageSplit(Dataset[Batch]):
    """One part of a data set, in memory.

    Attributes:
        images: Grey or RGB, 0 to 255.
        labels: Class indices, or -1.
        names: A name for each image, unique in the part.
        ground_truth: The annotated objects of each image, in data sets that know them.
        paths: The file of each image, where each has its own.
    """

    images: UInt8[Tensor, "count channel height width"]
    labels: Targets
    names: Sequence[str]
    ground_truth: Sequence[GroundTruthObjects] | None = None
    paths: Sequence[Path] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, indices: list[int]) -> Batch:
        """Returns a whole batch at once, its images in ``[0, 1]``; DataLoader calls this when it is there."""
        return Batch(self.images[indices].float() / 255, self.labels[indices], [self.names[i] for i in indices])

    def chosen(self, indices: Sequence[int]) -> "ImageSplit":
        """Returns some of the images as a part of their own."""
        rows = list(indices)
        objects = None if self.ground_truth is None else [self.ground_truth[i] for i in rows]
        paths = None if self.paths is None else [self.paths[i] for i in rows]
        return ImageSplit(self.images[rows], self.labels[rows], [self.names[i] for i in rows], objects, paths)


@dataclass(frozen=True)
class Skipped:
    """A file that could not be read, and why."""

    path: str
    reason: str


def _as_is(batch: Any) -> Any:
    return batch


class ImageData(L.LightningDataModule):
    """Base of the data sets: a subclass sets the three parts and the class names in ``setup``.

    Args:
        image_size: Height and width of the images in pixels, or the side of square ones.
        channels: 1 (grey) or 3 (RGB).
        batch_size: Images in a batch.
        seed: Seed of splits, order and whatever else is random.

    Attributes:
        input_size: Height and width of the images.

    Raises:
        OverpaintError: If the images can't be of that size or those channels.
    """

    train: ImageSplit
    val: ImageSplit
    test: ImageSplit

    def __init__(self, image_size: int | Sequence[int], channels: int, batch_size: int, seed: int) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise OverpaintError(f"data.channels={channels} must be 1 (grey) or 3 (RGB)")
        height, width = as_size(image_size, name="data.image_size")
        self.input_size = (height, width)
        self.channels, self.batch_size, self.seed = channels, batch_size, seed
        self.class_names: list[str] = []
        self.skipped: list[Skipped] = []
        self.allow_zero_length_dataloader_with_multiple_devices = True

    def _loader(self, part: ImageSplit, shuffle: bool, drop_last: bool = False) -> DataLoader[Batch]:
        # Its order depends on (seed, epoch) alone, so that a resumed run sees what an uninterrupted one would have.
        world = self.trainer.world_size if self.trainer else 1
        rank = self.trainer.global_rank if self.trainer else 0
        sampler: DistributedSampler[Batch] | None = None
        if shuffle:
            sampler = DistributedSampler(part, world, rank, shuffle=True, seed=self.seed, drop_last=drop_last)
        return DataLoader(
            part,
            batch_size=self.batch_size,
            sampler=sampler,
            collate_fn=_as_is,
            drop_last=drop_last,
            pin_memory=torch.cuda.is_available(),
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Returns the training part in a new random order each epoch; an incomplete last batch is left out."""
        world = self.trainer.world_size if self.trainer else 1
        return self._loader(self.train, shuffle=True, drop_last=len(self.train) >= self.batch_size * world)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Returns the validation part."""
        return self._loader(self.val, shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Returns the test part."""
        return self._loader(self.test, shuffle=False)


class PredictDataModule(L.LightningDataModule):
    """Images to be explained.

    Args:
        part: The images.
        batch_size: Images that are explained together.
    """

    def __init__(self, part: ImageSplit, batch_size: int) -> None:
        super().__init__()
        self.part, self.batch_size = part, batch_size

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Returns the images in their order."""
        return DataLoader(self.part, batch_size=self.batch_size, collate_fn=_as_is)


def channel_statistics(images: UInt8[Tensor, "count channel height width"]) -> tuple[list[float], list[float]]:
    """Returns mean and standard deviation of each channel of images in ``[0, 1]``, from the first 4096."""
    values = images[:4096].transpose(0, 1).flatten(1).double() / 255
    return values.mean(1).tolist(), values.std(1).clamp(min=1 / 255).tolist()
