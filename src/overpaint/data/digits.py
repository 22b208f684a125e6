"""The bundled domain: real handwritten digits in random colour, size and place on crops of real photographs.

Handwriting and photographs are scikit-learn's bundled sets (``load_digits``: 1797 glyphs of 8x8 pixels from the UCI
repository; ``load_sample_images``: two photographs), so nothing is downloaded. The position of each digit is known
exactly, which makes the domain a test bed for saliency maps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from sklearn.datasets import load_digits, load_sample_images
from torch import Tensor

from overpaint.data.annotations.objects import MaskObjects
from overpaint.data.base import ImageData, ImagePart
from overpaint.errors import OverpaintError
from overpaint.types import ImageObjects, Targets

GLYPH_SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
"""How the glyphs are shared out between the parts: no handwriting of one part is seen in another."""


@dataclass(frozen=True)
class DigitStyle:
    """How a digit is put on a photograph; sizes are shares of the image's side.

    Attributes:
        smallest: Least side of the glyph's square.
        largest: Greatest side.
        brightness: The photograph is darkened to this share, so that the digit stands out.
        photo_scale: The photographs are enlarged by this factor for images of 32 pixels, in proportion for others: the
            larger, the calmer the background.
        threshold: Ink above which a glyph's pixel belongs to the stroke.
        sharpness: Steepness of the stroke's edge.
        least_saturation: Least saturation of the digit's colour; the hue is any.
        most_saturation: Greatest saturation.
    """

    smallest: float = 0.84
    largest: float = 0.96
    brightness: float = 0.33
    photo_scale: float = 1.5
    threshold: float = 0.45
    sharpness: float = 12.0
    least_saturation: float = 0.3
    most_saturation: float = 0.8


def bright_colours(count: int, style: DigitStyle, rng: torch.Generator) -> Float[Tensor, "count 3"]:
    """Draws RGB colours of random hue, of the style's saturation, and of value 0.9 to 1 (HSV)."""
    hue = 6 * torch.rand(count, 1, generator=rng)
    spread = style.most_saturation - style.least_saturation
    saturation = style.least_saturation + spread * torch.rand(count, 1, generator=rng)
    value: Tensor = 0.9 + 0.1 * torch.rand(count, 1, generator=rng)
    k = (torch.tensor([5.0, 3.0, 1.0]) + hue) % 6
    distance: Tensor = torch.minimum(k, 4 - k).clamp(0, 1)
    return value - value * saturation * distance


def photo_crops(count: int, size: int, style: DigitStyle, rng: torch.Generator) -> Float[Tensor, "count 3 size size"]:
    """Draws square crops of the sample photographs."""
    photos = torch.stack([torch.from_numpy(p.copy()) for p in load_sample_images().images])
    photos = photos.permute(0, 3, 1, 2).float() / 255
    photos = F.interpolate(photos, scale_factor=style.photo_scale * size / 32, mode="bilinear", antialias=True)
    which = torch.randint(len(photos), (count,), generator=rng)
    top = torch.randint(photos.shape[2] - size, (count,), generator=rng)
    left = torch.randint(photos.shape[3] - size, (count,), generator=rng)
    side = torch.arange(size)
    rows, columns = (top[:, None] + side)[:, :, None], (left[:, None] + side)[:, None, :]
    return photos.permute(0, 2, 3, 1)[which[:, None, None], rows, columns].permute(0, 3, 1, 2)


def ink(
    glyphs: Float[Tensor, "count 8 8"], size: int, style: DigitStyle, rng: torch.Generator
) -> Float[Tensor, "count size size"]:
    """Draws each glyph at a random size and place: how much ink covers each pixel, in ``[0, 1]``."""
    count = len(glyphs)
    scale = style.smallest + (style.largest - style.smallest) * torch.rand(count, generator=rng)
    shift = (2 * torch.rand(count, 2, generator=rng) - 1) * (1 - scale)[:, None]
    affine = torch.zeros(count, 2, 3)
    affine[:, 0, 0] = affine[:, 1, 1] = 1 / scale
    affine[:, :, 2] = -shift / scale[:, None]
    grid = F.affine_grid(affine, [count, 1, size, size], align_corners=False)
    smooth = F.interpolate(glyphs[:, None], scale_factor=4, mode="bicubic").clamp(0, 1)
    placed = F.grid_sample(smooth, grid, align_corners=False)[:, 0]
    covered = torch.sigmoid((placed - style.threshold) * style.sharpness)
    ends = torch.tensor([-style.threshold, 1 - style.threshold]) * style.sharpness
    low, high = torch.sigmoid(ends).unbind()
    return ((covered - low) / (high - low)).clamp(0, 1)


