"""Lightning data modules: the base of the sets of images, and the images to explain."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import lightning as L

from overpaint.core.errors import OverpaintError
from overpaint.core.memory import FLOAT, check_memory
from overpaint.core.scale import SeriesScale
from overpaint.core.sizes import format_size, plain_size
from overpaint.core.types import Batch
from overpaint.data.domain import DomainData
from overpaint.data.reading import Size, as_image_size


class ImageData(DomainData):
    """Base of the data sets of images.

    Args:
        image_size: Height and width of the images in pixels, or the side of square ones.
        channels: 1 (grey) or 3 (RGB), or how many bands the images have where ``takes_bands``.
        batch_size: Images in a batch.
        seed: Seed of splits, order and whatever else is random.

    Attributes:
        takes_bands: Whether images may have another number of channels than 1 or 3.

    Raises:
        OverpaintError: If the images can't be of that size or those channels.
    """

    dimensions = 2
    takes_bands: ClassVar[bool] = False

    def __init__(self, image_size: int | Sequence[int], channels: int, batch_size: int, seed: int) -> None:
        if channels < 1 or (channels not in (1, 3) and not self.takes_bands):
            known = "1 (grey), 3 (RGB), or the images' number of bands" if self.takes_bands else "1 (grey) or 3 (RGB)"
            raise OverpaintError(f"data.channels={channels} must be {known}")
        size = as_image_size(image_size, "data.image_size")
        check_memory(
            f"data.image_size={plain_size(size)} and data.channels={channels}",
            batch_size * FLOAT * channels * math.prod(size),
        )
        super().__init__(size, channels, batch_size, seed)
        self.input_size: Size = size

    @classmethod
    def size_argument(cls, size: Sequence[int]) -> dict[str, Any]:
        """See `DomainData.size_argument`."""
        if len(size) != cls.dimensions:
            raise OverpaintError(f"the data are images of a height and a width, which {format_size(size)} is not")
        return {"image_size": plain_size(size)}

    @classmethod
    def arguments_for(cls, size: Sequence[int], channels: int, scale: SeriesScale | None) -> dict[str, Any]:
        """See `DomainData.arguments_for`."""
        return cls.size_argument(size) | {"channels": channels}


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
