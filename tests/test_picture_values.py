"""Pictures of any bit depth: the same mapping for all files of a run, and 8 bits as they always were."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

import overpaint as op
from overpaint.classifiers.network import load_classifier
from overpaint.cli.entry import train
from overpaint.cli.explain_data import open_data
from overpaint.configuration.settings import load_settings
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.data.files.values import PictureOptions
from overpaint.data.folder import FolderData
from overpaint.data.pattern import read_files
from overpaint.data.reading import convert_picture, read_image

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

TWELVE_BITS = PictureOptions((0.0, 4095.0))
FILM = np.linspace(0, 4095, 256).round().reshape(16, 16)
"""The 12-bit values nearest to each of the 256 grey levels."""


def _png_of_colours(path: Path, values: NDArray[np.uint16]) -> None:
    """Writes a PNG of 16 bits for each of 2 to 4 bands, which Pillow can't."""
    height, width, bands = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[bands], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


WRITERS: dict[str, Any] = {
    "16-bit.png": lambda p, v: Image.fromarray(v.astype(np.uint16)).save(p),
    "16-bit.tif": lambda p, v: Image.fromarray(v.astype(np.uint16)).save(p),
    "signed.tif": lambda p, v: tifffile.imwrite(p, v.astype(np.int16)),
    "32-bit.tif": lambda p, v: Image.fromarray(v.astype(np.int32)).save(p),
    "unsigned-32-bit.tif": lambda p, v: tifffile.imwrite(p, v.astype(np.uint32)),
    "float.tif": lambda p, v: Image.fromarray(v.astype(np.float32)).save(p),
    "compressed-float.tif": lambda p, v: Image.fromarray(v.astype(np.float32)).save(p, compression="tiff_lzw"),
    "double.tif": lambda p, v: tifffile.imwrite(p, v.astype(np.float64)),
    "colours.png": lambda p, v: _png_of_colours(p, np.stack([v] * 3, 2).astype(np.uint16)),
    "colours.tif": lambda p, v: tifffile.imwrite(p, np.stack([v] * 3, 2).astype(np.uint16), photometric="rgb"),
    "array.npy": lambda p, v: np.save(p, v.astype(np.uint16)),
    "double.npy": lambda p, v: np.save(p, v),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", WRITERS)
def test_a_stated_range_becomes_black_to_white(tmp_path: Path, name: str, channels: int) -> None:
    WRITERS[name](tmp_path / name, FILM)
    found = read_image(tmp_path / name, (16, 16), channels, "crop", TWELVE_BITS)
    assert torch.equal(found, torch.arange(256).reshape(16, 16).byte().expand(channels, 16, 16))


def test_hounsfield_units_are_shown_by_a_window(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "ct.tif", np.array([[-1000, -160], [40, 240]], np.int16))
    found = read_image(tmp_path / "ct.tif", (2, 2), 1, "crop", PictureOptions((-160.0, 240.0)))
    assert found.tolist() == [[[0, 0], [128, 255]]]


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_eight_bits_are_as_pillow_has_them(mode: str, channels: int) -> None:
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 256, (23, 37, 4), dtype=np.uint8), "RGBA")
    image = colours.convert("RGB").convert(mode) if mode in ("YCbCr", "HSV", "CMYK", "1", "L", "P") else None
    if image is None:
        bands = len(Image.new(mode, (1, 1)).getbands())
        image = Image.merge(mode, colours.split()[:bands]) if mode != "PA" else colours.convert("P").convert("PA")
    expected = image
    if mode in ("RGBA", "LA", "PA"):
        expected = image.convert("RGBA")
        expected = Image.alpha_composite(Image.new("RGBA", image.size, "white"), expected)
    expected = expected.convert("L" if channels == 1 else "RGB")
    box = (0.0, (23 - 37 * 8 / 16) / 2, 37.0, (23 + 37 * 8 / 16) / 2)
    expected = expected.resize((16, 8), Image.Resampling.BILINEAR, box=box)
    found, _ = convert_picture(image, (8, 16), channels, "crop")
    assert np.array_equal(found.movedim(0, -1).squeeze(-1).numpy(), np.asarray(expected))


def test_a_range_holds_for_files_of_eight_bits_and_leaves_transparency() -> None:
    grey = Image.fromarray(np.array([[0, 64, 128, 255]], np.uint8))
    options = PictureOptions((64.0, 128.0))
    assert convert_picture(grey, (1, 4), 1, "crop", options)[0].tolist() == [[[0, 0, 255, 255]]]
    clear = Image.merge("LA", (grey, Image.fromarray(np.array([[255, 255, 0, 255]], np.uint8))))
    assert convert_picture(clear, (1, 4), 1, "crop", options)[0].tolist() == [[[0, 0, 255, 255]]]
    palette = grey.convert("P")
    assert convert_picture(palette, (1, 4), 1, "crop", options)[0].tolist() == [[[0, 0, 255, 255]]]


def test_auto_takes_the_bit_depth_that_the_file_states(tmp_path: Path) -> None:
    np.save(tmp_path / "yes-no.npy", np.array([[True, False]]))
    np.save(tmp_path / "bytes.npy", np.array([[0, 255]], np.uint8))
    np.save(tmp_path / "float.npy", np.array([[0.0, 0.2]], np.float32))
    np.save(tmp_path / "words.npy", np.array([[0, 65535]], np.uint16))
    expected = {"yes-no": [255, 0], "bytes": [0, 255], "float": [0, 51], "words": [0, 255]}
    for name, values in expected.items():
        assert read_image(tmp_path / f"{name}.npy", (1, 2), 1, "crop").flatten().tolist() == values


