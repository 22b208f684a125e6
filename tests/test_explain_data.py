"""The images that ``explain.py`` reads: as many as it explains, of a folder or of files."""

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import FunctionClassifier
from PIL import Image

from overpaint.cli.explain_data import open_data
from overpaint.configuration.settings import load_settings
from overpaint.data import reading
from overpaint.data.folder import FolderData

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The image files that have been opened."""
    paths: list[Path] = []
    read = reading.read_with_extent

    def note(path: Path, *how: Any) -> Any:
        paths.append(path)
        return read(path, *how)

    monkeypatch.setattr(reading, "read_with_extent", note)
    return paths


def _classifier() -> FunctionClassifier:
    return FunctionClassifier(lambda images: images.flatten(1).mean(1))


def _make_files(root: Path, count: int = 300) -> None:
    for index in range(count):
        folder = root / ("other", "wanted")[index % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 9), index % 256).save(folder / f"{index:03d}.png")


def test_explaining_eight_images_of_a_folder_opens_eight(tmp_path: Path, opened: list[Path]) -> None:
    _make_files(tmp_path)
    settings = load_settings(CONFIGS, "explain", ["data=folder", f"data.root={tmp_path}", "limit=8"])
    data = open_data(settings, _classifier())
    assert not opened
    split, skipped = data.split.read_all()
    assert len(opened) == len(set(opened)) == len(data.split) == 8
    assert not skipped
    whole = FolderData(str(tmp_path), image_size=32, channels=1)
    whole.setup("test")
    assert list(split.names) == list(whole.test.names)[:8]
    assert torch.equal(split.images, whole.test.images[:8])
    opened.clear()
    assert torch.equal(data.real(), whole.test.images)  # read only when the report asks for them
    assert len(opened) == len(whole.test) == 30


def test_what_cannot_be_read_of_them_is_listed_and_nothing_else_is_opened(tmp_path: Path, opened: list[Path]) -> None:
    _make_files(tmp_path)
    words = ["data=folder", f"data.root={tmp_path}", "limit=8"]
    names = list(open_data(load_settings(CONFIGS, "explain", words), _classifier()).split.read_all()[0].names)
    (tmp_path / names[2]).write_text("no picture")
    opened.clear()
    split, skipped = open_data(load_settings(CONFIGS, "explain", words), _classifier()).split.read_all()
    assert list(split.names) == names[:2] + names[3:]
    assert [one.path for one in skipped] == [str(tmp_path / names[2])]
    assert sorted(opened) == sorted(tmp_path / name for name in names)


def test_explaining_eight_files_opens_eight(tmp_path: Path, opened: list[Path]) -> None:
    _make_files(tmp_path)
    settings = load_settings(CONFIGS, "explain", [f"images={tmp_path}", "limit=8"])
    data = open_data(settings, _classifier())
    assert not opened
    assert len(data.split.read_all()[0]) == len(opened) == 8
    assert torch.equal(data.real(), data.split.read_all()[0].images)


def test_patches_are_of_the_same_files_however_many_are_explained(tmp_path: Path) -> None:
    _make_files(tmp_path, 70)
    Image.new("L", (9, 9), 1).save(tmp_path / "one.png")
    found = []
    for limit in (1, 0):
        settings = load_settings(CONFIGS, "explain", [f"images={tmp_path}/**/*.png", f"limit={limit}"])
        data = open_data(settings, _classifier())
        assert len(data.split) == (limit or 71)
        found.append(data.others())
    assert len(found[0]) == 64
    assert torch.equal(*found)
