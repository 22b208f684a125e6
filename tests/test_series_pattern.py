"""Files of series to explain: by a pattern on the command line, by a path in Python, to the same values."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import overpaint as op
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.core.resize import resize
from overpaint.data.series.pattern import fitted_series, in_scale, open_series, read_cases
from overpaint.inpainting.region import RegionRule

SCALE = op.SeriesScale([-2.0], [6.0])


def _values(count: int = 3, length: int = 16, channels: int = 1) -> Tensor:
    return 2 * torch.randn(count, channels, length, generator=torch.Generator().manual_seed(5))


def _saved(path: Path, values: Tensor) -> Path:
    np.save(path, values.numpy())
    return path


def _classifier(length: int = 16) -> Classifier:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(length, 2))
    found = op.as_classifier(network, ["low", "high"], image_size=(length,), output="logits", scale=SCALE)
    assert isinstance(found, Classifier)
    return found


def test_series_are_called_by_their_file_and_their_number(tmp_path: Path) -> None:
    assert list(read_cases(_saved(tmp_path / "one.npy", _values(1)))) == ["one"]
    assert list(read_cases(_saved(tmp_path / "beats.npy", _values(2)))) == ["beats-00001", "beats-00002"]
    np.save(tmp_path / "steps.npy", np.arange(5))
    assert {name: case.tolist() for name, case in read_cases(tmp_path / "steps.npy").items()} == {
        "steps": [[0, 1, 2, 3, 4]]
    }
    np.savez(tmp_path / "both.npz", X_train=_values(2).numpy(), X_test=_values(1).numpy())
    assert list(read_cases(tmp_path / "both.npz")) == ["both-00001", "both-00002", "both-00003"]


def test_values_come_back_to_the_bit_and_other_lengths_are_resampled(tmp_path: Path) -> None:
    values = _values()
    cases = read_cases(_saved(tmp_path / "a.npy", values))
    assert torch.equal(fitted_series(cases, 16, 1), values)
    torch.testing.assert_close(fitted_series(cases, 40, 1), resize(values, (40,)))
    assert in_scale(values, None) is values
    assert torch.equal(in_scale(values, SCALE), SCALE.scaled(values))


def test_a_gap_is_interpolated_and_said_and_what_has_no_value_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "gaps.csv").write_text("a,1,?,3,4\nb,5,6,7,8\n")
    values = np.ones((2, 1, 4), dtype=np.float32)
    values[1] = np.nan
    np.save(tmp_path / "empty.npy", values)
    split, notes = open_series(str(tmp_path), 4, 1, None)
    assert notes[0] == "1 missing values, in 1 of 4 series, were interpolated"
    found, skipped = split.read_all()
    assert list(found.names) == ["empty-00001", "gaps-00001", "gaps-00002"]
    assert found.images[1].tolist() == [[1, 2, 3, 4]]
    assert [(Path(one.path).name, "channel without any value" in one.reason) for one in skipped] == [
        ("empty.npy", True)
    ]


def test_a_pattern_takes_the_files_that_it_names_in_their_order_scaled(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        _saved(tmp_path / folder / "beat.npy", _values(2))
    (tmp_path / "x" / "notes.md").write_text("no series")
    split, _ = open_series(f"{tmp_path}/*/beat*", 16, 1, SCALE)
    assert len(split) == 4
    found, skipped = split.read([2, 0])
    assert (list(found.names), skipped) == (["00003-beat-00001", "00001-beat-00001"], [])
    assert torch.equal(found.images, SCALE.scaled(_values(2))[[0, 0]])
    assert split.stamp is not None
    assert split.stamp(0).name == "00001-beat-00001"


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("none/*.ts", "matches no file of series"),
        ("picture.png", "of no known kind of series"),
        ("two.npy", "has 2 channels, but the classifier takes 1"),
    ],
)
def test_what_is_no_series_of_the_classifiers_is_a_sentence(pattern: str, said: str, tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "picture.png")
    _saved(tmp_path / "two.npy", _values(1, channels=2))
    with pytest.raises(OverpaintError, match=said):
        fitted_series(read_cases(tmp_path / pattern), 16, 1) if "*" not in pattern else open_series(
            pattern, 16, 1, None
        )


def test_a_path_in_python_is_the_series_in_its_units(tmp_path: Path) -> None:
    classifier, values = _classifier(), _values()
    path = _saved(tmp_path / "beats.npy", values)
    from_file = op.explain(classifier, path, methods=["occlusion"], region=RegionRule(method="fraction"))
    from_array = op.explain(
        classifier, SCALE.scaled(values), methods=["occlusion"], region=RegionRule(method="fraction")
    )
    assert from_file.names == ["beats-00001", "beats-00002", "beats-00003"]
    assert torch.equal(from_file.images, from_array.images)
    assert torch.equal(from_file.maps["occlusion"], from_array.maps["occlusion"])
    with pytest.raises(OverpaintError, match="holds a Image, but the classifier takes series"):
        op.explain(classifier, Image.new("L", (8, 8)))
    with pytest.raises(OverpaintError, match=r"nowhere\.npy is no file"):
        op.explain(classifier, tmp_path / "nowhere.npy")
