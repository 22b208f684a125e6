"""Files are written whole or not at all, and read back as they were."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overpaint.core import files
from overpaint.core.files import (
    empty_twin,
    read_csv,
    replace_folder,
    restore,
    write_bytes,
    write_csv,
    write_json,
)

WRITERS: dict[str, Callable[[Path], None]] = {
    "bytes": lambda path: write_bytes(path, b"new"),
    "json": lambda path: write_json(path, {"new": 1}),
    "csv": lambda path: write_csv(path, [{"new": 1}]),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_stopped_writer_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def stopped(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:1])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", stopped)
    with pytest.raises(KeyboardInterrupt):
        WRITERS[kind](path)
    assert path.read_text() == "old"
    monkeypatch.undo()
    WRITERS[kind](path)
    assert "new" in path.read_text()
    assert list(tmp_path.iterdir()) == [path]  # what the stopped one left was used up


@pytest.mark.parametrize("content", [{"a": object()}, {("a", "b"): 1}])
def test_what_is_no_json_leaves_the_old_file(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "file.json"
    write_json(path, "old")
    with pytest.raises(TypeError):
        write_json(path, content)
    assert json.loads(path.read_text()) == "old"


def test_folders_are_made(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "file", b"\x00\xff")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"\x00\xff"


def test_json_knows_no_infinity(tmp_path: Path) -> None:
    nan, infinity = float("nan"), float("inf")
    content = {"a": nan, "b": [infinity, 1.5, (-infinity, 2)], "c": {"d": nan}, "e": "ü", "f": True, "g": None, "h": 7}
    write_json(tmp_path / "a.json", content)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")

    def refuse(word: str) -> None:
        raise AssertionError(word)

    expected = {"a": None, "b": [None, 1.5, [None, 2]], "c": {"d": None}, "e": "ü", "f": True, "g": None, "h": 7}
    assert json.loads(text, parse_constant=refuse) == expected
    assert "ü" in text
    assert text.endswith("}\n")


def test_csv_has_every_column_that_occurs(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(path, [{"b": 1, "a": "x,y"}, {"c": "two\nlines", "a": 'a "word"'}])
    assert path.read_bytes().startswith(b"b,a,c\n")
    assert read_csv(path) == [{"b": "1", "a": "x,y", "c": ""}, {"b": "", "a": 'a "word"', "c": "two\nlines"}]


def test_csv_has_the_columns_that_are_given(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(path, [], ["path", "reason"])
    assert path.read_text() == "path,reason\n"
    assert read_csv(path) == []
    write_csv(path, [{"reason": "ü"}], ["path", "reason"])
    assert read_csv(path) == [{"path": "", "reason": "ü"}]


def test_a_missing_table_is_empty(tmp_path: Path) -> None:
    assert read_csv(tmp_path / "none.csv") == []


class Killed(BaseException):
    """Ends a test's run at a given operation, as a kill does: no handler cleans up."""


def _new_folder(folder: Path, content: str) -> Path:
    twin = empty_twin(folder)
    (twin / "a").write_text(content)
    (twin / "b").write_text(content)
    return twin


@pytest.mark.parametrize("operation", range(4))
def test_a_kill_while_a_folder_is_replaced_loses_neither(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, operation: int
) -> None:
    folder = tmp_path / "image"
    replace_folder(folder, _new_folder(folder, "old"))
    new, done = _new_folder(folder, "new"), 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **more: Any) -> Any:
            nonlocal done
            if done == operation:
                if real is rmtree:  # half of it is gone
                    (words[0] / "a").unlink()
                raise Killed
            done += 1
            return real(*words, **more)

        return call

    rmtree = files.shutil.rmtree
    monkeypatch.setattr(Path, "rename", counted(Path.rename))
    monkeypatch.setattr(files.shutil, "rmtree", counted(rmtree))
    if operation < 3:
        with pytest.raises(Killed):
            replace_folder(folder, new)
    else:
        replace_folder(folder, new)
    monkeypatch.undo()
    restore(tmp_path)
    contents = {path.name: path.read_text() for path in folder.iterdir()}
    assert contents in ({"a": "old", "b": "old"}, {"a": "new", "b": "new"})
    assert list(tmp_path.iterdir()) == [folder]


def test_only_what_lies_beside_is_replaced(tmp_path: Path) -> None:
    inner = tmp_path / "output" / "explain"
    inner.mkdir(parents=True)
    (tmp_path / "output" / "kept").write_text("checkpoint")
    new = empty_twin(inner / "image")
    with pytest.raises(ValueError, match="do not lie in one folder"):
        replace_folder(inner / "..", new)
    assert (tmp_path / "output" / "kept").is_file()


def test_a_file_system_that_ignores_case_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not files.ignores_case(tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(Path, "exists", lambda path: path.name.swapcase() in os.listdir(path.parent))
    assert files.ignores_case(tmp_path)
