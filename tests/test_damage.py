"""A row's folder is trusted only if it holds what was written there; else it is moved aside and made anew."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_cache import OCCLUSION, Peak, Run, _stamps

from overpaint.core.errors import OverpaintWarning
from overpaint.core.files import read_arrays
from overpaint.pipeline.cache import Cache, Wanted
from overpaint.pipeline.row_files import RESULT, checked_result, delete_rows, folder_state, write_result

METHODS, METRICS = {"occlusion": OCCLUSION}, {"peak": Peak()}
STAMPS = _stamps(METHODS, METRICS)
FILES = ("result.json", "saliency.npz", "curves.npz", "probes.npz", "variants.npz", "overview.png")


class DrawingRun(Run):
    """A run whose rows have a picture."""

    def draw(self, *_: object) -> dict[str, bytes]:
        return {"overview.png": b"the picture"}


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    DrawingRun(folder)(METHODS, METRICS, STAMPS)
    assert {path.name for path in (folder / "a").iterdir()} == set(FILES)
    return folder


def _complete(folder: Path) -> list[Path]:
    return Cache(folder, {"a": STAMPS}, Wanted([], [], [])).complete_folders("a")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _into_folder(path: Path) -> None:
    path.unlink()
    (path / "deeper").mkdir(parents=True)


EACH_FILE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated": _truncate,
    "bit flip": _flip,
    "missing": Path.unlink,
    "a folder": _into_folder,
}


def _as_json(change: Callable[[dict], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        content = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps(change(content)))

    return damage


def _foreign(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")


def _file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("mine")


def _fewer_arrays(folder: Path) -> None:
    np.savez(folder / "saliency.npz", image=read_arrays(folder / "saliency.npz")["image"])


EACH_FOLDER: dict[str, Callable[[Path], object]] = {
    "of another version": _as_json(lambda content: content | {"format": 1}),
    "of no version": _as_json(lambda content: {k: v for k, v in content.items() if k != "format"}),
    "no JSON": lambda folder: (folder / "result.json").write_text("{"),
    "a list": _as_json(lambda content: [content]),
    "another number": _as_json(lambda content: content | {"confidence": 0.123}),
    "without cache keys": _as_json(lambda content: {k: v for k, v in content.items() if k != "cache_keys"}),
    "nested too deep": lambda folder: (folder / "result.json").write_text("[" * 100_000),
    "not UTF-8": lambda folder: (folder / "result.json").write_bytes(b"\xff\xfe\x00"),
    "fewer arrays": _fewer_arrays,
    "a foreign folder": _foreign,
    "a file": _file,
}


def _check_healed(folder: Path, whole: Path) -> None:
    run = DrawingRun(folder)
    damaged = (
        (folder / "a").read_bytes() if (folder / "a").is_file() else sorted(p.name for p in (folder / "a").iterdir())
    )
    assert not _complete(folder)
    with pytest.warns(OverpaintWarning, match=r"a was damaged \(.*\): it was moved to .*damaged/a\.0 and is made anew"):
        run(METHODS, METRICS, STAMPS)
    assert run.queries > 1
    assert _complete(folder) == [folder / "a"]
    aside = folder / "damaged" / "a.0"
    assert (aside.read_bytes() if aside.is_file() else sorted(p.name for p in aside.iterdir())) == damaged
    for file in FILES:
        assert (folder / "a" / file).read_bytes() == (whole / "a" / file).read_bytes(), file


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", EACH_FILE)
def test_a_damaged_file_is_made_anew(kind: str, file: str, explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path, dirs_exist_ok=True)
    EACH_FILE[kind](tmp_path / "a" / file)
    _check_healed(tmp_path, explained)


@pytest.mark.parametrize("kind", EACH_FOLDER)
def test_a_folder_that_is_not_as_it_was_written_is_made_anew(kind: str, explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path, dirs_exist_ok=True)
    EACH_FOLDER[kind](tmp_path / "a")
    _check_healed(tmp_path, explained)


def test_what_is_damaged_twice_is_kept_twice(explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path, dirs_exist_ok=True)
    for content in ("one", "two"):
        (tmp_path / "a" / "overview.png").write_text(content)
        with pytest.warns(OverpaintWarning, match="was damaged"):
            DrawingRun(tmp_path)(METHODS, METRICS, STAMPS)
    kept = [(tmp_path / "damaged" / name / "overview.png").read_text() for name in ("a.0", "a.1")]
    assert kept == ["one", "two"]


def test_files_of_others_stay_when_a_row_is_replaced(explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path, dirs_exist_ok=True)
    (tmp_path / "a" / "notes.txt").write_text("mine")
    (tmp_path / "a" / "more").mkdir()
    (tmp_path / "a" / "more" / "deep.txt").write_text("mine too")
    assert _complete(tmp_path)  # they are no damage
    DrawingRun(tmp_path)(METHODS, METRICS, STAMPS | {"map_occlusion": "other settings"})
    assert not (tmp_path / "damaged").exists()
    assert (tmp_path / "a" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "a" / "more" / "deep.txt").read_text() == "mine too"
    assert set(checked_result(tmp_path / "a")["files"]) == set(FILES) - {"result.json"}


def test_a_file_of_others_with_a_new_files_name_is_kept_too(explained: Path, tmp_path: Path) -> None:
    Run(tmp_path)(METHODS, METRICS, STAMPS)  # has no picture
    (tmp_path / "a" / "overview.png").write_text("mine")
    DrawingRun(tmp_path)(METHODS, METRICS, STAMPS | {"map_occlusion": "other settings"})
    assert (tmp_path / "a" / "overview.png").read_bytes() == b"the picture"
    assert (tmp_path / "damaged" / "overview.png.0").read_text() == "mine"


def test_the_state_of_a_folder_changes_with_whatever_is_written_there(explained: Path, tmp_path: Path) -> None:
    shutil.copytree(explained, tmp_path, dirs_exist_ok=True)
    states = {folder_state(tmp_path / "a")}
    assert folder_state(tmp_path / "a") in states
    for change in (
        lambda path: (path / "notes.txt").write_text("mine"),
        lambda path: (path / "notes.txt").rename(path / "note.txt"),
        lambda path: _truncate(path / "overview.png"),
        lambda path: (path / "probes.npz").unlink(),
    ):
        change(tmp_path / "a")
        assert folder_state(tmp_path / "a") not in states
        states.add(folder_state(tmp_path / "a"))
    assert folder_state(tmp_path / "nowhere") == folder_state(tmp_path / "a" / "curves.npz") == ""


def test_rows_that_are_replaced_go_and_files_of_others_stay(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "overview.png").write_bytes(b"picture")
        write_result(tmp_path / name, {"image": name})
    (tmp_path / "three" / "notes.txt").write_text("mine")
    (tmp_path / "four").mkdir()
    (tmp_path / "four" / RESULT).write_text("{}")
    delete_rows(tmp_path, but={"one"})
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "four/result.json",
        "one/overview.png",
        "one/result.json",
        "three/notes.txt",
    ]