@pytest.mark.parametrize("name", ["signed.tif", "float.tif", "double.npy", "unsigned-32-bit.tif", "32-bit.tif"])
def test_without_a_bit_depth_a_range_is_asked_for(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, FILM * 16 - 32760 if name == "signed.tif" else FILM * 17)
    with pytest.raises(OverpaintError, match=r"reach from \S+ to \S+, and .*; say it by range=\[black,white\]\)$"):
        read_files(str(tmp_path), (16, 16), 1, "crop", 0)


def test_transparency_of_sixteen_bits_is_laid_over_white(tmp_path: Path) -> None:
    _png_of_colours(tmp_path / "a.png", np.array([[[0, 0, 0, 65535], [0, 0, 0, 0]]], np.uint16))
    assert read_image(tmp_path / "a.png", (1, 2), 1, "crop").tolist() == [[[0, 255]]]
    _png_of_colours(tmp_path / "b.png", np.array([[[0, 65535], [0, 13107]]], np.uint16))
    assert read_image(tmp_path / "b.png", (1, 2), 3, "crop")[2].tolist() == [[0, 204]]


def _films(folder: Path, highest: int = 4095) -> Path:
    folder.mkdir(exist_ok=True)
    for index in range(6):
        Image.fromarray((FILM * highest / 4095).astype(np.uint16)).save(folder / f"{index}.png")
    return folder


def test_a_run_says_which_files_hardly_use_their_range(tmp_path: Path) -> None:
    data = FolderData(str(_films(tmp_path / "films")), image_size=16, channels=1)
    data.setup()
    assert len(data.notes) == 3
    assert data.notes[0].startswith("train: 4 of 4 files use under a tenth of the range from black to white: ")
    assert "has values from 0 to 4095, the range is [0,65535]" in data.notes[0]
    assert "data.range=[black,white]" in data.notes[0]
    stated = FolderData(str(tmp_path / "films"), image_size=16, channels=1, range=[0, 4095])
    stated.setup()
    assert stated.notes == []
    assert stated.train.images.max() == 255
    clipped = FolderData(str(tmp_path / "films"), image_size=16, channels=1, range=[0, 1000])
    clipped.setup()
    assert clipped.notes[0].startswith("train: 4 of 4 files have values outside the range, which are clipped: ")


def test_files_to_explain_are_warned_of(tmp_path: Path) -> None:
    folder = _films(tmp_path / "films")
    with pytest.warns(OverpaintWarning, match=r"6 of 6 files use under a tenth.* and range=\[black,white\] says"):
        read_files(str(folder), (16, 16), 1, "crop", 0)
    split, _ = read_files(str(folder), (16, 16), 1, "crop", 0, TWELVE_BITS)
    assert split.images.max() == 255


def test_the_python_interface_reads_by_the_same_range(tmp_path: Path) -> None:
    path = _films(tmp_path / "films") / "0.png"
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 2))
    classifier = op.as_classifier(network, image_size=16, channels=1, class_names=["a", "b"])
    with Image.open(path) as opened:
        opened.load()
    for image in (path, opened):
        result = op.explain(classifier, image, methods="gradient", range=(0, 4095))
        assert torch.equal((255 * result.images[0, 0]).round(), torch.arange(256.0).reshape(16, 16))
    with pytest.raises(OverpaintError, match=r"^range=x must be auto, or two numbers"):
        op.explain(classifier, path, range="x")
    with pytest.warns(OverpaintWarning, match="under a tenth"):
        op.explain(classifier, path, methods="gradient")


def test_large_pictures_are_read_by_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own limit, here made small, neither stops a large picture nor stays lifted."""
    for name in ("a.png", "b.tif"):
        Image.new("L", (2000, 1500), 99).save(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    split, skipped = read_files(str(tmp_path), (8, 8), 1, "crop", 0, PictureOptions("auto", 3.0))
    assert not skipped
    assert split.images.unique().tolist() == [99]
    assert Image.MAX_IMAGE_PIXELS == 1000
    with pytest.raises(OverpaintError, match=r"it has 3\.0 million pixels, more than max_megapixels=2\.9 allows"):
        read_files(str(tmp_path), (8, 8), 1, "crop", 0, PictureOptions("auto", 2.9))


def test_what_is_explained_is_read_as_what_was_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        _films(tmp_path / "photos" / name)
    words = ["data=folder", f"data.root={tmp_path}/photos", "data.channels=1", "data.image_size=16", "model=classifier"]
    words += ["data.range=[0,4095]", f"output={tmp_path}/out", "logger.mode=none", "trainer.enable_progress_bar=false"]
    train(CONFIGS, [*words, "trainer.max_epochs=1", "trainer.accelerator=cpu"])
    assert "under a tenth" not in capsys.readouterr().out
    classifier = load_classifier(tmp_path / "out" / "classifier.ckpt")
    images = [f"output={tmp_path}/out", f"images={tmp_path}/photos/a"]
    expected = torch.arange(256).reshape(16, 16).byte()
    for more in ([], ["range=[0,4095]"]):
        data = open_data(load_settings(CONFIGS, "explain", [*images, *more]), classifier)
        assert torch.equal(data.split.read_all()[0].images[0, 0], expected)
    split, _ = open_data(load_settings(CONFIGS, "explain", [*images, "range=auto"]), classifier).split.read_all()
    assert split.extents is not None
    assert split.extents[0].uses_little
    assert split.images.max() == 16
    with pytest.raises(OverpaintError, match=r"^range=\[9\] must be auto, or two numbers"):
        open_data(load_settings(CONFIGS, "explain", [*images, "range=[9]"]), classifier)
