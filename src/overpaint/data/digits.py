"""The bundled domain: real handwritten digits in random colour, size and place on crops of real photographs.

Handwriting and photographs are scikit-learn's bundled sets (``load_digits``: 1797 glyphs of 8x8 pixels from the UCI
repository; ``load_sample_images``: two photographs), so nothing is downloaded. The position of each digit is known
exactly, which makes the domain a test bed for saliency maps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import sklearn
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from sklearn.datasets import load_digits, load_sample_images
from torch import Tensor

from overpaint.core.bounds import Count, ImageSize, Seed
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.types import Stamp, Targets
from overpaint.data.annotations.objects import MaskPerInput
from overpaint.data.module import ImageData
from overpaint.data.split import ImageSplit, UnreadSplit

GLYPH_FRACTIONS = {"train": 0.7, "val": 0.1, "test": 0.2}
"""The fraction of the glyphs that each split has to itself: no handwriting of one is seen in another."""

BLOCK = 1000
"""So many images are composed at once."""

Photographs = Float[Tensor, "photo 3 height width"]

Corners = Int[Tensor, "count 3"]


@dataclass(frozen=True)
class DigitStyle:
    """How a digit is put on a photograph; sizes are fractions of the image's side.

    Attributes:
        smallest: Least side of the glyph's square.
        largest: Greatest side.
        brightness: The photograph is darkened to this fraction, so that the digit stands out.
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


@cache
def photographs(size: int, style: DigitStyle) -> Photographs:
    """Returns the sample photographs, enlarged for images of that size."""
    photos = torch.stack([torch.from_numpy(p.copy()) for p in load_sample_images().images])
    photos = photos.permute(0, 3, 1, 2).float() / 255
    # By a factor, not to a size as `overpaint.core.resize.resize`: rounding the height to pixels would stretch them.
    return F.interpolate(photos, scale_factor=style.photo_scale * size / 32, mode="bilinear", antialias=True)


def draw_corners(photos: Photographs, count: int, size: int, rng: torch.Generator) -> Corners:
    """Draws where crops lie: the number of the photograph, the top row and the left column of each."""
    limits = len(photos), photos.shape[2] - size, photos.shape[3] - size
    return torch.stack([torch.randint(limit, (count,), generator=rng) for limit in limits], dim=1)


def crops_at(photos: Photographs, corners: Corners, size: int) -> Float[Tensor, "count 3 size size"]:
    """Returns the square crops at those corners."""
    which, top, left = corners.unbind(1)
    side = torch.arange(size)
    rows, columns = (top[:, None] + side)[:, :, None], (left[:, None] + side)[:, None, :]
    return photos.permute(0, 2, 3, 1)[which[:, None, None], rows, columns].permute(0, 3, 1, 2)


def draw_places(count: int, style: DigitStyle, rng: torch.Generator) -> Float[Tensor, "count 3"]:
    """Draws the scale of each digit, and its shift along both axes; an image goes from -1 to 1."""
    scale = style.smallest + (style.largest - style.smallest) * torch.rand(count, 1, generator=rng)
    return torch.cat([scale, (2 * torch.rand(count, 2, generator=rng) - 1) * (1 - scale)], dim=1)


def ink(
    glyphs: Float[Tensor, "count 8 8"], places: Float[Tensor, "count 3"], size: int, style: DigitStyle
) -> Float[Tensor, "count size size"]:
    """Puts each glyph at its place: how much ink covers each pixel, in ``[0, 1]``."""
    count, scale, shift = len(glyphs), places[:, 0], places[:, 1:]
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
    rows: Sequence[int] | None = None,
) -> Iterator[tuple[Float[Tensor, "block 3 size size"], Targets, Bool[Tensor, "block size size"]]]:
    """Puts glyphs drawn from ``glyphs`` on photographs.

    Args:
        glyphs: The handwriting.
        labels: The digit of each glyph.
        count: How many images are drawn.
        size: Their side.
        style: How the digits are put on the photographs.
        rng: What is drawn from.
        rows: Which of the images are composed; None: all. An image does not depend on which others are.

    Yields:
        In blocks of `BLOCK`, which bounds the memory: images in ``[0, 1]``, their labels, and the mask of each digit's
        strokes (ink above one half).
    """
    drawn, photos = torch.randint(len(glyphs), (count,), generator=rng), photographs(size, style)
    corners, places = draw_corners(photos, count, size, rng), draw_places(count, style, rng)
    colours = bright_colours(count, style, rng)[:, :, None, None]
    wanted = torch.arange(count) if rows is None else torch.tensor(rows, dtype=torch.long)
    for block in wanted.split(BLOCK):
        crops = style.brightness * crops_at(photos, corners[block], size)
        covered = ink(glyphs[drawn[block]], places[block], size, style)
        images = torch.lerp(crops, colours[block].expand_as(crops), covered[:, None])
        yield images, labels[drawn[block]], covered > 0.5


