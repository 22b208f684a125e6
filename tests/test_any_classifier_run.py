"""``explain.py`` with classifiers that others made: a few tiny images, end to end."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

import foreign
import numpy as np
import pytest
import torch
from foreign import SIDE, reference
from PIL import Image

from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.options import ClassifierOptions
from overpaint.cli.entry import explain
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.files import read_arrays
from overpaint.data.pattern import read_files

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
QUICK = [
    *("allow_code=true", "logger.mode=none", "trainer.enable_progress_bar=false", "generator=null", "methods=[rise]"),
    *("saliency.rise.queries=64", "saliency.rise.cells=4"),
]
NORMALISED = ["classifier.mean=[0.4,0.5,0.6]", "classifier.std=[0.2,0.25,0.3]"]
SIZE = f"classifier.image_size={SIDE}"


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from foreign.importable(tmp_path, monkeypatch)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in "ab":
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    return folder


def _explain(photos: Path, *words: str) -> dict[str, dict[str, str]]:
    """Explains the photos; returns the rows of the results by their names."""
    output = photos.parent / "out"
    explain(CONFIGS, [*QUICK, f"images={photos}", f"output={output}", *words])
    with (output / "explain" / "results.csv").open() as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def _confidences(rows: dict[str, dict[str, str]]) -> torch.Tensor:
    return torch.tensor([float(row["confidence"]) for row in rows.values()])


def _expected(photos: Path) -> torch.Tensor:
    part, _ = read_files(str(photos), (SIDE, SIDE), 3, "crop", 0)
    return reference(part.images / 255).amax(1)


@pytest.mark.parametrize("kind", ["torchscript", "exported", "onnx", "network", "function"])
def test_a_foreign_classifier_is_explained(photos: Path, factories: str, tmp_path: Path, kind: str) -> None:
    if kind == "onnx":
        pytest.importorskip("onnxruntime")
    words = {
        "torchscript": lambda: [f"classifier={foreign.write_torchscript(tmp_path / 'net.pt')}", SIZE, *NORMALISED],
        "exported": lambda: [f"classifier={foreign.write_exported(tmp_path / 'net.pt2', 2)}", *NORMALISED],
        "onnx": lambda: [f"classifier={foreign.write_onnx(tmp_path / 'net.onnx')}", *NORMALISED],
        "network": lambda: [f"classifier={factories}:fixed", SIZE, *NORMALISED],
        "function": lambda: [f"classifier={factories}:scorer", SIZE],
    }[kind]()
    methods = "[rise,grad_cam]" if kind == "network" else "[rise]"
    rows = _explain(photos, *words, f"methods={methods}", "classifier.class_names=[cat,dog,cow,hen]")
    torch.testing.assert_close(_confidences(rows), _expected(photos), atol=1e-5, rtol=0)
    assert {row["prediction"] for row in rows.values()} <= {"cat", "dog", "cow", "hen"}
    saliency = read_arrays(tmp_path / "out" / "explain" / "a" / "saliency.npz")
    assert saliency["map_rise"].shape == (SIDE, SIDE)
    assert saliency["region"].any()


def test_the_default_methods_explain_a_black_box(
    photos: Path, factories: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"classifier={factories}:scorer", SIZE, "methods=[mask_estimation,rise,grad_cam]", "limit=1"]
    with pytest.warns(OverpaintWarning, match=r"grad_cam is left out: this classifier has no gradients \(a function\)"):
        _explain(photos, *words)
    saliency = read_arrays(tmp_path / "out" / "explain" / "a" / "saliency.npz")
    assert {"map_mask_estimation", "map_rise"} <= set(saliency)
    assert "map_grad_cam" not in saliency


def test_a_list_of_targets_explains_each(photos: Path, factories: str) -> None:
    words = [f"classifier={factories}:scorer", SIZE, "classifier.class_names=[cat,dog,cow,hen]"]
    rows = _explain(photos, *words, "target=[dog,0]")
    assert list(rows) == ["a@dog", "a@cat", "b@dog", "b@cat"]
    with pytest.raises(OverpaintError, match=r"target=\['dog', 'pig'\]: pig is neither an index below 4 nor a class"):
        _explain(photos, *words, "target=[dog,pig]")
    with pytest.raises(OverpaintError, match=r"target=\['1\.5'\]: 1\.5 is neither an index below"):
        _explain(photos, *words, "target=[1.5]")


def test_another_classifier_or_option_explains_anew(
    photos: Path, factories: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = foreign.write_torchscript(tmp_path / "net.pt")
    words = [f"classifier={path}", SIZE]
    _explain(photos, *words)
    capsys.readouterr()
    _explain(photos, *words)
    assert "2 of 2 images are explained already" in capsys.readouterr().out
    foreign.write_torchscript(path, foreign.SmallNetwork(softmax=True))
    with pytest.raises(OverpaintError, match=r"other settings \(the file of classifier= has other content\): repeat"):
        _explain(photos, *words)
    for more in ([], ["classifier.output=logits"], ["classifier.class_names=[cat,dog,cow,hen]"]):
        _explain(photos, *words, *more, "overwrite=true")
        assert "explained already" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["classifier=net.onnx"], r"^there is no file classifier=net\.onnx$"),
        (["classifier=net.ckpt"], r"^there is no checkpoint classifier=net\.ckpt; .*: python train\.py output="),
        (["classifier=null"], r"^classifier\.source=None is not of the right type: it takes str$"),
        (["classifier=net.ckpt", "classifier.image_size=8"], r"classifier\.image_size=8 has no meaning"),
        (["classifier.sizes=8"], r"there is no setting 'classifier\.sizes'"),
        (["classifier.output=softmax"], r"classifier\.output=softmax is not of the right type: it takes Literal"),
        (["classifier.mean=0.5"], r"classifier\.mean=0\.5 is not of the right type"),
    ],
)
def test_a_wrong_word_for_a_classifier(photos: Path, words: list[str], message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        _explain(photos, *words)


@pytest.mark.skipif("OVERPAINT_DATA" not in os.environ, reason="OVERPAINT_DATA names no folder of photographs")
def test_squeezenet_knows_its_photographs() -> None:
    data = Path(os.environ["OVERPAINT_DATA"])
    classifier = open_classifier(
        ClassifierOptions(
            "torchvision:squeezenet1_0",
            weights=str(data / "squeezenet1_0_imagenet.pt"),
            class_names=str(data / "imagenet_classes.txt"),
        )
    )
    truth = json.loads((data / "photos" / "annotations.json").read_text())
    files = {image["id"]: Path(image["file_name"]).stem for image in truth["images"]}
    classes: dict[str, set[int]] = {}
    for box in truth["annotations"]:
        classes.setdefault(files[box["image_id"]], set()).add(box["category_id"])
    part, skipped = read_files(str(data / "photos"), classifier.input_size, 3, "stretch", 0)
    assert not skipped
    for name, image in zip(part.names, part.images, strict=True):
        assert int(classifier.scores(image[None] / 255).argmax()) in classes[name]
