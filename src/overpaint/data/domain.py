"""The base of the data sets: Lightning data modules of images or of series."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import lightning as L
import torch
from torch.utils.data import DataLoader, DistributedSampler

from overpaint.core.errors import OverpaintError
from overpaint.core.scale import SeriesScale
from overpaint.core.types import Batch
from overpaint.data.split import ImageSplit, Skipped, UnreadSplit

STAGES: dict[str | None, tuple[str, ...]] = {
    "fit": ("train", "val"),
    "validate": ("val",),
    "test": ("test",),
    "predict": (),
    None: ("train", "val", "test"),
}
"""The splits that each of Lightning's stages reads into memory.

``predict`` reads none: the images to explain are read out of the unread test split, as many as are wanted.
"""


def _as_is(batch: Any) -> Any:
    return batch


class DomainData(L.LightningDataModule, ABC):
    """Base of the data sets: a subclass opens its splits, unread, in `open_split`; ``setup`` reads what a stage needs.

    Args:
        input_size: The size along each spatial dimension.
        channels: Channels of an image or series.
        batch_size: Images in a batch.
        seed: Seed of splits, order and whatever else is random.

    Attributes:
        dimensions: How many spatial dimensions there are: 1 for series, 2 for images.
        input_size: The size along each of them.
        class_names: The name of each class, once a split is open.
        skipped: Files that could not be read, of the splits that were.
        notes: What a user should know of the images that were read, each in one sentence.
    """

    dimensions: ClassVar[int]

    def __init__(self, input_size: tuple[int, ...], channels: int, batch_size: int, seed: int) -> None:
        super().__init__()
        self.input_size, self.channels, self.batch_size, self.seed = input_size, channels, batch_size, seed
        self.class_names: list[str] = []
        self.skipped: list[Skipped] = []
        self.notes: list[str] = []
        self._splits: dict[str, ImageSplit] = {}
        self.allow_zero_length_dataloader_with_multiple_devices = True

    @property
    def scale(self) -> SeriesScale | None:
        """The units of series; None for images."""
        return None

    @classmethod
    @abstractmethod
    def size_argument(cls, size: Sequence[int]) -> dict[str, Any]:
        """Returns the argument by which the data set is made at a size.

        Raises:
            OverpaintError: If the size has another number of dimensions.
        """

    @classmethod
    @abstractmethod
    def arguments_for(cls, size: Sequence[int], channels: int, scale: SeriesScale | None) -> dict[str, Any]:
        """Returns the arguments by which the data set is made for a classifier of that size, channels and scale.

        Raises:
            OverpaintError: If the size has another number of dimensions.
        """

    @abstractmethod
    def open_split(self, name: str) -> UnreadSplit:
        """Opens a split without reading its images, and sets the class names.

        Args:
            name: ``train``, ``val`` or ``test``.

        Raises:
            OverpaintError: If the data are not there.
        """

    def setup(self, stage: str | None = None) -> None:
        """Reads the splits that a stage needs into memory, each once.

        Args:
            stage: ``fit``, ``validate``, ``test`` or ``predict``; None: all splits.
        """
        for name in STAGES[stage]:
            if name not in self._splits:
                self._splits[name], skipped = self.open_split(name).read_all()
                self.skipped += skipped

    @property
    def train(self) -> ImageSplit:
        """The training split, after ``setup("fit")``."""
        return self._split("train", "fit")

    @property
    def val(self) -> ImageSplit:
        """The validation split, after ``setup("fit")``."""
        return self._split("val", "fit")

    @property
    def test(self) -> ImageSplit:
        """The test split, after ``setup("test")``."""
        return self._split("test", "test")

    def _split(self, name: str, stage: str) -> ImageSplit:
        if name not in self._splits:
            raise OverpaintError(f'the {name} split has not been read; call setup("{stage}") first')
        return self._splits[name]

    def _loader(self, split: ImageSplit, shuffle: bool, drop_last: bool = False) -> DataLoader[Batch]:
        # Its order depends on (seed, epoch) alone, so that a resumed run sees what an uninterrupted one would have.
        world = self.trainer.world_size if self.trainer else 1
        rank = self.trainer.global_rank if self.trainer else 0
        sampler: DistributedSampler[Batch] | None = None
        if shuffle:
            sampler = DistributedSampler(split, world, rank, shuffle=True, seed=self.seed, drop_last=drop_last)
        return DataLoader(
            split,
            batch_size=self.batch_size,
            sampler=sampler,
            collate_fn=_as_is,
            drop_last=drop_last,
            pin_memory=torch.cuda.is_available(),
        )

    def shown_in_epoch(self) -> ImageSplit:
        """Returns what training is shown in an epoch: the training split."""
        return self.train

    def train_dataloader(self) -> DataLoader[Batch]:
        """Returns what is shown in an epoch in a new random order; an incomplete last batch is left out."""
        world, shown = self.trainer.world_size if self.trainer else 1, self.shown_in_epoch()
        return self._loader(shown, shuffle=True, drop_last=len(shown) >= self.batch_size * world)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Returns the validation split."""
        return self._loader(self.val, shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Returns the test split."""
        return self._loader(self.test, shuffle=False)
