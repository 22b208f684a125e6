"""What is wrong with a classifier is said in one sentence."""

import fractions
import zipfile
from collections.abc import Iterator
from pathlib import Path

import foreign
import pytest
import torch
import torchvision
from foreign import CLASSES, SIDE, SmallNetwork
from torch import Tensor, nn

from overpaint.classifiers.blackbox import CallableClassifier
from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.options import ClassifierOptions
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.networks.checkpoint import FORMAT_KEY


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from foreign.importable(tmp_path, monkeypatch)


def _open(source: object, **options: object) -> Classifier:
    return open_classifier(ClassifierOptions(str(source), allow_code=True, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("own.ckpt", {"image_size": 8}, r"^classifier\.image_size=8 has no meaning for classifier=own\.ckpt, by its"),
        ("own.ckpt", {"output": "logits"}, r"classifier\.output=logits has no meaning .*which says it itself; other"),
        (
            "torchvision:resnet18",
            {"channels": 1},
            r"classifier\.channels=1 has no meaning .*, which takes three$",
        ),
        ("net.pt", {"weights": "w.pt"}, r"weights=w\.pt has no meaning .*a TorchScript file, which holds its weights$"),
        ("net.pt2", {"weights": "w.pt"}, r"an exported program, which holds its weights$"),
        ("net.pt", {"image_size": 0}, r"^ClassifierOptions\.image_size=0 must be at least 1$"),
        ("net.pt", {"image_size": [8, 0]}, r"^ClassifierOptions\.image_size=\[8, 0\] must be at least 1$"),
        ("net.pt", {"image_size": [8, 8, 8]}, r"^classifier\.image_size=\[8, 8, 8\] must be one number, \[height, "),
        ("net.pt", {}, r"^there is no file classifier=net\.pt$"),
        ("gone.ckpt", {}, r"^there is no file classifier=gone\.ckpt$"),
        (
            "torchvision:resnt50",
            {"weights": "w"},
            r"torchvision:resnt50 .*; did you mean torchvision:resnet50",
        ),
        (
            "torchvision:qqq",
            {"weights": "w"},
            r"qqq is no classification network of torchvision; it has al",
        ),
        ("torchvision:resnet18", {}, r"resnet18 needs classifier\.weights: a state-dict file, or DEFAULT$"),
        ("torchvision:resnet18", {"weights": "no.pt"}, r"^there is no file classifier\.weights=no\.pt$"),
        ("nowhere.module:make", {}, r"^classifier=nowhere\.module:make can't be imported: No module named 'nowhere'$"),
        ("FACTORIES:gone", {}, r"FACTORIES:gone can't be imported: module .* has no attribute 'gone'$"),
        ("FACTORIES:nothing", {}, r"FACTORIES:nothing returned a NoneType; it must return a network of torch or a f"),
        ("FACTORIES:breaks", {}, r"FACTORIES:breaks failed when called with \(\): .*the disk is full"),
        ("FACTORIES:fixed", {}, r"^classifier\.image_size must be given: FACTORIES:fixed does not say how large its"),
        (
            "FACTORIES:scorer",
            {"image_size": 8, "std": [1.0] * 3},
            r"std has no meaning: .* returned a function",
        ),
        (
            "FACTORIES:scorer",
            {"image_size": 8, "mean": [127.0]},
            r"Options\.mean=\[127\.0\] must lie in \[0, 1\]",
        ),
        ("FACTORIES:scorer", {"image_size": 8, "weights": "w.pt"}, r"no file classifier\.weights=w\.pt"),
        ("FACTORIES:fixed", {"image_size": 8, "channels": 1}, r"can't take images of 8x8 pixels with 1 channels: .*"),
        (
            "FACTORIES:fixed",
            {"image_size": 8, "mean": [0.5] * 3},
            r"mean is given without classifier\.std; im",
        ),
        ("FACTORIES:fixed", {"image_size": 8, "std": [0.5] * 3}, r"std is given without classifier\.mean; images need"),
        (
            "FACTORIES:fixed",
            {"image_size": 8, "channels": 3, "mean": [0.5], "std": [0.5]},
            r"classifier\.mean=\[0\.5\] must have one entry for each of the 3 channels",
        ),
        ("FACTORIES:fixed", {"image_size": 8, "channels": 4}, r"can't take images of 8x8 pixels with 4 channels: "),
        (
            "FACTORIES:worded",
            {"image_size": 8},
            r"answered one image with a dict \(scores \(1, 3, 8, 8\)\), none of which holds",
        ),
        ("FACTORIES:fixed", {"image_size": 8, "output": "probabilities"}, r"are no probabilities: a row has the sum"),
        ("FACTORIES:fixed", {"image_size": 8, "class_names": ["a", "b"]}, r"has 2 names, but .*:fixed gives 4 scores$"),
        ("FACTORIES:fixed", {"image_size": 8, "class_names": ["a", " "]}, r"class_names has no name for class 1$"),
        ("FACTORIES:fixed", {"image_size": 8, "class_names": "no.txt"}, r"class_names=no\.txt can't be read as a text"),
    ],
)
def test_a_wrong_source_or_option(factories: str, source: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(OverpaintError, match=message.replace("FACTORIES", factories)):
        _open(source.replace("FACTORIES", factories), **options)


def test_class_names_of_another_encoding_or_with_a_gap(factories: str) -> None:
    for content, message in ((b"caf\xe9\nb\nc\nd", "can't be read as a text file"), (b"a\n\nc\nd\n", "for class 1$")):
        Path("names.txt").write_bytes(content)
        with pytest.raises(OverpaintError, match=message):
            _open(f"{factories}:fixed", image_size=SIDE, class_names="names.txt")
    Path("names.txt").write_bytes("\ufeffa\r\nb\r\nc\r\nd\r\n\r\n".encode())
    assert _open(f"{factories}:fixed", image_size=SIDE, class_names="names.txt").class_names == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1}, r"holds no state dict \(names and tensors, alone or below an entry such as 'state_dict'\)$"),
        ([torch.ones(1)], r"holds no state dict"),
        ({}, r"holds no state dict"),
        ({"state_dict": {}, FORMAT_KEY: {}}, r"was made by this project: classifier=.*w\.pt is all it needs$"),
        (
            {"state_dict": {}, "args": fractions.Fraction(1, 2)},
            r"\(fractions\.Fraction\), which is refused",
        ),
        (
            SmallNetwork(),
            r"can't be loaded: .*refused .*; save the network's state_dict\(\) alone$",
        ),
        (
            SmallNetwork().state_dict(),
            r"tensors of .*w\.pt are not those of .*: \d+ tensors are missing",
        ),
    ],
)
def test_a_file_without_the_networks_weights(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(OverpaintError, match=message):
        _open("torchvision:squeezenet1_1", weights=str(tmp_path / "w.pt"))


def test_weights_of_another_number_of_classes(factories: str, tmp_path: Path) -> None:
    torch.save(SmallNetwork(7).state_dict(), tmp_path / "w.pt")
    with pytest.raises(OverpaintError, match=r"have another shape \(head\.weight \(7, 3\) instead of \(4, 3\)"):
        _open(f"{factories}:fixed", weights=str(tmp_path / "w.pt"), image_size=SIDE)
    with pytest.raises(OverpaintError, match=r"has 2 names, but classifier=.*:network gives 7 scores"):
        _open(f"{factories}:network", weights=str(tmp_path / "w.pt"), image_size=SIDE, class_names=["a", "b"])
    with pytest.raises(
        OverpaintError, match=r"weights has no meaning: .*:scorer returned a function, no network of torch"
    ):
        _open(f"{factories}:scorer", weights=str(tmp_path / "w.pt"), image_size=SIDE)


def test_weights_that_can_not_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> nn.Module:
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models, "get_model", offline)
    with pytest.raises(
        OverpaintError, match=r"resnet18 can't be downloaded \(no route to host\); download https://.*\.pth elsewhere"
    ):
        _open("torchvision:resnet18", weights="DEFAULT")


