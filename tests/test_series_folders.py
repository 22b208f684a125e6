"""Folders of series: class folders with a file for each series, of any kind; splits; what is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from overpaint.core.errors import OverpaintError
from overpaint.data.series.class_folders import READERS
from overpaint.data.series.file_data import SeriesFileData


def _write(path: Path, values: list[float]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, np.array(values))
    else:
        path.write_text("\n".join(map(str, values)))


def _values(seed: int, steps: int = 16) -> list[float]:
    values: list[float] = np.random.default_rng(seed).normal(size=steps).round(3).tolist()
    return values


def test_class_folders_give_classes_names_and_splits(tmp_path: Path) -> None:
    for number in range(30):
        _write(tmp_path / ("up" if number % 2 else "down") / f"{number:02d}.csv", _values(number))
    (tmp_path / "up" / "notes.md").write_text("of no account")
    (tmp_path / ".hidden").mkdir()
    _write(tmp_path / ".hidden" / "x.csv", _values(0))
    data = SeriesFileData(str(tmp_path))
    data.setup()
    assert data.class_names == ["down", "up"]
    names = [*data.train.names, *data.val.names, *data.test.names]
    assert sorted(names) == sorted(f"{'up' if n % 2 else 'down'}/{n:02d}.csv" for n in range(30))
    for split in (data.train, data.val, data.test):
        for name, image, label in zip(split.names, split.images, split.labels, strict=True):
            assert name.startswith(data.class_names[int(label)])
            own = torch.tensor(_values(int(name[-6:-4])))[None, None]
            torch.testing.assert_close(image[None], data.scale.scaled(own))


def test_given_splits_are_taken_and_the_missing_one_comes_from_training(tmp_path: Path) -> None:
    for number in range(20):
        _write(tmp_path / "train" / "ab"[number % 2] / f"{number}.npy", _values(number))
    for number in range(4):
        _write(tmp_path / "val" / "ab"[number % 2] / f"{number}.npy", _values(number))
        _write(tmp_path / "test" / "abc"[number % 3] / f"{number}.npy", _values(number))
    data = SeriesFileData(str(tmp_path))
    data.setup()
    assert (len(data.train), len(data.val), len(data.test)) == (20, 4, 3)
    assert "1 test series were left out: no training series has their class" in data.notes
    assert data.test.names[0] == "a/0.npy"


def test_a_file_of_one_series(tmp_path: Path) -> None:
    texts = {
        "column.txt": "1\n2\n3\n",
        "line.csv": "1, 2, 3",
        "heading.tsv": "volt\tampere\n1\t4\n2\t?\n3\t6\n",
        "one.ts": "@classLabel false\n@data\n1,2,3:4,?,6\n",
    }
    read: dict[str, list[list[float]]] = {}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        read[name] = np.nan_to_num(READERS[Path(name).suffix](str(tmp_path / name)), nan=-1).tolist()
    np.save(tmp_path / "array.npy", np.array([[1, 2, 3], [4, 5, 6]]))
    assert READERS[".npy"](str(tmp_path / "array.npy")).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert read["column.txt"] == read["line.csv"] == [[1, 2, 3]]
    assert read["heading.tsv"] == read["one.ts"] == [[1, 2, 3], [4, -1, 6]]


def _array(*shape: int) -> Callable[[Path], None]:
    return lambda path: np.save(path, np.zeros(shape))


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("a.csv", lambda path: path.write_text("1,2\n3\n"), "a.csv: lines have 1 to 2 numbers"),
        ("a.csv", lambda path: path.write_text("1\ntwo\n"), "line 2: .*two.* is no number"),
        ("a.csv", lambda path: path.write_text("\n"), "a.csv holds no series: it is empty"),
        ("a.npy", _array(2, 3, 4), r"a.npy has shape \(2, 3, 4\); a file of one series has"),
        ("a.npy", _array(9, 3), "a.npy holds 9 channels of 3 steps; the steps come last"),
        ("a.npy", _array(0), "a.npy holds no value"),
        ("a.npy", lambda path: path.write_bytes(b"no array"), "a.npy can't be read as NumPy's file"),
        ("a.ts", lambda path: path.write_text("@classLabel false\n@data\n1,2\n3,4\n"), "holds 2 series; a file in a"),
    ],
)
def test_a_file_that_is_no_series_is_one_sentence(
    tmp_path: Path, name: str, write: Callable[[Path], None], said: str
) -> None:
    (tmp_path / "up").mkdir()
    write(tmp_path / "up" / name)
    with pytest.raises(OverpaintError, match=said):
        SeriesFileData(str(tmp_path))


def test_files_of_one_series_without_class_folders_are_told_where_they_belong(tmp_path: Path) -> None:
    for number in range(3):
        _write(tmp_path / f"{number}.csv", _values(number))
    with pytest.raises(OverpaintError, match="files of one series each belong into a folder for each class"):
        SeriesFileData(str(tmp_path))


def test_another_time_of_a_file_is_another_state(tmp_path: Path) -> None:
    for number in range(8):
        _write(tmp_path / "up" / f"{number}.csv", _values(number))
        os.utime(tmp_path / "up" / f"{number}.csv", (1, 1))
    stamps = []
    for moment in (1, 2):
        os.utime(tmp_path / "up" / "3.csv", (moment, moment))
        stamp = SeriesFileData(str(tmp_path)).open_split("test").stamp
        assert stamp is not None
        stamps.append(stamp(0).state)
    assert "" not in stamps
    assert stamps[0] != stamps[1]
