"""Small data sets: every class in every split, what can't be measured is left out and said, nothing breaks."""

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from overpaint.classifiers.network import NetworkClassifier
from overpaint.cli.entry import train
from overpaint.core.errors import OverpaintWarning
from overpaint.core.files import read_csv
from overpaint.data.folder import FolderData
from overpaint.data.stratified import stratified_parts
from overpaint.training.generation_metrics import FEWEST_REAL, generation_metrics, unmeasured

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def _fill(root: Path, counts: dict[str, int]) -> Path:
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(root / name / f"{index}.png")
    return root


@pytest.mark.parametrize(
    ("counts", "tenths"),
    [
        ({"a": 100, "b": 40}, {"a": 10, "b": 4}),
        ({"a": 39, "b": 11}, {"a": 3, "b": 1}),
        ({"a": 5, "b": 3}, {"a": 1, "b": 1}),
        ({"a": 19, "b": 1}, {"a": 1}),
    ],
)
def test_each_part_has_its_share_of_each_class(counts: dict[str, int], tenths: dict[str, int]) -> None:
    classes = [name for name, count in counts.items() for _ in range(count)]
    parts = stratified_parts(classes, ["val", "test"], "train", seed=3)
    for name in ("val", "test"):
        assert Counter(classes[i] for i in parts[name]) == tenths
    assert sorted(i for indices in parts.values() for i in indices) == list(range(len(classes)))
    assert parts == stratified_parts(classes, ["val", "test"], "train", seed=3)
    assert parts != stratified_parts(classes, ["val", "test"], "train", seed=4)


def test_one_class_alone_is_split_as_by_a_permutation() -> None:
    order = torch.randperm(29, generator=torch.Generator().manual_seed(1)).tolist()
    expected = {"val": order[:2], "test": order[2:4], "train": order[4:]}
    assert stratified_parts([None] * 29, ["val", "test"], "train", seed=1) == expected


@pytest.mark.parametrize("counts", [(1, 1, 1), (2, 1), (3,), (1, 1, 1, 1), (2, 2), (1, 4)])
def test_no_part_of_a_few_is_empty(counts: tuple[int, ...]) -> None:
    classes = [name for name, count in enumerate(counts) for _ in range(count)]
    for seed in range(20):
        parts = stratified_parts(classes, ["val", "test"], "train", seed)
        assert all(parts.values())
        assert sorted(i for indices in parts.values() for i in indices) == list(range(len(classes)))
    with pytest.raises(ValueError, match="2 items are too few for 3 parts"):
        stratified_parts([0, 1], ["val", "test"], "train", 0)


def test_small_and_empty_classes_are_said(tmp_path: Path) -> None:
    root = _fill(tmp_path, {"many": 12, "few": 9, "broken": 0, "empty": 0})
    (root / "broken" / "a.jpg").write_text("no picture")
    (root / "many" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    data = FolderData(str(root), image_size=8)
    data.setup()
    assert {(Path(one.path).name, one.class_name) for one in data.skipped} == {("a.jpg", "broken"), ("cut.png", "many")}
    assert [note.partition(" in data.root")[0] for note in data.notes] == [
        "the class folder 'broken'",
        "the class folder 'empty'",
        "classes with fewer than 10 pictures, too few to learn them well: few (9)",
    ]
    assert all("holds no readable picture" in note for note in data.notes[:2])


@pytest.mark.parametrize(("count", "missing"), [(1, list(FEWEST_REAL)), (3, list(FEWEST_REAL)[2:]), (6, [])])
def test_what_few_images_cannot_tell_is_left_out(network: NetworkClassifier, count: int, missing: list[str]) -> None:
    images = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = generation_metrics(images[:count], images, network)
    assert unmeasured(count) == missing
    assert set(FEWEST_REAL) - set(found) == set(missing)
    assert {"confident", "least_fraction", "share_of_a"} <= set(found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("counts", "more"),
    [((2, 1), ["model.classifier.architecture=resnet18"]), ((5, 4), []), ((10, 9), ["model.dcgan.recipe=radford"])],
)
def test_a_few_pictures_train(
    tmp_path: Path, counts: tuple[int, int], more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    root = _fill(tmp_path / "photos", dict(zip(("a", "b/c"), counts, strict=True)))
    words = ["data=folder", f"data.root={root}", "data.image_size=32", f"output={tmp_path}/out", "logger.mode=none"]
    words += ["trainer.enable_progress_bar=false", "trainer.max_epochs=1", "model.dcgan.base_channels=2"]
    words += ["model.dcgan.evaluate_every_n_epochs=1", "trainer.accelerator=cpu", *more]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(CONFIGS, words)
    said = [str(one.message) for one in caught if issubclass(one.category, OverpaintWarning)]
    held_out = 1 if counts == (2, 1) else 2
    assert said == [
        f"{', '.join(f'samples/{name}' for name in unmeasured(held_out))} are left out: they take more real images "
        f"than the {held_out} of the validation split"
    ]
    assert "classes with fewer than 10 pictures" in capsys.readouterr().out
    rows = read_csv(tmp_path / "out" / "metrics.csv")
    assert all(name not in rows[-1] or not rows[-1][f"samples/{name}"] for name in unmeasured(held_out))
    test = next(row for row in rows if row["epoch"] == "test")
    by_class = [float(test[f"classifier/test_accuracy_of_{name}"]) for name in ("a", "b") if held_out == 2]
    assert not by_class or np.mean(by_class) == pytest.approx(float(test["classifier/test_accuracy"]))