@cache
def _handwriting() -> tuple[Float[Tensor, "glyph 8 8"], Int[Tensor, " glyph"]]:
    """Returns all glyphs and their digits."""
    digits = load_digits()
    return torch.tensor(digits.images / 16, dtype=torch.float32), torch.tensor(digits.target)


def _image_name(split: str, index: int) -> str:
    return f"{split}-{index:05d}"


@checked_settings
class DigitsData(ImageData):
    """Digits on photographs, split by glyph.

    Args:
        train_count: Images of the training split.
        val_count: Images of the validation split.
        test_count: Images of the test split.
        image_size: Side of the images, which are square; None: 32.
        channels: 3, or 1 for grey.
        batch_size: Images in a batch.
        seed: Seed of the split and of all that is drawn.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    def __init__(
        self,
        train_count: Count = 16000,
        val_count: Count = 1000,
        test_count: Count = 2000,
        image_size: ImageSize | None = None,
        channels: int = 3,
        batch_size: Count = 64,
        seed: Seed = 0,
    ) -> None:
        super().__init__(32 if image_size is None else image_size, channels, batch_size, seed)
        self.side, width = self.input_size
        if self.side != width:
            raise OverpaintError(
                f"data.image_size=[{self.side}, {width}] is not square, but digits are; give one number"
            )
        if self.side < 16:
            raise OverpaintError(f"data.image_size={self.side} must be at least 16 for digits")
        self.counts = {"train": train_count, "val": val_count, "test": test_count}
        self.class_names = [str(digit) for digit in range(10)]

    def open_split(self, name: str) -> UnreadSplit:
        """See `ImageData.open_split`; reading composes the images."""
        made_of = [sklearn.__version__, torch.__version__, self.counts, self.side, self.channels, self.seed]

        def stamp(index: int) -> Stamp:
            return Stamp(_image_name(name, index), f"digits {made_of}")

        return UnreadSplit(self.counts[name], lambda indices: (self._composed(name, indices), []), stamp)

    def _composed(self, name: str, rows: Sequence[int]) -> ImageSplit:
        """Composes images of a split."""
        glyphs, labels = _handwriting()
        order = torch.randperm(len(glyphs), generator=torch.Generator().manual_seed(self.seed))
        sizes = [round(fraction * len(glyphs)) for fraction in GLYPH_FRACTIONS.values()]
        index = list(GLYPH_FRACTIONS).index(name)
        own = order.split(sizes)[index]
        rng = torch.Generator().manual_seed(1000 * self.seed + index)
        blocks = [
            (self._as_bytes(images), own_labels.long(), objects)
            for images, own_labels, objects in compose(
                glyphs[own], labels[own], self.counts[name], self.side, DigitStyle(), rng, rows
            )
        ]
        images, own_labels, objects = (torch.cat(column) for column in zip(*blocks, strict=True))
        names = [_image_name(name, row) for row in rows]
        return ImageSplit(images, own_labels, names, MaskPerInput(objects, own_labels))

    def _as_bytes(self, images: Float[Tensor, "block 3 size size"]) -> UInt8[Tensor, "block channel size size"]:
        """Returns images from 0 to 255, in grey where there is one channel."""
        return (255 * (images.mean(1, keepdim=True) if self.channels == 1 else images)).round().byte()
