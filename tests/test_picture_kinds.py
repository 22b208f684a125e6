"""Files are pictures by what they hold; bands of any number; DICOM and HEIC by extras; patterns with brackets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from conftest import FunctionClassifier, pixels_of
from PIL import Image, features

import overpaint as op
from overpaint.cli.entry import explain, train
from overpaint.core.errors import OverpaintError
from overpaint.data.annotations.pictures import _read_mask
from overpaint.data.files.decoding import upright_size
from overpaint.data.files.kinds import find_images, is_picture, register_heif
from overpaint.data.files.values import PictureOptions
from overpaint.data.folder import FolderData
from overpaint.data.pattern import match_files, read_files
from overpaint.data.reading import read_image
from overpaint.report.plots.images import picture_grid, to_picture

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

GREYS = np.arange(0, 250, 50, dtype=np.uint8)
BANDS = np.broadcast_to(GREYS, (20, 30, 5)).copy()
"""Five bands, each of one grey."""


def _save(path: Path, kind: str = "PNG", **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        Image.new("RGB", (20, 20), (255, 0, 0)).save(file, kind, **more)
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jfif", "JPEG"),
        ("a", "PNG"),
        ("scan.001", "TIFF"),
        ("a.JPE", "JPEG"),
        ("a.txt", "GIF"),
        ("a.jp2", "JPEG2000"),
    ],
)
def test_pictures_are_recognised_whatever_they_are_called(tmp_path: Path, name: str, kind: str) -> None:
    path = _save(tmp_path / "cat" / name, kind)
    assert find_images(tmp_path) == match_files(f"{tmp_path}/cat/*") == [path]
    assert read_image(path, (8, 8), 3, "crop")[:, 4, 4].tolist() == pytest.approx([255, 0, 0], abs=3)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_avif_is_read(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.avif", "AVIF", quality=100)
    assert read_image(path.rename(tmp_path / "b"), (8, 8), 3, "crop")[:, 4, 4].tolist() == pytest.approx(
        [255, 0, 0], abs=3
    )


def test_what_is_no_picture_is_left_alone(tmp_path: Path) -> None:
    contents = {
        "notes.txt": b"P is a letter",
        "data.csv": b"a,b\n1,2\n",
        "empty": b"",
        "zip": b"PK\3\4",
        "x.json": b"{}",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert find_images(tmp_path) == []
    (tmp_path / "film.heic").write_bytes(b"broken")
    assert find_images(tmp_path) == [tmp_path / "film.heic"]
    with pytest.raises(OverpaintError, match="none of 1 files can be read"):
        read_files(str(tmp_path), (8, 8), 3, "crop", 0)


@pytest.mark.parametrize("folder", ["scans [2024]", "[a]", "x]y[", "*?", "[!b]/[c]", "plain"])
def test_a_pattern_finds_the_folder_of_that_name(tmp_path: Path, folder: str) -> None:
    path = _save(tmp_path / folder / "1.png")
    _save(tmp_path / "scans 2" / "2.png")
    assert match_files(f"{tmp_path}/{folder}/*.png")[:1] == [path]
    assert path in match_files(f"{tmp_path}/{folder}/**")
    assert path in match_files(f"{tmp_path}/{folder}/[0-9].png")


def test_brackets_still_stand_for_letters(tmp_path: Path) -> None:
    paths = [_save(tmp_path / f"scans {year}" / "1.png") for year in (1, 2, 3)]
    assert match_files(f"{tmp_path}/scans [12]/*.png") == paths[:2]


def _stacks(folder: Path) -> dict[str, Path]:
    """Writes the five bands in each way that they are kept."""
    folder.mkdir()
    first = np.moveaxis(BANDS, -1, 0).copy()
    tifffile.imwrite(folder / "together.tif", BANDS, photometric="minisblack", planarconfig="contig")
    tifffile.imwrite(folder / "apart.tif", first, photometric="minisblack", planarconfig="separate")
    tifffile.imwrite(folder / "pages.tif", first)
    tifffile.imwrite(folder / "deep.tif", first.astype(np.uint16) * 257, photometric="minisblack")
    np.save(folder / "first.npy", first)
    np.save(folder / "last.npy", BANDS)
    return {path.name: path for path in sorted(folder.iterdir())}


def test_bands_are_read_however_they_are_kept(tmp_path: Path) -> None:
    for name, path in _stacks(tmp_path / "photos").items():
        found = read_image(path, (10, 15), 5, "crop")
        assert torch.equal(found, torch.from_numpy(GREYS)[:, None, None].expand(5, 10, 15)), name
        if name != "pages.tif":
            assert upright_size(path) == (30, 20)
    split, skipped = read_files(str(tmp_path / "photos"), (8, 8), 5, "crop", 0)
    assert split.images.shape == (6, 5, 8, 8)
    assert not skipped


def test_rows_that_were_written_as_pages_are_one_picture(tmp_path: Path) -> None:
    tall = np.broadcast_to(GREYS, (80, 90, 5)).copy()
    tifffile.imwrite(tmp_path / "a.tif", tall)
    assert read_image(tmp_path / "a.tif", (8, 9), 5, "crop")[:, 0, 0].tolist() == GREYS.tolist()


def test_pictures_of_four_bands_keep_them_and_others_are_named(tmp_path: Path) -> None:
    Image.new("RGBA", (9, 9), (10, 20, 230, 40)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", (4, 4), 4, "crop")[:, 0, 0].tolist() == [10, 20, 230, 40]
    np.save(tmp_path / "b.npy", np.zeros((9, 9, 2), np.uint8))
    assert read_image(tmp_path / "b.npy", (4, 4), 2, "crop").shape == (2, 4, 4)
    _save(tmp_path / "c.png")
    split, skipped = read_files(str(tmp_path), (4, 4), 4, "crop", 0)
    assert len(split) == 1
    assert [one.reason for one in skipped] == [f"it has {n} bands, and channels=4 are wanted" for n in (2, 3)]
    with pytest.raises(OSError, match="it has 2 bands, and channels=3 are wanted"):
        read_image(tmp_path / "b.npy", (4, 4), 3, "crop")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), "an array of shape \\(5,\\), and a picture has height, width and bands"),
        (np.zeros((99, 99, 99)), "of which neither end is an axis of bands"),
        (np.zeros((0, 9)), "and a picture has height"),
        (np.array([["a", "b"]]), "which are no numbers of a picture"),
        (np.zeros((3, 3), complex), "which are no numbers of a picture"),
        (np.array([[{}]]), "Python objects"),
    ],
)
def test_arrays_that_are_no_pictures_are_named(tmp_path: Path, array: Any, message: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(OSError, match=message):
        read_image(tmp_path / "a.npy", (4, 4), 3, "crop")


def test_bands_are_drawn_by_the_first_three() -> None:
    image = np.linspace(0, 1, 5)[:, None, None].repeat(4, 1).repeat(6, 2)
    assert to_picture(image)[0, 0].tolist() == [0, 64, 128]
    assert to_picture(image[3:])[0, 0].tolist() == [191, 191, 191]
    assert picture_grid(np.stack([image, image])).shape[2] == 3


def test_the_python_interface_takes_bands(tmp_path: Path) -> None:
    classifier = FunctionClassifier(lambda images: images.flatten(1).mean(1), channels=5)
    classifier.input_size = (20, 30)
    wanted = torch.from_numpy(BANDS).movedim(-1, 0)
    for image in (wanted, BANDS, *_stacks(tmp_path / "photos").values()):
        result = op.explain(classifier, image, methods="center")
        assert torch.equal((255 * result.images[0]).round().byte(), wanted)


def _dicom(path: Path, values: Any, **tags: Any) -> None:
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian

    data = pydicom.Dataset()
    data.Rows, data.Columns = values.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    for name, value in tags.items():
        setattr(data, name, value)
    data.PixelData = values.astype(np.uint16).tobytes()
    data["PixelData"].VR = "OW"
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.preamble = None if path.suffix else b"\0" * 128
    data.save_as(path, enforce_file_format=False, implicit_vr=False, little_endian=True)


def test_dicom_is_shown_by_its_window_or_by_a_range(tmp_path: Path) -> None:
    path, values = tmp_path / "IM0001", np.array([[0, 1000], [1024, 2024]])
    _dicom(path, values, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=[0.5, 9], WindowWidth=[2001, 9])
    assert is_picture(path)
    assert upright_size(path) == (2, 2)
    assert read_image(path, (2, 2), 1, "crop").tolist() == [[[0, 124], [128, 255]]]  # from -1000 to 1000
    by_range = PictureOptions((-24.0, 1000.0))
    assert read_image(path, (2, 2), 1, "crop", by_range).tolist() == [[[0, 0], [6, 255]]]
    with pytest.warns(match="values outside the range"):
        read_files(str(path), (2, 2), 1, "crop", 0, by_range)
    read_files(str(path), (2, 2), 1, "crop", 0)  # what lies outside its own window is no loss
    _dicom(tmp_path / "bits.dcm", np.array([[0, 4095]]))
    assert read_image(tmp_path / "bits.dcm", (1, 2), 1, "crop").tolist() == [[[0, 255]]]
    _dicom(tmp_path / "film.dcm", np.array([[0, 4095]]), PhotometricInterpretation="MONOCHROME1")
    assert read_image(tmp_path / "film.dcm", (1, 2), 3, "crop")[2].tolist() == [[255, 0]]
    (tmp_path / "broken.dcm").write_bytes(b"no DICOM")
    with pytest.raises(OSError, match="no DICOM picture"):
        read_image(tmp_path / "broken.dcm", (1, 2), 3, "crop")


def test_heic_is_read(tmp_path: Path) -> None:
    assert register_heif()  # the dev extra has it
    path = _save(tmp_path / "a.heic", "HEIF", quality=100)
    assert read_image(path, (8, 8), 3, "crop")[:, 4, 4].tolist() == pytest.approx([255, 0, 0], abs=4)


@pytest.mark.parametrize(("name", "extra"), [("a.heic", "heic"), ("a.dcm", "dicom")])
def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, extra: str) -> None:
    monkeypatch.setattr("overpaint.data.files.decoding.register_heif", lambda: False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / name).write_bytes(b"\0" * 200)
    with pytest.raises(OverpaintError, match=rf"pip install 'overpaint\[{extra}\]'"):
        read_files(str(tmp_path), (8, 8), 3, "crop", 0)


def test_a_mask_may_be_of_any_kind_of_file(tmp_path: Path) -> None:
    path = _save(tmp_path / "mask")
    assert bool(_read_mask(path).all())


def test_class_folders_of_bands_are_a_data_set(tmp_path: Path) -> None:
    for name in ("a", "b"):
        _stacks(tmp_path / name)
    data = FolderData(str(tmp_path), image_size=8, channels=5)
    data.setup()
    assert data.class_names == ["a", "b"]
    assert len(data.train) + len(data.val) + len(data.test) == 12
    assert not data.skipped


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:samples/.* are left out")  # the validation split is tiny
def test_images_of_four_bands_are_trained_on_explained_and_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(4):
            np.save(tmp_path / "photos" / name / f"{index}.npy", rng.integers(0, 65536, (32, 32, 4), dtype=np.uint16))
    output = tmp_path / "out"
    quiet = [f"output={output}", "logger.mode=none", "trainer.enable_progress_bar=false", "trainer.accelerator=cpu"]
    words = ["data=folder", f"data.root={tmp_path}/photos", "data.channels=4", "data.image_size=32"]
    train(CONFIGS, [*words, *quiet, "trainer.max_epochs=1", "model.dcgan.base_channels=2"])
    of_search = ["search.num_variants=2", "search.steps=2", "variants.blend=poisson"]
    explain(CONFIGS, [*quiet, *of_search, "limit=1", "methods=[gradient,lime]", "saliency.lime.queries=64"])
    folder = next(output.glob("explain/*/result.json")).parent
    with np.load(folder / "saliency.npz") as arrays:
        assert arrays["image"].shape == (4, 32, 32)
    assert pixels_of((folder / "overview.png").read_bytes()).ndim == 3
    page = (output / "explain" / "report.html").read_text()
    assert "The images have 4 channels; the pictures show the first three as red, green and blue." in page
    assert (output / "samples.png").is_file()
