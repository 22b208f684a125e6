"""Torchvision's data sets, from a folder or downloaded where there is a network."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torchvision
from torch.utils.data import Dataset

from overpaint.core.errors import OverpaintError
from overpaint.data.base import ImageData, ImageSplit
from overpaint.data.reading import fit_image

Name = Literal["mnist", "fashion_mnist", "cifar10", "celeba"]

WHERE = {
    "mnist": "MNIST/raw/ with the four idx files of MNIST",
    "fashion_mnist": "FashionMNIST/raw/ with the four idx files of Fashion-MNIST",
    "cifar10": "cifar-10-batches-py/ from cifar-10-python.tar.gz",
    "celeba": "celeba/ with img_align_celeba/, list_attr_celeba.txt, list_eval_partition.txt and the other lists",
}
"""What must lie below ``data.root`` where nothing can be downloaded."""


class TorchvisionData(ImageData):
    """MNIST, Fashion-MNIST, CIFAR-10 or CelebA.

    A tenth of the training part (seeded) is the validation part, except for CelebA, which has its own.

    Args:
        dataset: Which.
        root: The folder that holds it, or where it is downloaded to.
        attribute: CelebA has no classes; this attribute makes two of it (without it, with it).
        image_size: Height and width of the images, or the side of square ones, to which the middle of each is resized;
            None: 64 for CelebA, else 32.
        channels: 1 or 3.
        batch_size: Images in a batch.
        seed: Seed of the split and the order.

    Raises:
        OverpaintError: If the data set is neither there nor to be had.
    """

    def __init__(
        self,
        dataset: Name,
        root: str = "datasets",
        attribute: str = "Smiling",
        image_size: int | Sequence[int] | None = None,
        channels: int = 3,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        default = 64 if dataset == "celeba" else 32
        super().__init__(default if image_size is None else image_size, channels, batch_size, seed)
        self.dataset, self.root, self.attribute = dataset, root, attribute

    def _open(self, train: bool, celeba_split: str = "") -> Any:
        classes = {
            "mnist": torchvision.datasets.MNIST,
            "fashion_mnist": torchvision.datasets.FashionMNIST,
            "cifar10": torchvision.datasets.CIFAR10,
            "celeba": torchvision.datasets.CelebA,
        }
        part = {"split": celeba_split} if self.dataset == "celeba" else {"train": train}
        try:
            return classes[self.dataset](self.root, download=False, **part)
        except RuntimeError:
            pass  # not there: what follows downloads it
        try:
            return classes[self.dataset](self.root, download=True, **part)
        except Exception as error:  # torchvision raises a different error for each way a download can fail
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(": ")
            raise OverpaintError(
                f"data={self.dataset} is not in data.root={self.root} and can't be downloaded ({reason}); put there "
                f"{WHERE[self.dataset]}"
            ) from error

    def setup(self, stage: str | None = None) -> None:
        """Reads the three parts into memory."""
        if hasattr(self, "train"):
            return
        if self.dataset == "celeba":
            for name, split in (("train", "train"), ("val", "valid"), ("test", "test")):
                part = self._open(False, split)
                if self.attribute not in part.attr_names:
                    raise OverpaintError(f"data.attribute={self.attribute} is no attribute of CelebA")
                labels = part.attr[:, part.attr_names.index(self.attribute)]
                setattr(self, name, self._convert(part, labels.tolist(), range(len(part)), name))
            self.class_names = [f"not_{self.attribute}", self.attribute]
            return
        training, testing = self._open(True), self._open(False)
        self.class_names = [str(name) for name in training.classes]
        order = torch.randperm(len(training), generator=torch.Generator().manual_seed(self.seed)).tolist()
        tenth = max(1, len(training) // 10)
        labels = [int(label) for label in training.targets]
        self.val = self._convert(training, labels, order[:tenth], "val")
        self.train = self._convert(training, labels, order[tenth:], "train")
        self.test = self._convert(testing, [int(label) for label in testing.targets], range(len(testing)), "test")

    def _convert(self, source: Dataset[Any], labels: list[int], indices: Sequence[int], name: str) -> ImageSplit:
        images = torch.empty(len(indices), self.channels, *self.input_size, dtype=torch.uint8)
        for row, index in enumerate(indices):
            images[row] = fit_image(source[index][0], self.input_size, self.channels, "crop")
        chosen = torch.tensor([labels[index] for index in indices], dtype=torch.long)
        return ImageSplit(images, chosen, [f"{name}-{index:05d}" for index in indices])
