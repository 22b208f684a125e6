"""Files of series: each format, its missing values and lengths, pairs and splits, and what is refused."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from overpaint.core.errors import OverpaintError
from overpaint.data.series.array_files import read_npy, read_npz
from overpaint.data.series.cleaning import CleaningRule
from overpaint.data.series.content import SeriesContent, as_label
from overpaint.data.series.file_data import SeriesFileData
from overpaint.data.series.table_files import read_arff, read_table
from overpaint.data.series.ts_files import read_ts

NAN = math.nan


def _plain(content: SeriesContent) -> list[list[list[float | None]]]:
    """The values as lists, None where one is missing."""
    return [[[None if math.isnan(v) else v for v in row] for row in case.tolist()] for case in content.cases]


def _write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def _table(path: Path, labels: list[str], length: int = 12, seed: int = 0) -> Path:
    values = np.random.default_rng(seed).normal(size=(len(labels), length)).round(4)
    lines = ["\t".join([label, *map(str, row)]) for label, row in zip(labels, values, strict=True)]
    path.write_text("\n".join(lines))
    return path


def test_ts_in_any_case_with_channels_gaps_and_unequal_lengths(tmp_path: Path) -> None:
    text = "# said\n@ProblemName X\n@classlabel TRUE Up down\n@DATA\n1,-2.5,?:3,4,5e-1:Up\n\n1,2:NaN,4:down\n"
    found = read_ts(_write(tmp_path / "a.ts", text))
    assert _plain(found) == [[[1, -2.5, None], [3, 4, 0.5]], [[1, 2], [None, 4]]]
    assert found.labels == ["Up", "down"]


def test_ts_with_times_and_without_classes(tmp_path: Path) -> None:
    stamped = (
        "@timeStamps true\n@classLabel true 1 2\n@data\n(0,-1.5),(1,2),(2,?):(2026-01-01 00:00:00,7),(1,8),(2,9):1\n"
    )
    found = read_ts(_write(tmp_path / "a.ts", stamped))
    assert _plain(found) == [[[-1.5, 2, None], [7, 8, 9]]]
    assert found.labels == ["1"]
    assert read_ts(_write(tmp_path / "b.ts", "@classLabel false\n@data\n1,2\n")).labels is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@data\n1,two:a\n", "line 2: 'two' is no number"),
        ("@data\n1,2:3:a\n", "different lengths"),
        ("@data\n1,2:a\n1,2:3,4:a\n", "has 2 channels, the lines before have 1"),
        ("@data\n1,2\n", "no class behind a last ':'"),
        ("@targetLabel true\n@data\n1,2:0.5\n", "only classes are learned"),
        ("1,2:a\n", "@data has not come yet"),
        ("@problemName X\n", "holds no series: it has no line @data"),
        ("@timeStamps true\n@data\n1,2:a\n", "not made of"),
        ("@data\n1,inf:a\n", "infinite"),
    ],
)
def test_a_wrong_ts_file_is_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(OverpaintError, match=said) as caught:
        read_ts(_write(tmp_path / "a.ts", text))
    assert "a.ts" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "1\t0.5\t1.5\tNaN\n2\t3\t\t5\n",
        "   1.0000000e+00   5.0e-01  1.5 NaN\n   2.0e+00 3 ? 5\n",
        "class,a,b,c\n1,0.5,1.5,\n2,3,?,5\n",
        "1.0;0.5;1.5;nan\r\n2.0;3;NaN;5\r\n",
    ],
)
def test_tables_with_any_delimiter(text: str, tmp_path: Path) -> None:
    found = read_table(_write(tmp_path / "a.txt", text))
    assert _plain(found) == [[[0.5, 1.5]], [[3, None, 5]]]  # NaN at the end fills a shorter series
    assert found.labels == ["1", "2"]


def test_classes_are_kept_as_written_and_whole_numbers_shown_as_such() -> None:
    assert [as_label(text) for text in (" Walking:Fast", "1.0", "-1", "1.5", "NO", "1e0", "2.0000000e+00")] == [
        *("Walking:Fast", "1", "-1", "1.5", "NO", "1", "2")
    ]


def test_arff_of_one_and_of_several_channels(tmp_path: Path) -> None:
    one = "@relation X\n@attribute a numeric\n@attribute b numeric\n@attribute target {2,1}\n@data\n1.5,?,2\n3,4,1\n"
    found = read_arff(_write(tmp_path / "a.arff", one))
    assert _plain(found) == [[[1.5]], [[3, 4]]]
    assert found.labels == ["2", "1"]
    several = (
        "@relation X\n@attribute r relational\n@attribute a numeric\n@attribute b numeric\n@end r\n"
        "@attribute class {Up,down}\n@data\n'1,2\\n3,4',Up\n'5,6\\n7,8',down\n"
    )
    found = read_arff(_write(tmp_path / "b.arff", several))
    assert _plain(found) == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    assert found.labels == ["Up", "down"]
    with pytest.raises(OverpaintError, match="the types numeric"):
        read_arff(_write(tmp_path / "c.arff", "@relation X\n@attribute a numeric\n@attribute b numeric\n@data\n1,2\n"))
    with pytest.raises(OverpaintError, match="can't be read as ARFF"):
        read_arff(_write(tmp_path / "d.arff", "@relation X\n@attribute a {1,2\n@data\n3"))


def test_arrays(tmp_path: Path) -> None:
    values = np.arange(12.0).reshape(2, 2, 3)
    np.savez(tmp_path / "a.npz", X=values, y=np.array(["a", "b"]))
    found = read_npz(str(tmp_path / "a.npz"))[""]
    assert np.array_equal(np.stack(found.cases), values)
    assert found.labels == ["a", "b"]
    np.savez(tmp_path / "b.npz", X_train=values[:, 0], y_train=[1.0, 2.0], X_test=values[:1, 0], y_test=[1.0])
    parts = read_npz(str(tmp_path / "b.npz"))
    assert {name: (len(part.cases), part.labels) for name, part in parts.items()} == {
        "train": (2, ["1", "2"]),
        "test": (1, ["1"]),
    }
    np.save(tmp_path / "X_own.npy", values)
    assert read_npy(str(tmp_path / "X_own.npy")).labels is None
    np.save(tmp_path / "y_own.npy", np.array([3, 4]))
    assert read_npy(str(tmp_path / "X_own.npy")).labels == ["3", "4"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((2, 1, 4, 4, 4)), r"shape \(2, 1, 4, 4, 4\); series are numbers"),
        (np.zeros((2, 9, 1)), r"9 channels and 1 steps; the order must be"),
        (np.array(["a"]), "series are numbers"),
        (np.full((2, 3), np.inf), "infinite"),
        (np.array([None, 1]), "can't be read as NumPy's file of numbers"),
    ],
)
def test_wrong_arrays_are_one_sentence(values: Any, said: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    with pytest.raises(OverpaintError, match=said):
        SeriesFileData(str(tmp_path / "a.npy"))


def test_missing_values_are_interpolated_and_counted_or_refused(tmp_path: Path) -> None:
    rule = CleaningRule("interpolate", "resample", None)
    case = np.array([[NAN, 1.0, NAN, NAN, 4.0, NAN]])
    assert rule.cleaned([case], 6, ["x"])[0, 0].tolist() == [1, 1, 2, 3, 4, 4]
    text = "@data\n" + "1,?,3,4:a\n" * 6 + "2,?,?,8:b\n" * 6
    path = _write(tmp_path / "a.ts", text)
    data = SeriesFileData(path)
    assert "18 missing values, in 12 of 12 series, were interpolated" in data.notes
    with pytest.raises(OverpaintError, match=r"the series a-\d+ lacks \d values; data.missing=interpolate"):
        SeriesFileData(path, missing="refuse")
    with pytest.raises(OverpaintError, match="a channel without any value"):
        rule.cleaned([np.array([[NAN, NAN]])], 2, ["x"])


def test_unequal_lengths_are_resampled_or_padded() -> None:
    cases = [np.array([[0.0, 1.0, 2.0, 3.0]]), np.array([[5.0, 7.0]])]
    padded = CleaningRule("interpolate", "pad", 3)
    assert padded.cleaned(cases, 3, ["x", "y"])[:, 0].tolist() == [[0, 1, 2], [5, 7, 7]]
    resampled = CleaningRule("interpolate", "resample", None)
    assert resampled.own_length(cases) == 4
    assert resampled.cleaned(cases, 4, ["x", "y"])[:, 0].tolist() == [[0, 1, 2, 3], [5, 5.5, 6.5, 7]]


def test_a_pair_is_found_from_either_file_or_the_folder(tmp_path: Path) -> None:
    _table(tmp_path / "Own_TRAIN.tsv", ["2", "10", "-1"] * 20)
    _table(tmp_path / "Own_TEST.tsv", ["2", "10", "-1", "7"] * 5, seed=1)
    for root in (tmp_path, tmp_path / "Own_TRAIN.tsv", tmp_path / "Own_TEST.tsv"):
        data = SeriesFileData(str(root))
        data.setup()
        assert data.class_names == ["-1", "2", "10"]
        assert (len(data.train), len(data.val), len(data.test)) == (54, 6, 15)
        assert "5 test series were left out: no training series has their class" in data.notes
        assert data.test.names[0] == "Own_TEST-00001"
        assert data.test.labels[:3].tolist() == [1, 2, 0]
    assert data.channels == 1
    assert data.input_size == (12,)


def test_a_single_file_is_split_by_class_and_seed(tmp_path: Path) -> None:
    path = str(_table(tmp_path / "own.csv", ["a", "b"] * 50))
    first, again, other = (SeriesFileData(path, seed=seed) for seed in (0, 0, 1))
    for data in (first, again, other):
        data.setup()
    assert (len(first.train), len(first.val), len(first.test)) == (80, 10, 10)
    names = [*first.train.names, *first.val.names, *first.test.names]
    assert len(set(names)) == 100
    assert first.test.labels.bincount().tolist() == [5, 5]
    assert torch.equal(first.train.images, again.train.images)
    assert first.test.names != other.test.names
    scaled = first.train.images
    assert torch.equal(first.scale.scaled(first.training_values()), scaled)
    shown = SeriesFileData(path, epoch=200, batch_size=30)
    shown.setup("fit")
    batches = list(shown.train_dataloader())
    assert [len(batch.images) for batch in batches] == [30] * 8  # three times 80, in whole batches
    assert torch.equal(shown.shown_in_epoch().labels, shown.train.labels.repeat(3))
    stamp = first.open_split("test").stamp
    assert stamp is not None
    assert stamp(0).name == first.test.names[0]


def test_what_is_no_data_set_is_one_sentence(tmp_path: Path) -> None:
    cases = {"is neither a file nor a folder": tmp_path / "none.ts", "holds no file of series": tmp_path}
    for said, root in cases.items():
        with pytest.raises(OverpaintError, match=said):
            SeriesFileData(str(root))
    _table(tmp_path / "a.tsv", ["1"])
    with pytest.raises(OverpaintError, match="holds 1 series; training, validation and test need one each"):
        SeriesFileData(str(tmp_path))
    _table(tmp_path / "b.tsv", ["1"] * 5)
    with pytest.raises(OverpaintError, match=r"several data sets \(a, b\); name the file of one"):
        SeriesFileData(str(tmp_path))
    (tmp_path / "c.png").write_bytes(b"\x89PNG")
    with pytest.raises(OverpaintError, match="is of no known kind"):
        SeriesFileData(str(tmp_path / "c.png"))
    (tmp_path / "d.ts").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OverpaintError, match="is no text in UTF-8"):
        SeriesFileData(str(tmp_path / "d.ts"))


@pytest.mark.skipif("OVERPAINT_DATA" not in os.environ, reason="OVERPAINT_DATA names no folder of heartbeats")
def test_heartbeats_read_alike_from_both_formats() -> None:
    ecg = Path(os.environ["OVERPAINT_DATA"]) / "ecg5000"
    both = [SeriesFileData(str(ecg / f"ECG5000_TRAIN{suffix}")) for suffix in (".ts", ".txt")]
    for data in both:
        data.setup()
        assert data.class_names == ["1", "2", "3", "4", "5"]
        assert data.train.images.shape[1:] == (1, 140)
    for name in ("train", "val", "test"):
        one, other = (getattr(data, name) for data in both)
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
    counts = sum(len(getattr(both[0], name)) for name in ("train", "val", "test"))
    assert counts == 500