def compose(
    glyphs: Float[Tensor, "glyph 8 8"],
    labels: Int[Tensor, " glyph"],
    count: int,
    size: int,
    style: DigitStyle,
    rng: torch.Generator,
) -> tuple[Float[Tensor, "count 3 size size"], Targets, Bool[Tensor, "count size size"]]:
    """Puts ``count`` glyphs drawn from ``glyphs`` on photographs.

    Returns:
        The images in ``[0, 1]``, their labels, and the mask of each digit's strokes (ink above one half).
    """
    chosen = torch.randint(len(glyphs), (count,), generator=rng)
    photos = style.brightness * photo_crops(count, size, style, rng)
    covered = ink(glyphs[chosen], size, style, rng)
    colours = bright_colours(count, style, rng)[:, :, None, None]
    return torch.lerp(photos, colours.expand_as(photos), covered[:, None]), labels[chosen], covered > 0.5


def boxes(objects: Bool[Tensor, "count height width"]) -> Int[Tensor, "count 4"]:
    """Returns the box of each mask as left, top, right, bottom, the last two exclusive."""
    corners = []
    for axis in (1, 2):
        seen = objects.any(axis).int()
        length = seen.shape[1]
        corners.append((seen.argmax(1), length - seen.flip(1).argmax(1)))
    (left, right), (top, bottom) = corners
    return torch.stack([left, top, right, bottom], dim=1)


@dataclass(frozen=True)
class Strokes(Sequence[ImageObjects]):
    """The stroke of each digit as an object of its class, in one tensor.

    Attributes:
        masks: True on the stroke.
        labels: The digits.
    """

    masks: Bool[Tensor, "count height width"]
    labels: Targets

    def __len__(self) -> int:
        return len(self.masks)

    @overload
    def __getitem__(self, index: int) -> MaskObjects: ...

    @overload
    def __getitem__(self, index: slice) -> "Strokes": ...

    def __getitem__(self, index: int | slice) -> "MaskObjects | Strokes":
        if isinstance(index, slice):
            return Strokes(self.masks[index], self.labels[index])
        return MaskObjects(self.masks[index], int(self.labels[index]))


class DigitsData(ImageData):
    """Digits on photographs, split by glyph.

    Args:
        train_count: Images of the training part.
        val_count: Images of the validation part.
        test_count: Images of the test part.
        image_size: Side of the images.
        channels: 3, or 1 for grey.
        batch_size: Images in a batch.
        seed: Seed of the split and of all that is drawn.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    def __init__(
        self,
        train_count: int = 16000,
        val_count: int = 1000,
        test_count: int = 2000,
        image_size: int | None = None,
        channels: int = 3,
        batch_size: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(32 if image_size is None else image_size, channels, batch_size, seed)
        if min(train_count, val_count, test_count) < 1 or self.image_size < 16:
            raise OverpaintError(
                f"data: train_count={train_count}, val_count={val_count} and test_count={test_count} must be "
                f"positive, image_size={self.image_size} at least 16"
            )
        self.counts = {"train": train_count, "val": val_count, "test": test_count}
        self.class_names = [str(digit) for digit in range(10)]

    def setup(self, stage: str | None = None) -> None:
        """Composes the three parts; a few seconds for the default counts."""
        if hasattr(self, "train"):
            return
        digits = load_digits()
        glyphs, labels = torch.tensor(digits.images / 16, dtype=torch.float32), torch.tensor(digits.target)
        order = torch.randperm(len(glyphs), generator=torch.Generator().manual_seed(self.seed))
        sizes = [round(share * len(glyphs)) for share in GLYPH_SHARES.values()]
        for index, (name, part) in enumerate(zip(GLYPH_SHARES, order.split(sizes), strict=True)):
            rng = torch.Generator().manual_seed(1000 * self.seed + index)
            images, part_labels, objects = compose(
                glyphs[part], labels[part], self.counts[name], self.image_size, DigitStyle(), rng
            )
            if self.channels == 1:
                images = images.mean(1, keepdim=True)
            names = [f"{name}-{i:05d}" for i in range(len(images))]
            strokes = Strokes(objects, part_labels.long())
            setattr(self, name, ImagePart((images * 255).round().byte(), strokes.labels, names, strokes))
