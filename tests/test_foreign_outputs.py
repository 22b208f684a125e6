"""Whatever a classifier returns and however it is called, its scores are those computed directly with torch."""

import warnings
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from foreign import CLASSES, SIDE, SmallNetwork
from torch import Tensor, nn

import overpaint as op
from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.options import ClassifierOptions
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.protocols import Classifier
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.rise import Rise

Inception = namedtuple("Inception", ["logits", "aux_logits"])


class Answering(nn.Module):
    """`SmallNetwork` whose logits are handed back in some other form."""

    def __init__(self, form: Callable[[Tensor], Any], classes: int = CLASSES) -> None:
        super().__init__()
        self.network, self.form = SmallNetwork(classes), form

    def forward(self, images: Tensor) -> Any:
        return self.form(self.network(images))


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def _wrap(model: Any, **options: Any) -> Classifier:
    classifier = op.as_classifier(model, image_size=SIDE, **options)
    assert isinstance(classifier, Classifier)
    return classifier


def _logits(images: Tensor, classes: int = CLASSES) -> Tensor:
    with torch.no_grad():
        return SmallNetwork(classes)(images)


FORMS: dict[str, Callable[[Tensor], Any]] = {
    "an object": lambda z: SimpleNamespace(logits=z, hidden_states=None),
    "a dictionary": lambda z: {"loss": torch.tensor(0.0), "out": z, "features": torch.rand(len(z), 7, 3)},
    "a tuple": lambda z: (z, None),
    "a tuple with maps": lambda z: (torch.rand(len(z), 5, 4, 4), z),
    "Inception's": lambda z: Inception(z, z.flip(1)),
    "a dictionary with labels": lambda z: {"label": z.argmax(1), "anything": z},
    "two more axes": lambda z: z[:, :, None, None],
    "squeezed": lambda z: z.squeeze(),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_scores_are_found(images: Tensor, name: str) -> None:
    classifier = _wrap(Answering(FORMS[name]))
    for count in (1, 2, 5):
        torch.testing.assert_close(classifier.scores(images[:count]), _logits(images[:count]).softmax(1))


@pytest.mark.parametrize(
    ("form", "name"), [(lambda z: (z.flip(1), z), 1), (lambda z: {"a": z.flip(1), "b": z}, "b")], ids=["tuple", "dict"]
)
def test_one_of_several_that_fit_is_named(images: Tensor, form: Callable[[Tensor], Any], name: str | int) -> None:
    with pytest.raises(OverpaintError, match=r"several outputs that could be its scores .*classifier\.output_name"):
        _wrap(Answering(form))
    classifier = _wrap(Answering(form), output_name=name)
    torch.testing.assert_close(classifier.scores(images), _logits(images).softmax(1))
    with pytest.raises(OverpaintError, match=r"classifier\.output_name=none is none of its outputs: "):
        _wrap(Answering(form), output_name="none")


def test_class_names_tell_scores_from_features(images: Tensor) -> None:
    classifier = _wrap(Answering(lambda z: (torch.rand(len(z), 7), z)), class_names=list("abcd"))
    torch.testing.assert_close(classifier.scores(images), _logits(images).softmax(1))


def test_a_table_of_scikit_learn(images: Tensor) -> None:
    def score(arrays: np.ndarray) -> list[Any]:
        rows = _logits(torch.from_numpy(arrays)).softmax(1).tolist()
        return [np.argmax(rows, 1), [dict(enumerate(row)) for row in rows]]

    torch.testing.assert_close(_wrap(score).scores(images), _logits(images).softmax(1))


def test_multi_label(images: Tensor) -> None:
    """Red's score is its own sigmoid, and its map does not move where only blue changes."""

    class Colours(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 20 * images.mean((2, 3)) - 10

    classifier = _wrap(Colours(), output="sigmoid", class_names=["red", "green", "blue"])
    torch.testing.assert_close(classifier.scores(images), torch.sigmoid(20 * images.mean((2, 3)) - 10))
    assert (classifier.decision.multi_label, classifier.decision.threshold) == (True, 0.5)
    other, targets = images.clone(), torch.zeros(5, 1, dtype=torch.long)
    other[:, 2] = 1 - other[:, 2]
    maps = [op.explain(classifier, x, "red", "occlusion").maps["occlusion"] for x in (images, other)]
    assert torch.equal(*maps)
    gradients = [Gradient()(classifier, x, targets).maps for x in (images, other)]
    assert torch.equal(*gradients)
    kept = classifier.decision.keeps(torch.tensor([[0.6, 0.9, 0.1], [0.4, 0.1, 0.1]]), torch.tensor([0, 0]))
    assert kept.tolist() == [True, False]
    assert _wrap(Colours(), output="sigmoid", threshold=0.8).decision.threshold == 0.8


def test_probabilities_of_their_own_are_recognised_and_said(images: Tensor) -> None:
    for output in ("auto", "probabilities"):
        with pytest.warns(OverpaintWarning, match=r"its outputs lie in \[0, 1\]"):
            classifier = _wrap(Answering(torch.sigmoid), output=output)
        torch.testing.assert_close(classifier.scores(images), _logits(images).sigmoid())
        torch.testing.assert_close(classifier.logits(images), _logits(images), atol=1e-4, rtol=1e-4)
        assert classifier.decision.multi_label
    with pytest.warns(OverpaintWarning, match=r"classifier\.output=sigmoid takes them as logits; if they are probab"):
        classifier = _wrap(Answering(torch.sigmoid), output="sigmoid")
    torch.testing.assert_close(classifier.scores(images), _logits(images).sigmoid().sigmoid())


@pytest.mark.parametrize("form", [lambda z: z[:, 0], lambda z: z[:, :1]], ids=["(n,)", "(n, 1)"])
@pytest.mark.parametrize("probability", [False, True])
def test_binary(images: Tensor, form: Callable[[Tensor], Tensor], probability: bool) -> None:
    classifier = _wrap(Answering(lambda z: form(z).sigmoid() if probability else form(z), 2), class_names=["pneumonia"])
    p = _logits(images, 2)[:, 0].sigmoid()
    torch.testing.assert_close(classifier.scores(images), torch.stack([1 - p, p], 1))
    torch.testing.assert_close(classifier.logits(images).softmax(1), torch.stack([1 - p, p], 1))
    assert classifier.class_names == ["not pneumonia", "pneumonia"]
    assert _wrap(Answering(form, 2)).class_names == ["not", "is"]


def test_a_network_for_one_image_or_a_fixed_number(images: Tensor) -> None:
    network = SmallNetwork()

    class Flattening(nn.Module):
        def __init__(self, rows: int) -> None:
            super().__init__()
            self.network, self.rows = network, rows

        def forward(self, images: Tensor) -> Tensor:
            means = images.mean((2, 3)).reshape(self.rows, 3)
            return self.network.head(means)

    for rows in (1, 2, 8):
        classifier = _wrap(Flattening(rows))
        for count in (1, 3, 5):
            torch.testing.assert_close(classifier.scores(images[:count]), _logits(images[:count]).softmax(1))
    alone = torch.jit.trace(Flattening(1), images[:1])
    torch.testing.assert_close(_wrap(alone).scores(images), _logits(images).softmax(1))


def test_a_function_of_a_single_image(images: Tensor) -> None:
    def score(image: np.ndarray) -> np.ndarray:
        if image.ndim != 3:
            raise ValueError("one image, please")
        return _logits(torch.from_numpy(image)[None])[0].numpy()

    torch.testing.assert_close(_wrap(score).scores(images), _logits(images).softmax(1))


class Noisy(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        logits = SmallNetwork()(images)
        return logits + 0.1 * torch.randn_like(logits)


class BatchStatistics(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return SmallNetwork()(nn.functional.batch_norm(images, None, None, training=True))


class Dropping(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return SmallNetwork()(nn.functional.dropout(images, 0.5, training=True))


@pytest.mark.parametrize(
    ("network", "cause"),
    [
        (Noisy(), "when the same image is shown again"),
        (Dropping(), "dropout or noise is active"),
        (BatchStatistics(), "statistics of the batch"),
    ],
)
def test_answers_that_do_not_repeat_are_refused(images: Tensor, network: nn.Module, cause: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(OverpaintError, match=rf"{cause}.*; export it in eval mode, or set classifier\.allow_random"):
        _wrap(network)
    with pytest.warns(OverpaintWarning, match="maps average over its outputs and do not repeat"):
        classifier = _wrap(network, allow_random=True)
    assert classifier.scores(images).shape == (5, CLASSES)


def test_a_file_exported_in_train_mode_is_refused(tmp_path: Path) -> None:
    network = nn.Sequential(SmallNetwork().conv, nn.BatchNorm2d(3), nn.Flatten(), nn.Dropout(), nn.Linear(432, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network.train(), torch.rand(2, 3, SIDE, SIDE), check_trace=False).save(str(tmp_path / "n.pt"))
    with pytest.raises(OverpaintError, match="exported in train mode"):
        open_classifier(ClassifierOptions(str(tmp_path / "n.pt"), image_size=SIDE, allow_code=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("softmax", [False, True])
def test_other_precisions(images: Tensor, dtype: torch.dtype, softmax: bool) -> None:
    network = SmallNetwork(softmax=softmax).to(dtype)
    classifier = _wrap(network, mean=[0.4, 0.5, 0.6], std=[0.2, 0.25, 0.3])
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3]))
    with torch.no_grad():
        expected = network(((images - mean) / std).to(dtype)).float()
    torch.testing.assert_close(classifier.scores(images), expected if softmax else expected.softmax(1))
    assert Gradient()(classifier, images, torch.zeros(5, 1, dtype=torch.long)).maps.isfinite().all()
    assert next(network.parameters()).dtype == dtype


def test_a_quantised_network_is_a_black_box(images: Tensor, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is deprecated, its files are not gone
        network: Any = torch.ao.quantization.quantize_dynamic(SmallNetwork().eval(), {nn.Linear}, dtype=torch.qint8)
        torch.jit.trace(network, images).save(str(tmp_path / "int8.pt"))
        expected = network(images).softmax(1)
        for model, more in ((network, {}), (str(tmp_path / "int8.pt"), {"allow_code": True})):
            classifier = _wrap(model, **more)
            assert classifier.network is None
            torch.testing.assert_close(classifier.scores(images), expected)
            with pytest.warns(OverpaintWarning, match=r"gradient is left out: .* no gradients \(quantised\)"):
                found = op.explain(classifier, images, methods=[Gradient(), Rise(queries=32, cells=3)])
            assert list(found.maps) == ["rise"]
    with pytest.raises(OverpaintError, match=r"no method can explain this classifier \(gradient: no gradients"):
        op.explain(classifier, images, methods=Gradient())


def test_a_network_quantised_by_fx(images: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is deprecated, its networks are not gone
        from torch.ao.quantization import get_default_qconfig_mapping
        from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

        mapping = get_default_qconfig_mapping(torch.backends.quantized.engine)
        observed = prepare_fx(SmallNetwork().eval(), mapping, (images,))
        observed(images)
        network = convert_fx(observed)
        classifier = _wrap(network)
        torch.testing.assert_close(classifier.scores(images), network(images).softmax(1).detach())
    assert classifier.network is None


def test_a_network_of_four_channels() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(4, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
    images = torch.rand(2, 4, 9, 13)
    classifier = op.as_classifier(network, image_size=[9, 13], channels=4)
    assert isinstance(classifier, Classifier)
    torch.testing.assert_close(classifier.scores(images), network(images).softmax(1).detach())
    assert op.explain(classifier, images, methods="grad_cam").maps["grad_cam"].shape == (2, 9, 13)
