"""The index of a run: a hint that saves reading, and never decides what is wrong."""

import json
import os
from pathlib import Path

import foreign
import numpy as np
import pytest
from foreign import SIDE
from PIL import Image

from overpaint.cli.entry import explain
from overpaint.core.errors import OverpaintError
from overpaint.core.types import Stamp
from overpaint.data import reading
from overpaint.pipeline.index import Entry, Index, part_path
from overpaint.pipeline.row_files import folder_state

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
QUICK = [
    *(
        "logger.mode=none",
        "trainer.enable_progress_bar=false",
        "generator=null",
        "methods=[center]",
        "metrics=[]",
        "region.method=fraction",
    ),
    *("allow_code=true", f"classifier.image_size={SIDE}"),
]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pictures that are read, one after the other."""
    paths: list[str] = []
    original = reading.read_with_extent

    def read(path: Path, *rest: object, **more: object) -> object:
        paths.append(path.name)
        return original(path, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "read_with_extent", read)
    return paths


@pytest.fixture
def classifier(tmp_path: Path) -> str:
    return f"classifier={foreign.write_torchscript(tmp_path / 'net.pt')}"


def _photos(folder: Path, seed: int = 0) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for name in "abc":
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(folder / f"{name}.png")
        os.utime(folder / f"{name}.png", (1, 1))  # a file that has just been written is not trusted
    return folder


def test_a_finished_run_is_found_without_reading_its_pictures(
    tmp_path: Path, classifier: str, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    photos, folder = _photos(tmp_path / "photos"), tmp_path / "out" / "explain"
    words = [*QUICK, classifier, f"images={photos}", f"output={tmp_path / 'out'}"]
    explain(CONFIGS, words)
    assert sorted(set(opened)) == ["a.png", "b.png", "c.png"]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    opened.clear()
    capsys.readouterr()
    explain(CONFIGS, words)
    said = capsys.readouterr().out
    assert "3 of 3 images are explained already" in said
    assert "nothing has changed; the report is" in said
    assert opened == ["a.png"]  # one, to see that any can be read
    again = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    kept = ("index.json", "config.yaml", "record.json")
    assert {p: t for p, t in again.items() if p.name not in kept} == {
        p: t for p, t in before.items() if p.name not in kept
    }


def test_without_an_index_the_checksums_tell_the_same(
    tmp_path: Path, classifier: str, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    photos, folder = _photos(tmp_path / "photos"), tmp_path / "out" / "explain"
    words = [*QUICK, classifier, f"images={photos}", f"output={tmp_path / 'out'}"]
    explain(CONFIGS, words)
    states = [folder_state(folder / name) for name in "abc"]
    for broken in (None, "", "[]", '{"about": 3}'):
        (folder / "index.json").unlink()
        if broken is not None:
            (folder / "index.json").write_text(broken)
        opened.clear()
        capsys.readouterr()
        explain(CONFIGS, words)
        assert "3 of 3 images are explained already" in capsys.readouterr().out
        assert sorted(set(opened)) == ["a.png", "b.png", "c.png"]
        assert [folder_state(folder / name) for name in "abc"] == states


def test_what_has_changed_is_done_again_and_nothing_else(
    tmp_path: Path, classifier: str, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    photos, folder = _photos(tmp_path / "photos"), tmp_path / "out" / "explain"
    words = [*QUICK, classifier, f"images={photos}", f"output={tmp_path / 'out'}"]
    explain(CONFIGS, words)
    state = {name: folder_state(folder / name) for name in "abc"}
    Image.new("RGB", (SIDE, SIDE), (200, 10, 10)).save(photos / "a.png")
    (folder / "b" / "saliency.npz").unlink()
    (folder / "report.html").unlink()
    opened.clear()
    capsys.readouterr()
    with pytest.warns(UserWarning, match=r"b was damaged \(saliency.npz is missing or can't be read\)"):
        explain(CONFIGS, words)
    assert "1 of 3 images are explained already" in capsys.readouterr().out
    assert sorted(set(opened)) == ["a.png", "b.png"]
    assert {name: folder_state(folder / name) == state[name] for name in "abc"} == {"a": False, "b": False, "c": True}
    assert (folder / "report.html").is_file()


def test_another_image_of_the_same_name_replaces_nothing_unless_it_is_asked_to(
    tmp_path: Path, classifier: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = _photos(tmp_path / "first"), _photos(tmp_path / "second", seed=1)
    words = [*QUICK, classifier, f"output={tmp_path / 'out'}"]
    explain(CONFIGS, [*words, f"images={first}"])
    row = tmp_path / "out" / "explain" / "a"
    before = folder_state(row)
    with pytest.raises(
        OverpaintError, match=r"explains another image that is called a too, .*first/a\.png; name anoth"
    ):
        explain(CONFIGS, [*words, f"images={second}"])
    assert folder_state(row) == before
    first.rename(tmp_path / "moved")
    capsys.readouterr()
    explain(CONFIGS, [*words, f"images={tmp_path / 'moved'}"])  # the same images at another place
    assert "3 of 3 images are explained already" in capsys.readouterr().out
    explain(CONFIGS, [*words, f"images={second}", "overwrite=true"])
    assert json.loads((row / "result.json").read_text())["source"]["path"] == str(second / "a.png")


def test_what_a_stopped_process_has_noted_counts(tmp_path: Path, classifier: str, opened: list[str]) -> None:
    photos, folder = _photos(tmp_path / "photos"), tmp_path / "out" / "explain"
    words = [*QUICK, classifier, f"images={photos}", f"output={tmp_path / 'out'}"]
    explain(CONFIGS, words)
    (folder / "index.json").rename(part_path(folder, 1))  # as if the process had been killed before it could gather
    opened.clear()
    explain(CONFIGS, words)
    assert opened == ["a.png"]  # one, to see that any can be read
    assert not part_path(folder, 1).exists()


def test_an_entry_counts_while_file_and_rows_are_as_noted(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "result.json").write_text("{}")
    rows = {"a": folder_state(tmp_path / "a")}
    index = Index("about", {"a": Entry("/photos/a.png", "10 1", "digest", rows, (0, 255, 0, 255, False))})
    index.save(tmp_path / "index.json")
    found = Index.load(tmp_path / "index.json", "about")
    assert found == index
    assert Index.load(tmp_path / "index.json", "other") == Index("other")
    assert found.is_done(tmp_path, Stamp("a", "10 1", "/photos/a.png"))
    for other in (
        Stamp("a", "10 2", "/photos/a.png"),
        Stamp("a", "10 1", "/b.png"),
        Stamp("a", ""),
        Stamp("b", "10 1"),
    ):
        assert not found.is_done(tmp_path, other)
    (tmp_path / "a" / "more").touch()
    assert not found.is_done(tmp_path, Stamp("a", "10 1", "/photos/a.png"))


def test_images_whose_names_a_file_system_takes_for_one_are_refused(
    tmp_path: Path, classifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = _photos(tmp_path / "photos")
    (photos / "b.png").rename(photos / "A.png")
    monkeypatch.setattr("overpaint.cli.explain.ignores_case", lambda folder: True)
    with pytest.raises(OverpaintError, match="can't tell the images A and a apart, for its file system ignores case"):
        explain(CONFIGS, [*QUICK, classifier, f"images={photos}", f"output={tmp_path / 'out'}"])
