"""The bundled digits: seeded, split by glyph, and composed as documented."""

import colorsys
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits, load_sample_images
from torch import Tensor
from torchvision.ops import masks_to_boxes

import overpaint.data.digits
from overpaint.core.errors import OverpaintError
from overpaint.data.digits import (
    GLYPH_FRACTIONS,
    DigitsData,
    DigitStyle,
    bright_colours,
    compose,
    crops_at,
    draw_corners,
    draw_places,
    ink,
    photographs,
)
from overpaint.data.split import channel_statistics

STYLE = DigitStyle(
    smallest=0.6, largest=0.9, least_saturation=0.3, most_saturation=0.8, brightness=0.4, photo_scale=1.0
)


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _data(seed: int = 0, image_size: int | None = None, channels: int = 3) -> DigitsData:
    data = DigitsData(24, 5, 7, image_size=image_size, channels=channels, seed=seed)
    data.setup()
    return data


@pytest.fixture(scope="module")
def data() -> DigitsData:
    return _data()


@pytest.mark.parametrize("name", ["train", "val", "test"])
def test_same_seed_same_bytes(data: DigitsData, name: str) -> None:
    first, again, other = getattr(data, name), getattr(_data(), name), getattr(_data(seed=1), name)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.labels, again.labels)
    assert torch.equal(first.ground_truth.masks, again.ground_truth.masks)
    assert not torch.equal(first.images, other.images)


def test_global_random_state_is_left_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    _data()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("image_size", "channels", "side"), [(None, 3, 32), (64, 3, 64), (64, 1, 64), (32, 1, 32)])
def test_shapes(image_size: int | None, channels: int, side: int) -> None:
    made = _data(image_size=image_size, channels=channels)
    for split, count in ((made.train, 24), (made.val, 5), (made.test, 7)):
        assert split.images.shape == (count, channels, side, side)
        assert split.images.dtype == torch.uint8
        assert split.labels.dtype == torch.int64
        assert set(split.labels.tolist()) <= set(range(10))
        assert len(set(split.names)) == len(split) == count
        assert split.ground_truth is not None
        assert len(split.ground_truth) == count
        for found, label in zip(split.ground_truth, split.labels.tolist(), strict=True):
            assert found.of_class(label).shape == (side, side)
            assert found.of_class(label).any()
            assert not found.of_class((label + 1) % 10).any()
    assert made.class_names == [str(digit) for digit in range(10)]


def test_grey_is_the_mean_of_the_colours(data: DigitsData) -> None:
    grey = _data(channels=1)
    mean = data.train.images.double().mean(1, keepdim=True)
    assert (grey.train.images.double() - mean).abs().max() <= 1


