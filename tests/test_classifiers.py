"""Every kind of classifier behind the one face: the same images give the same scores."""

from collections.abc import Iterator
from pathlib import Path

import foreign
import numpy as np
import pytest
import torch
import torchvision
from foreign import CLASSES, MEAN, SIDE, STD, TRANSFORM, SmallNetwork, reference
from torch import Tensor, nn

from overpaint.classifiers.blackbox import CallableClassifier, normalised
from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.network import NetworkClassifier, classifier_from_settings
from overpaint.classifiers.options import ClassifierOptions, content_of
from overpaint.classifiers.output import in_batches
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.networks.checkpoint import FORMAT_KEY
from overpaint.saliency.grad_cam import GradCam


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from foreign.importable(tmp_path, monkeypatch)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def _open(source: object, **options: object) -> Classifier:
    return open_classifier(ClassifierOptions(str(source), allow_code=True, **options))  # type: ignore[arg-type]


def _agrees(classifier: Classifier, images: Tensor, tolerance: float = 1e-5) -> None:
    assert isinstance(classifier, Classifier)
    assert (classifier.channels, classifier.input_size) == (3, (SIDE, SIDE))
    assert classifier.class_names == ["0", "1", "2", "3"]
    for count in (1, 3, 5):
        scores = classifier.scores(images[:count])
        assert not scores.requires_grad
        torch.testing.assert_close(scores, reference(images[:count]), atol=tolerance, rtol=0)


def _has_gradients(classifier: Classifier, images: Tensor) -> None:
    inputs = images.clone().requires_grad_()
    logits = classifier.logits(inputs)
    torch.testing.assert_close(logits.softmax(1), reference(images))
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), inputs)
    expected = SmallNetwork().head.weight[0] / torch.tensor(STD) / SIDE**2
    torch.testing.assert_close(gradient, expected.reshape(1, 3, 1, 1).expand_as(gradient))


def test_torchscript(tmp_path: Path, images: Tensor) -> None:
    classifier = _open(foreign.write_torchscript(tmp_path / "net.ts"), image_size=SIDE, **TRANSFORM)
    _agrees(classifier, images)
    _has_gradients(classifier, images)


@pytest.mark.parametrize("rows", [None, 1, 2, 4])
def test_torch_export_of_any_or_a_fixed_number_of_images(tmp_path: Path, images: Tensor, rows: int | None) -> None:
    classifier = _open(foreign.write_exported(tmp_path / "net.pt2", rows), **TRANSFORM)
    _agrees(classifier, images)
    _has_gradients(classifier, images)


def test_an_exported_program_for_images_that_are_not_square(tmp_path: Path) -> None:
    classifier = _open(foreign.write_exported(tmp_path / "net.pt2", 2, (6, 10)), **TRANSFORM)
    assert classifier.input_size == (6, 10)
    images = torch.rand(3, 3, 6, 10)
    torch.testing.assert_close(classifier.scores(images), reference(images))
    assert classifier.scores(torch.rand(3, 3, 12, 12)).shape == (3, CLASSES)


def test_a_size_that_is_not_square_may_be_given(factories: str, tmp_path: Path) -> None:
    path, images = foreign.write_torchscript(tmp_path / "net.pt", size=(6, 10)), torch.rand(3, 3, 6, 10)
    for source in (path, f"{factories}:fixed"):
        classifier = _open(source, image_size=[6, 10], **TRANSFORM)
        assert classifier.input_size == (6, 10)
        torch.testing.assert_close(classifier.scores(images), reference(images))


def test_a_function_of_series() -> None:
    def score(series: object) -> np.ndarray:
        assert isinstance(series, np.ndarray)
        assert series.shape[1:] == (2, 30)
        return series.mean(2)

    function = CallableClassifier(normalised(score, [0.1, 0.2], [0.5, 0.25]), ["a", "b"], [30], 2, output="logits")
    assert isinstance(function, Classifier)
    assert (function.input_size, function.mean.shape) == ((30,), (1, 2, 1))
    series = torch.rand(3, 2, 30)
    expected = (series.mean(2) - torch.tensor([0.1, 0.2])) / torch.tensor([0.5, 0.25])
    torch.testing.assert_close(function.scores(series), expected.softmax(1))
    assert function.scores(torch.rand(3, 2, 44)).shape == (3, 2)


