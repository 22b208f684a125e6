"""Torchvision's data sets: MNIST, Fashion-MNIST, CIFAR-10 and CelebA, from a folder or downloaded."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torchvision
from torch.utils.data import Dataset

from overpaint.core.bounds import Count, ImageSize, Seed
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.types import Stamp
from overpaint.data.module import ImageData
from overpaint.data.reading import resize_image
from overpaint.data.split import ImageSplit, Skipped, UnreadSplit, file_stamp

Name = Literal["mnist", "fashion_mnist", "cifar10", "celeba"]

WHERE = {
    "mnist": "MNIST/raw/ with the four idx files of MNIST",
    "fashion_mnist": "FashionMNIST/raw/ with the four idx files of Fashion-MNIST",
    "cifar10": "cifar-10-batches-py/ from cifar-10-python.tar.gz",
    "celeba": "celeba/ with img_align_celeba/, list_attr_celeba.txt, list_eval_partition.txt and the other lists",
}
"""What must lie below ``data.root`` where nothing can be downloaded."""


CELEBA_SPLITS = {"train": "train", "val": "valid", "test": "test"}
"""What torchvision calls CelebA's splits."""


@checked_settings
class TorchvisionData(ImageData):
    """MNIST, Fashion-MNIST, CIFAR-10 or CelebA.

    A tenth of the training images (seeded) are the validation split, except for CelebA, which has its own.

    Args:
        dataset: Which of them.
        root: The folder that holds it, or where it is downloaded to.
        attribute: CelebA has no classes; this attribute makes two of it (without it, with it).
        image_size: Height and width of the images, or the side of square ones, to which the middle of each is resized;
            None: 64 for CelebA, else 32.
        channels: 1 or 3.
        batch_size: Images in a batch.
        seed: Seed of the split and the order.

    Raises:
        OverpaintError: If the data set is not there and can't be downloaded.
    """

    def __init__(
        self,
        dataset: Name,
        root: str = "datasets",
        attribute: str = "Smiling",
        image_size: ImageSize | None = None,
        channels: int = 3,
        batch_size: Count = 64,
        seed: Seed = 0,
    ) -> None:
        default = 64 if dataset == "celeba" else 32
        super().__init__(default if image_size is None else image_size, channels, batch_size, seed)
        self.dataset, self.root, self.attribute = dataset, root, attribute

    def prepare_data(self) -> None:
        """Downloads the data set if any of its files is missing."""
        try:
            self._source("test")  # torchvision looks for the files of all splits, whichever is opened
            return
        except RuntimeError:
            pass  # not there
        try:
            self._source("test", download=True)
        except Exception as error:  # torchvision raises a different error for each way a download can fail
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(": ")
            raise OverpaintError(
                f"data={self.dataset} is not in data.root={self.root} and can't be downloaded ({reason}); put there "
                f"{WHERE[self.dataset]}"
            ) from error

    def _source(self, name: str, download: bool = False) -> Any:
        """Opens torchvision's data set that holds a split."""
        which = {"split": CELEBA_SPLITS[name]} if self.dataset == "celeba" else {"train": name != "test"}
        classes: dict[Name, Any] = {
            "mnist": torchvision.datasets.MNIST,
            "fashion_mnist": torchvision.datasets.FashionMNIST,
            "cifar10": torchvision.datasets.CIFAR10,
            "celeba": torchvision.datasets.CelebA,
        }
        return classes[self.dataset](self.root, download=download, **which)

    def open_split(self, name: str) -> UnreadSplit:
        """See `ImageData.open_split`; what is missing is not downloaded.

        Raises:
            OverpaintError: If the data set is not there, or ``attribute`` is none of CelebA's.
        """
        try:
            source = self._source(name)
        except RuntimeError as error:
            raise OverpaintError(
                f"data={self.dataset} is not in data.root={self.root}; prepare_data() downloads it"
            ) from error
        if self.dataset == "celeba":
            if self.attribute not in source.attr_names:
                raise OverpaintError(f"data.attribute={self.attribute} is no attribute of CelebA")
            labels = source.attr[:, source.attr_names.index(self.attribute)].tolist()
            self.class_names = [f"not_{self.attribute}", self.attribute]
        else:
            labels = [int(label) for label in source.targets]
            self.class_names = [str(class_name) for class_name in source.classes]
        own = self._own_indices(name, len(source))

        def read(indices: Sequence[int]) -> tuple[ImageSplit, list[Skipped]]:
            return self._convert(source, labels, [own[i] for i in indices], name), []

        return UnreadSplit(len(own), read, self._stamps(source, own, name))

    def _stamps(self, source: Any, own: Sequence[int], name: str) -> Callable[[int], Stamp]:
        """Returns what says of an image, by its own file or by those of all, whether it has changed."""
        if self.dataset == "celeba":
            folder = Path(self.root) / "celeba" / "img_align_celeba"
            return lambda index: file_stamp(_image_name(name, own[index]), folder / source.filename[own[index]])
        folder = Path(self.root) / WHERE[self.dataset].split("/")[0]
        files = [path.stat() for path in sorted(folder.rglob("*")) if path.is_file()]
        state = [(each.st_size, each.st_mtime_ns) for each in files]
        digest = hashlib.blake2b(repr((str(folder.absolute()), state)).encode(), digest_size=8).hexdigest()
        return lambda index: Stamp(_image_name(name, own[index]), digest)

    def _own_indices(self, name: str, count: int) -> Sequence[int]:
        """Returns which images of torchvision's data set a split has."""
        if name == "test" or self.dataset == "celeba":
            return range(count)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(self.seed)).tolist()
        tenth = max(1, count // 10)
        return order[:tenth] if name == "val" else order[tenth:]

    def _convert(self, source: Dataset[Any], labels: list[int], indices: Sequence[int], name: str) -> ImageSplit:
        images = torch.empty(len(indices), self.channels, *self.input_size, dtype=torch.uint8)
        for row, index in enumerate(indices):
            images[row] = resize_image(source[index][0], self.input_size, self.channels, "crop")
        own_labels = torch.tensor([labels[index] for index in indices], dtype=torch.long)
        return ImageSplit(images, own_labels, [_image_name(name, index) for index in indices])


def _image_name(split: str, index: int) -> str:
    return f"{split}-{index:05d}"