def test_no_glyph_is_in_two_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[bytes]] = []
    digits = load_digits()
    known = dict(zip(map(bytes, digits.images.astype("uint8")), digits.target, strict=True))

    def watched(glyphs: Tensor, labels: Tensor, *more: object) -> object:
        keys = [bytes(glyph) for glyph in (16 * glyphs).round().byte().numpy()]
        assert [known[key] for key in keys] == labels.tolist()
        seen.append(set(keys))
        return compose(glyphs, labels, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(overpaint.data.digits, "compose", watched)
    _data()
    train, val, test = seen
    assert not train & val
    assert not train & test
    assert not val & test
    assert len(train) + len(val) + len(test) == 1797
    assert [round(len(glyphs) / 1797, 2) for glyphs in seen] == list(GLYPH_FRACTIONS.values())


def test_every_split_of_every_seed_draws_from_its_own_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def watched(*arguments: object) -> object:
        rng = arguments[5]
        assert isinstance(rng, torch.Generator)
        seeds.append(rng.initial_seed())
        return compose(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(overpaint.data.digits, "compose", watched)
    _data()
    _data(seed=1)
    assert len(set(seeds)) == len(seeds) == 6


def _crops(count: int, size: int, rng: torch.Generator) -> Tensor:
    photos = photographs(size, STYLE)
    return crops_at(photos, draw_corners(photos, count, size, rng), size)


def test_crops_are_pieces_of_the_photographs() -> None:
    photos = [torch.tensor(photo).permute(2, 0, 1).float() / 255 for photo in load_sample_images().images]
    crops, rng = _crops(6, 32, _rng()), _rng()
    which = torch.randint(2, (6,), generator=rng).tolist()
    tops = torch.randint(427 - 32, (6,), generator=rng).tolist()
    lefts = torch.randint(640 - 32, (6,), generator=rng).tolist()
    for crop, photo, top, left in zip(crops, which, tops, lefts, strict=True):
        assert torch.allclose(crop, photos[photo][:, top : top + 32, left : left + 32], atol=1e-6)
    assert len(set(which)) == 2


def test_crops_of_another_size_show_as_much() -> None:
    small, large = _crops(20, 32, _rng()), _crops(20, 64, _rng())
    assert large.shape == (20, 3, 64, 64)
    assert 0 <= large.min() <= large.max() <= 1
    neighbours = [(crops[..., 1:] - crops[..., :-1]).abs().mean() for crops in (small, large)]
    assert neighbours[1] < 0.8 * neighbours[0]  # twice the pixels over the same scene change less from one to the next


def test_colours_are_hsv_in_the_documented_ranges() -> None:
    colours, rng = bright_colours(200, STYLE, _rng(3)), _rng(3)
    drawn = torch.stack([torch.rand(200, 1, generator=rng)[:, 0] for _ in range(3)], dim=1).tolist()
    for colour, (hue, saturation, value) in zip(colours.tolist(), drawn, strict=True):
        expected = colorsys.hsv_to_rgb(hue, 0.3 + 0.5 * saturation, 0.9 + 0.1 * value)
        assert colour == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("size", [32, 64])
def test_a_full_glyph_covers_its_square(size: int) -> None:
    covered, rng = ink(torch.ones(50, 8, 8), draw_places(50, STYLE, _rng(1)), size, STYLE), _rng(1)
    scale = 0.6 + 0.3 * torch.rand(50, generator=rng)
    shift = (2 * torch.rand(50, 2, generator=rng) - 1) * (1 - scale)[:, None]
    left, top = ((shift - scale[:, None] + 1) * size / 2).unbind(1)
    side = scale * size
    found = masks_to_boxes(covered > 0.5).long() + torch.tensor([0, 0, 1, 1])
    assert (found - torch.stack([left, top, left + side, top + side], dim=1)).abs().max() <= 1
    for one, box in zip(covered, found.tolist(), strict=True):
        assert torch.all(one[box[1] + 2 : box[3] - 2, box[0] + 2 : box[2] - 2] > 0.999)
        assert one.sum() == pytest.approx((box[2] - box[0]) * (box[3] - box[1]), rel=0.1)


def test_blocks_together_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _data()
    monkeypatch.setattr(overpaint.data.digits, "BLOCK", 7)
    blocks = _data()
    for name in GLYPH_FRACTIONS:
        mine, theirs = getattr(whole, name), getattr(blocks, name)
        assert torch.equal(mine.images, theirs.images)
        assert torch.equal(mine.labels, theirs.labels)
        assert torch.equal(mine.ground_truth.masks, theirs.ground_truth.masks)


@pytest.mark.parametrize(("size", "channels"), [(32, 3), (64, 1)])
def test_images_do_not_depend_on_which_others_are_composed(size: int, channels: int) -> None:
    data = DigitsData(24, 5, 70, image_size=size, channels=channels, seed=2)
    unread = data.open_split("test")
    data.setup("test")
    whole = data.test
    for rows in (range(8), [69], [3, 3, 1]):
        found, skipped = unread.read(rows)
        assert not skipped
        expected = whole.subset(rows)
        assert torch.equal(found.images, expected.images)
        assert torch.equal(found.labels, expected.labels)
        assert list(found.names) == list(expected.names)
        assert found.ground_truth is not None
        assert expected.ground_truth is not None
        for mine, theirs, label in zip(found.ground_truth, expected.ground_truth, found.labels.tolist(), strict=True):
            assert torch.equal(mine.of_class(label), theirs.of_class(label))


def test_explaining_composes_only_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    composed: list[tuple[int, int]] = []

    def watched(*arguments: Any) -> object:
        composed.append((arguments[2], len(arguments[6])))
        return compose(*arguments)

    monkeypatch.setattr(overpaint.data.digits, "compose", watched)
    data = DigitsData(24, 5, 7)
    data.setup("predict")
    assert not composed
    data.open_split("test").read(range(2))
    assert composed == [(7, 2)]
    with pytest.raises(OverpaintError, match=r'the train split has not been read; call setup\("fit"\) first'):
        len(data.train)
    data.setup("fit")
    assert composed[1:] == [(24, 24), (5, 5)]


def test_without_ink_there_is_the_darkened_photograph() -> None:
    ((images, labels, objects),) = compose(torch.zeros(3, 8, 8), torch.tensor([4, 5, 6]), 10, 32, STYLE, _rng(2))
    rng = _rng(2)
    chosen = torch.randint(3, (10,), generator=rng)
    assert torch.allclose(images, 0.4 * _crops(10, 32, rng), atol=1e-6)
    assert torch.equal(labels, chosen + 4)
    assert not objects.any()


def test_the_mask_is_where_the_digit_is() -> None:
    glyphs = torch.tensor(load_digits().images[:20] / 16, dtype=torch.float32)
    ((images, labels, objects),) = compose(glyphs, torch.arange(20), 12, 32, STYLE, _rng(5))
    rng = _rng(5)
    chosen = torch.randint(20, (12,), generator=rng)
    photos = 0.4 * _crops(12, 32, rng)
    covered = ink(glyphs[chosen], draw_places(12, STYLE, rng), 32, STYLE)
    colours = bright_colours(12, STYLE, rng)
    assert torch.equal(labels, chosen)
    bare, full = 0, 0
    for i in range(12):
        for y in range(32):
            for x in range(32):
                share, photo, pixel = float(covered[i, y, x]), photos[i, :, y, x], images[i, :, y, x]
                assert bool(objects[i, y, x]) == (share > 0.5)
                if share == 0:
                    assert torch.equal(pixel, photo)
                    bare += 1
                elif share > 0.99:
                    assert (pixel - colours[i]).abs().max() < 0.01
                    full += 1
                else:
                    assert torch.allclose(pixel, (1 - share) * photo + share * colours[i], atol=1e-6)
    assert min(bare, full) > 500


def test_ink_follows_the_glyph() -> None:
    half = torch.zeros(1, 8, 8)
    half[:, :, 4:] = 1  # the right half is inked
    style = DigitStyle(smallest=1.0, largest=1.0)  # fills the image, so it can't move
    covered = ink(half, draw_places(1, style, _rng()), 32, style)
    assert covered[0, :, :14].max() < 0.01
    assert covered[0, 1:-1, 18:-1].min() > 0.99


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_count": 0}, "train_count=0 must be at least 1"),
        ({"val_count": 0}, "val_count=0 must be at least 1"),
        ({"test_count": -1}, "test_count=-1 must be at least 1"),
        ({"channels": 2}, "channels=2 must be 1 .* or 3"),
        ({"image_size": 15}, "image_size=15 must be at least 16"),
        ({"image_size": [32, 64]}, r"data\.image_size=\[32, 64\] is not square"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        DigitsData(**settings)


def test_loaders_give_each_image_once_and_shuffle_by_seed() -> None:
    data = _data()
    data.batch_size = 6
    batches = list(data.train_dataloader())
    names = [name for batch in batches for name in batch.names]
    assert sorted(names) == sorted(data.train.names)
    assert names != list(data.train.names)
    assert names == [name for batch in data.train_dataloader() for name in batch.names]
    first = data.train.names.index(names[0])
    assert torch.equal(batches[0].images[0], data.train.images[first] / 255)
    assert [name for batch in data.test_dataloader() for name in batch.names] == list(data.test.names)


def test_channel_statistics_equal_the_definition(data: DigitsData) -> None:
    mean, std = channel_statistics(data.train.images)
    for channel in range(3):
        values = [value / 255 for value in data.train.images[:, channel].flatten().tolist()]
        expected = sum(values) / len(values)
        assert mean[channel] == pytest.approx(expected)
        spread = sum((value - expected) ** 2 for value in values) / (len(values) - 1)
        assert std[channel] == pytest.approx(spread**0.5)
