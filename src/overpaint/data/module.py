"""Lightning data modules: the base of the data sets, and the images to explain."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import lightning as L
import torch
from torch.utils.data import DataLoader, DistributedSampler

from overpaint.core.errors import OverpaintError
from overpaint.core.memory import FLOAT, check_memory
from overpaint.core.sizes import plain_size
from overpaint.core.types import Batch
from overpaint.data.reading import as_image_size
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


class ImageData(L.LightningDataModule, ABC):
    """Base of the data sets: a subclass opens its splits, unread, in `open_split`; ``setup`` reads what a stage needs.

    Args:
        image_size: Height and width of the images in pixels, or the side of square ones.
        channels: 1 (grey) or 3 (RGB), or how many bands the images have where ``takes_bands``.
        batch_size: Images in a batch.
        seed: Seed of splits, order and whatever else is random.

    Attributes:
        takes_bands: Whether images may have another number of channels than 1 or 3.
        input_size: Height and width of the images.
        class_names: The name of each class, once a split is open.
        skipped: Files that could not be read, of the splits that were.
        notes: What a user should know of the images that were read, each in one sentence.

    Raises:
        OverpaintError: If the images can't be of that size or those channels.
    """

    takes_bands: ClassVar[bool] = False

    def __init__(self, image_size: int | Sequence[int], channels: int, batch_size: int, seed: int) -> None:
        super().__init__()
        if channels < 1 or (channels not in (1, 3) and not self.takes_bands):
            known = "1 (grey), 3 (RGB), or the images' number of bands" if self.takes_bands else "1 (grey) or 3 (RGB)"
            raise OverpaintError(f"data.channels={channels} must be {known}")
        self.input_size = as_image_size(image_size, "data.image_size")
        check_memory(
            f"data.image_size={plain_size(self.input_size)} and data.channels={channels}",
            batch_size * FLOAT * channels * math.prod(self.input_size),
        )
        self.channels, self.batch_size, self.seed = channels, batch_size, seed
        self.class_names: list[str] = []
        self.skipped: list[Skipped] = []
        self.notes: list[str] = []
        self._splits: dict[str, ImageSplit] = {}
        self.allow_zero_length_dataloader_with_multiple_devices = True

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

    def train_dataloader(self) -> DataLoader[Batch]:
        """Returns the training split in a new random order each epoch; an incomplete last batch is left out."""
        world = self.trainer.world_size if self.trainer else 1
        return self._loader(self.train, shuffle=True, drop_last=len(self.train) >= self.batch_size * world)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Returns the validation split."""
        return self._loader(self.val, shuffle=False)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Returns the test split."""
        return self._loader(self.test, shuffle=False)


class PredictDataModule(L.LightningDataModule):
    """Images to be explained, shared out between the processes.

    Args:
        pending: Says, in the first process, which images have to be read.
        open_batches: Opens the batches of some of them.

    Attributes:
        count: How many there are, of all processes together.
    """

    def __init__(
        self, pending: Callable[[], Sequence[int]], open_batches: Callable[[Sequence[int]], Iterable[Batch]]
    ) -> None:
        super().__init__()
        self.pending, self.open_batches, self.count = pending, open_batches, 0

    def predict_dataloader(self) -> Iterable[Batch]:
        """Returns the batches of this process: of each group of as many images as there are processes it takes one."""
        assert self.trainer is not None
        indices = list(self.pending()) if self.trainer.is_global_zero else []
        indices = self.trainer.strategy.broadcast(indices)
        self.count = len(indices)
        return self.open_batches(indices[self.trainer.global_rank :: self.trainer.world_size])