@pytest.mark.parametrize("kind", ["torchscript", "exported"])
def test_an_archive_moves_and_has_no_layers(tmp_path: Path, images: Tensor, kind: str) -> None:
    path = tmp_path / ("net.pt" if kind == "torchscript" else "net.pt2")
    foreign.write_torchscript(path) if kind == "torchscript" else foreign.write_exported(path, None)
    classifier = _open(path, image_size=SIDE, **TRANSFORM)
    assert isinstance(classifier, NetworkClassifier)
    classifier.eval().train(False)  # what Lightning does, and torch.export's own modules refuse
    assert classifier.double().scores(images.double()).shape == (5, CLASSES)
    with pytest.raises(OverpaintError, match="grad_cam found no layer"):
        GradCam()(classifier.float(), images, torch.zeros(5, 1, dtype=torch.int64))


def test_a_factory_returns_a_network_or_a_function(factories: str, images: Tensor, tmp_path: Path) -> None:
    size = {"image_size": SIDE}
    _agrees(_open(f"{factories}:fixed", **size, **TRANSFORM), images)
    _agrees(_open(f"{factories}:scorer", **size), images)
    torch.save(SmallNetwork(3).state_dict(), tmp_path / "three.pt")
    for more in ({"weights": str(tmp_path / "three.pt")}, {"class_names": ["a", "b", "c"]}):
        assert len(_open(f"{factories}:network", **size, **more).class_names) == 3  # called with num_classes=3
    assert len(_open(f"{factories}:network", **size).class_names) == 2
    listed = _open(f"{factories}:listed", **size, mean=MEAN)
    assert listed.scores(images[:2]).tolist() == [[0.25, 0.75]] * 2
    torch.testing.assert_close(listed.mean.flatten(), torch.tensor(MEAN))


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "network.", "model.module."])
@pytest.mark.parametrize("wrapped", [False, True])
def test_torchvision_with_a_state_dict(tmp_path: Path, prefix: str, wrapped: bool) -> None:
    network = torchvision.models.squeezenet1_1(num_classes=3).eval()
    tensors = {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": tensors, "epoch": 3} if wrapped else tensors, tmp_path / "weights.pt")
    names = {"class_names": ["a", "b", "c"]}
    classifier = _open("torchvision:squeezenet1_1", weights=str(tmp_path / "weights.pt"), image_size=32, **names)
    mean = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(classifier.scores(images), network((images - mean) / std).softmax(1).detach())
    assert classifier.class_names == ["a", "b", "c"]
    assert classifier.network is not None
    assert not any(parameter.requires_grad for parameter in classifier.network.parameters())


def test_torchvision_brings_its_class_names_and_size(tmp_path: Path) -> None:
    torch.save(torchvision.models.squeezenet1_1().state_dict(), tmp_path / "weights.pt")
    classifier = _open("torchvision:squeezenet1_1", weights=str(tmp_path / "weights.pt"), output="logits")
    assert (classifier.input_size, classifier.channels) == ((224, 224), 3)
    assert classifier.class_names[:2] == ["tench", "goldfish"]
    assert len(set(classifier.class_names)) == 1000


def test_a_name_that_comes_twice_gets_its_number(factories: str) -> None:
    """As crane does in ImageNet, the bird and the machine: a folder is named by its class."""
    names = ["crane", "dog", "crane", "cat"]
    classifier = _open(f"{factories}:fixed", image_size=SIDE, class_names=names)
    assert classifier.class_names == ["crane (0)", "dog", "crane (2)", "cat"]


def test_own_checkpoint(tmp_path: Path, images: Tensor) -> None:
    settings = {"architecture": "residual", "class_names": ["a", "b"], "image_size": SIDE, "mean": MEAN, "std": STD}
    own = classifier_from_settings(settings).eval()
    tensors = {f"classifier.{name}": tensor for name, tensor in own.state_dict().items()}
    torch.save({FORMAT_KEY: {"kind": "classifier", "settings": settings}, "state_dict": tensors}, tmp_path / "c.ckpt")
    assert torch.equal(_open(tmp_path / "c.ckpt").scores(images), own.scores(images))


def test_without_mean_and_std_a_network_sees_the_image_itself(tmp_path: Path, images: Tensor) -> None:
    classifier = _open(foreign.write_torchscript(tmp_path / "net.pt"), image_size=SIDE)
    torch.testing.assert_close(classifier.scores(images), reference(images, normalise=False))
    assert classifier.mean.flatten().tolist() == [0.5] * 3


@pytest.mark.parametrize("given", ["auto", "probabilities"])
def test_probabilities_are_scores_and_their_logarithms_logits(tmp_path: Path, images: Tensor, given: str) -> None:
    path = foreign.write_torchscript(tmp_path / "net.pt", SmallNetwork(softmax=True))
    classifier = _open(path, image_size=SIDE, output=given, **TRANSFORM)
    _agrees(classifier, images)
    torch.testing.assert_close(classifier.logits(images), reference(images).log())


def test_the_output_that_is_given_wins(images: Tensor) -> None:
    classifier = NetworkClassifier(SmallNetwork(softmax=True), list("abcd"), SIDE, MEAN, STD, "logits")
    torch.testing.assert_close(classifier.scores(images), reference(images).softmax(1))


def test_a_class_without_any_probability_has_a_finite_logit() -> None:
    class Sure(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.tensor([[1.0, 0.0]]).expand(len(images), -1)

    classifier = NetworkClassifier(Sure(), ["a", "b"], 4, [0.5], None, "auto")
    assert classifier.output == "probabilities"
    assert bool(classifier.logits(torch.rand(2, 1, 4, 4)).isfinite().all())


def test_a_callable_is_a_black_box(images: Tensor) -> None:
    seen: list[np.ndarray] = []

    def score(arrays: np.ndarray) -> list[list[float]]:
        seen.append(arrays)
        return [[float(image.mean()), 1 - float(image.mean())] for image in arrays]

    classifier = CallableClassifier(score, ["bright", "dark"], 6, 3)
    assert classifier.output == "probabilities"
    scores = classifier.scores(images)
    torch.testing.assert_close(scores[:, 0], images.mean((1, 2, 3)), atol=0.02, rtol=0)
    assert seen[-1].shape == (5, 3, 6, 6)
    assert seen[-1].dtype == np.float32
    assert classifier.network is None
    assert classifier.mean.flatten().tolist() == [0.5] * 3
    with pytest.raises(OverpaintError, match=r"black box without gradients \(a function\); use perturbation"):
        classifier.logits(images)


@pytest.mark.parametrize("rows", [None, 1, 3, 7])
def test_passes_of_a_fixed_size_change_nothing(rows: int | None) -> None:
    sizes: list[int] = []

    def ask(images: Tensor) -> Tensor:
        sizes.append(len(images))
        return images.sum(1)

    images = torch.rand(7, 2)
    assert torch.equal(in_batches(ask, images, rows), images.sum(1))
    assert sizes == {None: [7], 1: [1] * 7, 3: [3] * 3, 7: [7]}[rows]


def test_what_a_classifier_depends_on(factories: str, tmp_path: Path) -> None:
    def content(**options: object) -> bytes:
        return b"|".join(content_of(ClassifierOptions(**options)))  # type: ignore[arg-type]

    first, second, names = tmp_path / "a.onnx", tmp_path / "b.onnx", tmp_path / "names.txt"
    first.write_bytes(b"graph")
    second.write_bytes(b"graph")
    names.write_text("x\ny")
    assert content(source=str(first)) == content(source=str(second))  # the file's content, not its name
    before = content(source=str(first), class_names=str(names))
    assert before != content(source=str(first)) != content(source=str(first), image_size=4)
    names.write_text("x\nz")
    assert before != content(source=str(first), class_names=str(names))
    (tmp_path / "a.onnx.data").write_bytes(b"tensors")
    assert content(source=str(first)) != content(source=str(second))
    _open(f"{factories}:fixed", image_size=SIDE)
    assert content(source=f"{factories}:fixed") != content(source=f"{factories}:network")
    assert b"def scorer" in content(source=f"{factories}:fixed")