@pytest.mark.parametrize("name", ["net.pt", "net.ts", "net.pt2"])
def test_a_file_of_another_kind(tmp_path: Path, name: str) -> None:
    torch.save(SmallNetwork().state_dict(), tmp_path / name)
    said = "no program that torch.export.save wrote" if name.endswith("2") else "no TorchScript file"
    with pytest.raises(OverpaintError, match=said):
        _open(tmp_path / name, image_size=SIDE)
    with zipfile.ZipFile(tmp_path / name, "w"):
        pass
    with pytest.raises(OverpaintError, match=said):
        _open(tmp_path / name, image_size=SIDE)


def test_a_program_of_several_inputs(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, first: Tensor, second: Tensor) -> Tensor:
            return (first + second).mean((2, 3))

    image = torch.rand(1, 3, SIDE, SIDE)
    torch.export.save(torch.export.export(Two(), (image, image)), tmp_path / "two.pt2")
    with pytest.raises(OverpaintError, match=r"two\.pt2 takes 2 inputs; it must take one array \(batch, channel"):
        _open(tmp_path / "two.pt2")


def test_answers_that_go_wrong_later(factories: str) -> None:
    """After the first images, on which a classifier was tried."""
    images = torch.rand(3, 3, SIDE, SIDE)
    harm: dict[str, object] = {"value": None}

    def score(arrays: object) -> object:
        return torch.full((len(images), 2), 0.5) if harm["value"] is None else harm["value"]

    classifier = CallableClassifier(score, ["a", "b"], SIDE, 3, output="logits")
    classifier.scores(images)
    for value, message in (
        (torch.full((3, 2), torch.nan), "a score that is not a finite number"),
        (torch.ones(2, 2), r"answered with shape \(2, 2\) instead of \(3, 2\)"),
        (torch.ones(3), r"answered with shape \(3,\) instead of \(3, 2\)"),
        ("scores", r"answered with a str; one array of scores is needed"),
        ([[1.0], [1.0, 2.0], [1.0]], r"answered with a list; one array of scores is needed"),
    ):
        harm["value"] = value
        with pytest.raises(OverpaintError, match=message):
            classifier.scores(images)
    classifier.output, harm["value"] = "probabilities", torch.tensor([[0.5, 0.5], [0.9, 0.3], [1.0, 0.0]])
    with pytest.raises(OverpaintError, match=r"a row has the sum 1\.2 .*; classifier\.output=logits takes them"):
        classifier.scores(images)
    with pytest.raises(OverpaintError, match=f"takes 3 channels, but the images have {CLASSES}"):
        classifier.scores(torch.rand(2, CLASSES, SIDE, SIDE))
    with pytest.raises(OverpaintError, match=r"mean=\[0\.5\] must have one entry for each of the 3 channels"):
        CallableClassifier(score, ["a", "b"], SIDE, 3, mean=[0.5], output="logits")
