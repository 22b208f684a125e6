"""Anyone's images: every kind of file, broken ones, folders of each layout, and patterns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from overpaint.core.choices import ResizeMode
from overpaint.core.errors import OverpaintError
from overpaint.core.names import row_folder
from overpaint.data import reading
from overpaint.data.files.values import Extent
from overpaint.data.folder import FolderData
from overpaint.data.pattern import read_files
from overpaint.data.reading import Box, Size, read_image, resize_box
from overpaint.data.split import UNLABELLED, ImageSplit

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def _plain(path: Path, colour: tuple[int, int, int] = RED, size: tuple[int, int] = (20, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def _numbered(folder: Path, count: int) -> None:
    """Makes ``0.png`` and so on, each of a grey of its own."""
    for index in range(count):
        _plain(folder / f"{index}.png", (index, index, index))


def _set_up(
    root: Path, resize_mode: ResizeMode = "crop", size: int = 16, channels: int = 3, seed: int = 0
) -> FolderData:
    data = FolderData(str(root), resize_mode, size, channels, seed=seed)
    data.setup()
    return data


def _middle(path: Path, channels: int = 3) -> list[int]:
    values = read_image(path, (16, 16), channels, "crop")
    assert values.shape == (channels, 16, 16)
    return values[:, 8, 8].tolist()


def _animation(path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, GREEN, BLUE)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _palette_with_transparency(path: Path) -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([*BLUE, *RED])
    image.paste(0, (0, 0, 20, 5))
    image.save(path, transparency=0)


KINDS: dict[str, tuple[Callable[[Path], object], list[int]]] = {
    "a.jpg": (lambda p: Image.new("RGB", (21, 33), RED).save(p, quality=95), [255, 0, 0]),
    "a.JPEG": (lambda p: Image.new("RGB", (300, 200), RED).save(p, quality=95), [255, 0, 0]),
    "a.png": (lambda p: Image.new("RGB", (1, 1), RED).save(p), [255, 0, 0]),
    "a.webp": (lambda p: Image.new("RGB", (20, 20), RED).save(p, lossless=True), [255, 0, 0]),
    "a.bmp": (lambda p: Image.new("RGB", (17, 19), RED).save(p), [255, 0, 0]),
    "a.tif": (lambda p: Image.new("RGB", (20, 20), RED).save(p), [255, 0, 0]),
    "a.ppm": (lambda p: Image.new("RGB", (20, 20), RED).save(p), [255, 0, 0]),
    "one-bit.png": (lambda p: Image.new("1", (20, 20), 1).save(p), [255, 255, 255]),
    "grey.png": (lambda p: Image.new("L", (20, 20), 77).save(p), [77, 77, 77]),
    "palette.png": (lambda p: Image.new("RGB", (20, 20), RED).quantize(4).save(p), [255, 0, 0]),
    "palette-transparent.png": (_palette_with_transparency, [255, 0, 0]),
    "half-transparent.png": (lambda p: Image.new("RGBA", (20, 20), (0, 0, 0, 51)).save(p), [204, 204, 204]),
    "transparent.webp": (lambda p: Image.new("RGBA", (20, 20), (9, 9, 9, 0)).save(p, lossless=True), [255, 255, 255]),
    "grey-alpha.png": (lambda p: Image.new("LA", (20, 20), (0, 51)).save(p), [204, 204, 204]),
    "16-bit.png": (lambda p: Image.fromarray(np.full((20, 20), 257 * 100, np.uint16)).save(p), [100, 100, 100]),
    "16-bit.tif": (lambda p: Image.fromarray(np.full((20, 20), 257 * 100, np.uint16)).save(p), [100, 100, 100]),
    "32-bit.tif": (lambda p: Image.fromarray(np.full((20, 20), 257 * 100, np.int32)).save(p), [100, 100, 100]),
    "float.tif": (lambda p: Image.fromarray(np.full((20, 20), 0.2, np.float32)).save(p), [51, 51, 51]),
    "cmyk.jpg": (lambda p: Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(p, quality=95), [255, 0, 0]),
    "animation.gif": (_animation, [255, 0, 0]),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_is_read(tmp_path: Path, name: str) -> None:
    write, expected = KINDS[name]
    write(tmp_path / name)
    assert _middle(tmp_path / name) == pytest.approx(expected, abs=3)
    grey = np.dot([0.299, 0.587, 0.114], expected)
    assert _middle(tmp_path / name, channels=1) == pytest.approx([grey], abs=3)


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert torch.equal(read_image(tmp_path / "a.png", (16, 16), 1, "crop")[0], torch.arange(256).reshape(16, 16).byte())


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    _palette_with_transparency(tmp_path / "a.png")
    values = read_image(tmp_path / "a.png", (20, 20), 3, "crop")
    assert values[:, 0, 0].tolist() == [255, 255, 255]
    assert values[:, 19, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0)), (2, (0, -1)), (4, (-1, 0))]
)
def test_exif_rotation_moves_a_marked_corner(
    tmp_path: Path, orientation: int, corner: tuple[int, int], bits: int
) -> None:
    values = np.zeros((40, 60), np.uint8)
    values[:20, :20] = 255
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / ("a.jpg" if bits == 8 else "a.png")
    Image.fromarray(values if bits == 8 else values.astype(np.uint16) * 257).save(path, exif=exif)
    result = read_image(path, (32, 32), 1, "stretch")[0]
    corners = {(y, x): int(result[y, x]) for y in (0, -1) for x in (0, -1)}
    assert corners.pop(corner) > 240
    assert max(corners.values()) < 15


@pytest.mark.parametrize("wide", [True, False])
def test_crop_takes_the_middle_and_stretch_takes_all(tmp_path: Path, wide: bool) -> None:
    values = np.zeros((16, 48, 3), np.uint8)
    values[:, :16], values[:, 16:32], values[:, 32:] = RED, GREEN, BLUE
    Image.fromarray(values if wide else values.transpose(1, 0, 2).copy()).save(tmp_path / "a.png")
    crop, stretch = (read_image(tmp_path / "a.png", (12, 12), 3, resize_mode) for resize_mode in ("crop", "stretch"))
    if not wide:
        crop, stretch = crop.transpose(1, 2), stretch.transpose(1, 2)
    assert torch.equal(crop[:, :, 1:-1], torch.tensor(GREEN).byte()[:, None, None].expand(3, 12, 10))
    for column, colour in ((1, RED), (6, GREEN), (10, BLUE)):
        assert stretch[:, 5, column].tolist() == list(colour)


@pytest.mark.parametrize(
    ("picture", "size", "box"),
    [
        ((48, 16), (12, 12), (16, 0, 32, 16)),
        ((48, 16), (12, 24), (8, 0, 40, 16)),
        ((48, 16), (96, 12), (23, 0, 25, 16)),
        ((48, 16), (10, 90), (0, 16 / 3, 48, 32 / 3)),
        ((48, 16), (96, 288), (0, 0, 48, 16)),
        ((7, 10), (3, 2), (1 / 6, 0, 41 / 6, 10)),
        ((10, 7), (96, 160), (0, 0.5, 10, 6.5)),
    ],
)
def test_crop_takes_the_largest_middle_box_of_the_new_aspect_ratio(
    picture: tuple[int, int], size: Size, box: Box
) -> None:
    assert resize_box(*picture, size, "crop") == pytest.approx(box, abs=1e-12)
    assert resize_box(*picture, size, "stretch") == (0, 0, *picture)


def test_a_square_is_cut_out_exactly_whatever_the_sizes() -> None:
    for width, height, side in np.random.default_rng(0).integers(1, 3000, (500, 3)).tolist():
        shorter = min(width, height)
        left, top = (width - shorter) / 2, (height - shorter) / 2
        assert resize_box(width, height, (side, side), "crop") == (left, top, left + shorter, top + shorter)


def test_crop_never_leaves_the_picture() -> None:
    for width, height, *size in np.random.default_rng(0).integers(1, 3000, (500, 4)).tolist():
        left, top, right, bottom = resize_box(width, height, (size[0], size[1]), "crop")
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert (right - left) / (bottom - top) == pytest.approx(size[1] / size[0])


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_picture_becomes_one_that_is_not_square(tmp_path: Path, orientation: int) -> None:
    """The file is a large JPEG, which is read at a part of its size, on its side where EXIF turns it."""
    values = np.zeros((600, 900), np.uint8)
    values[225:375, 300:600] = 255
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(values)
    (image.transpose(Image.Transpose.ROTATE_90) if orientation == 6 else image).save(tmp_path / "a.jpg", exif=exif)
    stretched, cropped, upright = (
        read_image(tmp_path / "a.jpg", size, 1, resize_mode)[0] > 127
        for size, resize_mode in (((24, 36), "stretch"), ((12, 36), "crop"), ((48, 24), "crop"))
    )
    for found, (top, bottom, left, right) in (
        (stretched, (9, 15, 12, 24)),
        (cropped, (3, 9, 12, 24)),  # rows 150 to 450 of the file
        (upright, (18, 30, 0, 24)),  # columns 300 to 600
    ):
        expected = torch.zeros_like(found)
        expected[top:bottom, left:right] = True
        assert torch.equal(found, expected)


def test_a_large_photograph_keeps_its_geometry(tmp_path: Path) -> None:
    values = np.zeros((600, 900, 3), np.uint8)
    values[150:300, 300:450] = 255  # in the cropped square: rows 1/4 to 1/2, columns 1/4 to 1/2
    Image.fromarray(values).save(tmp_path / "a.jpg", quality=95)
    bright = read_image(tmp_path / "a.jpg", (32, 32), 3, "crop").float().mean(0) > 127
    expected = torch.zeros(32, 32, dtype=torch.bool)
    expected[8:16, 8:16] = True
    assert torch.equal(bright, expected)


def test_broken_files_are_skipped_and_listed(tmp_path: Path) -> None:
    _numbered(tmp_path, 10)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for suffix in ("jpg", "png", "webp", "tif", "gif"):
        path = tmp_path / f"cut.{suffix}"
        Image.fromarray(noise).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    (tmp_path / "text.jpg").write_text("This is no picture.")
    (tmp_path / "empty.png").touch()
    Image.fromarray(np.full((20, 20), np.nan, np.float32)).save(tmp_path / "nan.tif")
    (tmp_path / "notes.txt").write_text("No picture, and it doesn't claim to be one.")
    data = _set_up(tmp_path)
    skipped = {Path(one.path).name: one.reason for one in data.skipped}
    assert set(skipped) == {f"cut.{s}" for s in ("jpg", "png", "webp", "tif", "gif")} | {
        "text.jpg",
        "empty.png",
        "nan.tif",
    }
    assert all(skipped.values())
    assert "cannot identify" in skipped["text.jpg"]
    assert "not finite" in skipped["nan.tif"]
    assert len(data.train) + len(data.val) + len(data.test) == 10


def test_what_is_no_readable_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OverpaintError, match=r"data\.root=.*/nowhere is not a folder"):
        _set_up(tmp_path / "nowhere")
    with pytest.raises(OverpaintError, match=rf"data\.root={tmp_path} holds no readable image$"):
        _set_up(tmp_path)
    (tmp_path / "a.jpg").write_text("text")
    (tmp_path / "b.png").touch()
    with pytest.raises(
        OverpaintError, match=rf"data\.root={tmp_path} holds no readable image for its train split: 2 files there can't"
    ):
        _set_up(tmp_path)
    _plain(tmp_path / "c.png")
    # The split is made of the files, before any is read: here each of the three has one.
    with pytest.raises(
        OverpaintError,
        match=r"holds no readable image for its (train|val|test) split: 1 files there can't be read \(.+\)$",
    ):
        _set_up(tmp_path)
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).unlink()
    with pytest.raises(OverpaintError, match=r"holds 1 images; training, validation and test need one each"):
        _set_up(tmp_path)


def test_only_what_is_needed_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(300):
        folder = tmp_path / ("cat", "dog")[index % 2]
        folder.mkdir(exist_ok=True)
        (folder / f"{index}.png").touch()
    opened: list[Path] = []

    def note(path: Path, size: Size, channels: int, *_: Any) -> tuple[torch.Tensor, Extent]:
        opened.append(path)
        return torch.zeros(channels, *size, dtype=torch.uint8), Extent(0.0, 255.0, 0.0, 255.0)

    monkeypatch.setattr(reading, "read_with_extent", note)
    data = FolderData(str(tmp_path), image_size=8)
    data.setup("predict")
    test = data.open_split("test")
    assert data.class_names == ["cat", "dog"]
    assert not opened
    split, skipped = test.read(range(8))
    assert len(opened) == len(split) == 8 < len(test) == 30
    assert not skipped
    data.setup("test")
    assert list(data.test.names[:8]) == list(split.names)
    assert len(opened) == 8 + 30
    data.setup("fit")
    data.setup("fit")
    assert len(opened) == 8 + 300
    whole = FolderData(str(tmp_path), image_size=8)
    whole.setup()
    assert [s.names for s in (whole.train, whole.val, whole.test)] == [
        s.names for s in (data.train, data.val, data.test)
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 0}, r"data\.channels=0 must be 1 \(grey\), 3 \(RGB\), or the images' number of bands"),
        (
            {"range": [4095, 0]},
            r"data\.range=\[4095, 0\] must be auto, or two numbers \[black,white\], the lower one first",
        ),
        ({"range": 4095.0}, r"data\.range=4095\.0 must be auto, or two numbers"),
        ({"range": "12 bits"}, r"data\.range=12 bits must be auto, or two numbers"),
        ({"range": [1, 2, 3]}, r"data\.range=\[1, 2, 3\] must be auto, or two numbers"),
        ({"range": [0, float("nan")]}, r"FolderData\.range=\[0, nan\] must be a finite number"),
        ({"max_megapixels": 0}, r"FolderData\.max_megapixels=0 must be above 0"),
        ({"image_size": -16}, r"FolderData\.image_size=-16 must be at least 1"),
        ({"image_size": [16, 0]}, r"FolderData\.image_size=\[16, 0\] must be at least 1"),
        ({"image_size": [16, 16, 16]}, r"data\.image_size=\[16, 16, 16\] must be one number, or 2 of them"),
    ],
)
def test_impossible_image_settings_are_named(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        FolderData(str(tmp_path), **settings)


def test_a_folder_is_read_at_a_size_that_is_not_square(tmp_path: Path) -> None:
    _numbered(tmp_path, 5)
    data = FolderData(str(tmp_path), image_size=[6, 10])
    data.setup()
    assert data.input_size == (6, 10)
    assert data.train.images.shape == (3, 3, 6, 10)


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    _numbered(tmp_path, 5)
    data = _set_up(tmp_path)
    assert data.class_names == []
    for split in (data.train, data.val, data.test):
        assert split.labels.tolist() == [UNLABELLED] * len(split)


def test_class_folders_give_labels_in_alphabetical_order(tmp_path: Path) -> None:
    colours = {"zebra": RED, "ant": GREEN, "bee": BLUE}
    for name, colour in colours.items():
        for index in range(4):
            _plain(tmp_path / name / "deeper" / f"{index}.png", colour)
    _plain(tmp_path / ".thumbnails" / "0.png")
    (tmp_path / "empty").mkdir()
    data = _set_up(tmp_path)
    assert data.class_names == ["ant", "bee", "zebra"]
    for split in (data.train, data.val, data.test):
        for image, label, name in zip(split.images, split.labels.tolist(), split.names, strict=True):
            assert name.startswith(data.class_names[label])
            assert image[:, 8, 8].tolist() == list(colours[data.class_names[label]])


def test_the_split_is_seeded_and_covers_everything_once(tmp_path: Path) -> None:
    _numbered(tmp_path, 29)
    first, again, other = _set_up(tmp_path), _set_up(tmp_path), _set_up(tmp_path, seed=1)
    assert [len(split) for split in (first.train, first.val, first.test)] == [25, 2, 2]
    for data in (first, other):
        everything = [name for split in (data.train, data.val, data.test) for name in split.names]
        assert sorted(everything) == sorted(f"{index}.png" for index in range(29))
    assert first.train.names == again.train.names
    assert first.test.names == again.test.names
    assert first.train.names != other.train.names
    for image, name in zip(first.train.images, first.train.names, strict=True):
        assert int(image[0, 8, 8]) == int(Path(name).stem)


def _names(split: ImageSplit) -> list[str]:
    return sorted(split.names)


def test_given_splits_are_respected(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2), ("test", 1)):
        for kind in ("a", "b"):
            _numbered(tmp_path / split / kind, count)
    _plain(tmp_path / "test" / "c" / "0.png")
    data = _set_up(tmp_path)
    assert data.class_names == ["a", "b", "c"]
    assert _names(data.train) == [f"{kind}/{index}.png" for kind in ("a", "b") for index in range(3)]
    assert _names(data.val) == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]
    assert _names(data.test) == ["a/0.png", "b/0.png", "c/0.png"]
    assert [data.class_names[label] for label in data.test.labels.tolist()] == [n[0] for n in data.test.names]


@pytest.mark.parametrize("missing", ["val", "test"])
def test_a_missing_split_is_taken_from_training(tmp_path: Path, missing: str) -> None:
    given = "test" if missing == "val" else "val"
    _numbered(tmp_path / "train", 20)
    _numbered(tmp_path / given, 3)
    data = _set_up(tmp_path)
    taken = getattr(data, missing)
    assert len(taken) == 2
    assert _names(getattr(data, given)) == ["0.png", "1.png", "2.png"]
    assert sorted(_names(data.train) + _names(taken)) == sorted(f"{index}.png" for index in range(20))
    (tmp_path / missing).mkdir()  # an empty folder is as good as none
    assert _names(getattr(_set_up(tmp_path), missing)) == _names(taken)


def _read(pattern: Path | str, limit: int = 0) -> list[str]:
    return list(read_files(str(pattern), (16, 16), 3, "crop", limit)[0].names)


def test_patterns_folders_and_single_files(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "c.jpg", "deeper/d.jpg", ".hidden.jpg"):
        _plain(tmp_path / name)
    (tmp_path / "notes.txt").touch()
    assert _read(tmp_path) == ["a", "b", "c", "deeper/d"]
    assert _read(tmp_path / "*.jpg") == ["a", "c"]
    assert _read(tmp_path / "*") == ["a", "b", "c"]
    assert _read(tmp_path / "**" / "*.jpg") == ["a", "c", "deeper/d"]
    assert _read(tmp_path / "deeper" / "d.jpg") == ["d"]
    assert _read(tmp_path, limit=2) == ["a", "b"]


def test_a_single_file_needs_no_known_suffix_and_may_hold_brackets(tmp_path: Path) -> None:
    for name in ("a.dat", "b [1].png"):
        _plain(tmp_path / "x.png").rename(tmp_path / name)
    assert _read(tmp_path / "a.dat") == ["a"]
    assert _read(tmp_path / "b [1].png") == ["b [1]"]


def test_read_files_are_unlabelled_and_skip_the_broken(tmp_path: Path) -> None:
    _plain(tmp_path / "a.png", GREEN)
    (tmp_path / "b.png").write_text("text")
    split, skipped = read_files(str(tmp_path), (16, 16), 1, "stretch", 0)
    assert split.labels.tolist() == [UNLABELLED]
    assert split.images.shape == (1, 1, 16, 16)
    assert [Path(one.path).name for one in skipped] == ["b.png"]


def test_nothing_to_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("text")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(OverpaintError, match=r"images=.*\*\.jpg matches no image file"):
        _read(tmp_path / "*.jpg")
    with pytest.raises(OverpaintError, match=r"images=.*\*\.txt matches no image file"):
        _read(tmp_path / "*.txt")
    with pytest.raises(OverpaintError, match=r"images=.*: none of 1 files can be read \(cannot identify"):
        _read(tmp_path)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["x/1.png", "x/2.png"], ["1", "2"]),
        (["x/1.png", "y/1.png"], ["x/1", "y/1"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        (["ä ö.png"], ["ä ö"]),
        (["a b.png", "a_b.png"], None),
        (["x/y-1.png", "x-y/1.png"], None),
        (["a b.jpg", "a_b.jpg", "a_b.png"], None),
    ],
)
def test_names_and_their_folders_are_unique(tmp_path: Path, files: list[str], names: list[str] | None) -> None:
    for file in files:
        _plain(tmp_path / file)
    found = _read(tmp_path)
    assert found == names if names else len(set(found)) == len(files)
    for name in found:
        (tmp_path / "explain" / row_folder(name, None)).mkdir(parents=True)
    assert len(list((tmp_path / "explain").iterdir())) == len(files)
