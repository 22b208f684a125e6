"""Classifiers of series of every kind of source: what they say of their input is found, and their scores are kept."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import overpaint as op
from overpaint.classifiers.first_layer import series_channels
from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.options import ClassifierOptions
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier

CHANNELS, LENGTH = 2, 40
SERIES = 3 * torch.rand(5, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(1)) - 1


class SeriesNetwork(nn.Module):
    """Convolution, ReLU, mean over time, linear."""

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.features = nn.Sequential(nn.Conv1d(channels, 4, 5, padding=2), nn.ReLU())
            self.head = nn.Linear(4, 3)

    def forward(self, series: Tensor) -> Tensor:
        return self.head(self.features(series).mean(2))


def _reference(series: Tensor) -> Tensor:
    return SeriesNetwork()(series).softmax(1).detach()


def _archive(path: Path, kind: str) -> Path:
    network, series = SeriesNetwork().eval(), torch.rand(2, CHANNELS, LENGTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated, its files are not gone
        if kind == "exported":
            shapes = ({0: torch.export.Dim("batch")},)
            torch.export.save(torch.export.export(network, (series,), dynamic_shapes=shapes), path)
        else:
            made = torch.jit.script(network) if kind == "scripted" else torch.jit.trace(network, series)
            made.save(str(path))
    return path


def _onnx(path: Path, shape: tuple[int | str, ...], last: bool) -> Path:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    network, node = SeriesNetwork(), onnx.helper.make_node
    conv = network.features[0]
    numbers = {"k": conv.weight, "kb": conv.bias, "w": network.head.weight, "b": network.head.bias}
    stored = [onnx.numpy_helper.from_array(v.detach().numpy(), name) for name, v in numbers.items()]
    nodes = [
        *([node("Transpose", ["x"], ["first"], perm=[0, 2, 1])] if last else []),
        node("Conv", ["first" if last else "x", "k", "kb"], ["c"], pads=[2, 2]),
        node("Relu", ["c"], ["r"]),
        node("GlobalAveragePool", ["r"], ["pooled"]),
        node("Flatten", ["pooled"], ["means"]),
        node("Gemm", ["means", "w", "b"], ["logits"], transB=1),
    ]
    info, element = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes, "series", [info("x", element, shape)], [info("logits", element, ["n", 3])], stored
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, str(path))
    return path


def _check(classifier: Classifier) -> None:
    assert (classifier.channels, classifier.input_size) == (CHANNELS, (LENGTH,))
    torch.testing.assert_close(classifier.scores(SERIES), _reference(SERIES))
    explanation = op.explain(classifier, SERIES[:2], methods=[op_rise()])
    assert explanation.maps["rise"].shape == (2, LENGTH)
    torch.testing.assert_close(explanation.images, SERIES[:2])


def op_rise() -> object:
    from overpaint.saliency.rise import Rise

    return Rise(queries=16)


@pytest.mark.parametrize("kind", ["traced", "scripted", "exported"])
def test_archives(tmp_path: Path, kind: str) -> None:
    path = _archive(tmp_path / ("net.pt2" if kind == "exported" else "net.pt"), kind)
    said = {} if kind == "exported" else {"image_size": [LENGTH]}
    _check(open_classifier(ClassifierOptions(str(path), allow_code=True, output="logits", **said)))


@pytest.mark.parametrize(
    ("shape", "last", "said"),
    [
        (("n", CHANNELS, LENGTH), False, {}),
        (("n", LENGTH, CHANNELS), True, {}),
        (("n", CHANNELS, "t"), False, {"image_size": LENGTH}),
        (("n", "t", CHANNELS), True, {"image_size": [LENGTH]}),
    ],
)
def test_onnx(tmp_path: Path, shape: tuple[int | str, ...], last: bool, said: dict[str, int | list[int]]) -> None:
    path = _onnx(tmp_path / "net.onnx", shape, last)
    _check(open_classifier(ClassifierOptions(str(path), output="logits", **said)))


def test_a_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_series_networks.py").write_text("from test_series_classifiers import SeriesNetwork as make\n")
    try:
        options = ClassifierOptions("my_series_networks:make", image_size=[LENGTH], output="logits")
        _check(open_classifier(options))
    finally:
        sys.modules.pop("my_series_networks", None)


def _function(series: NDArray[np.float32]) -> NDArray[np.float32]:
    return SeriesNetwork()(torch.from_numpy(series)).detach().numpy()


@pytest.mark.parametrize(
    "make",
    [
        lambda: op.as_classifier(SeriesNetwork(), output="logits", image_size=LENGTH),
        lambda: op.as_classifier(_function, output="logits", image_size=[LENGTH], channels=CHANNELS),
    ],
    ids=["network", "function"],
)
def test_models_in_python(make: Callable[[], Classifier]) -> None:
    _check(make())


def test_a_network_without_a_size_takes_that_of_the_series() -> None:
    explanation = op.explain(SeriesNetwork(), SERIES, methods="gradient")
    assert explanation.maps["gradient"].shape == (5, LENGTH)
    (one,) = op.explain(SeriesNetwork(), SERIES[0], methods="gradient").images
    assert torch.equal(one, SERIES[0])
    last = op.explain(op.as_classifier(SeriesNetwork(), image_size=LENGTH), SERIES.movedim(1, 2), methods="gradient")
    assert torch.equal(last.maps["gradient"], explanation.maps["gradient"])


def test_what_is_no_series_is_refused() -> None:
    classifier = op.as_classifier(SeriesNetwork(), image_size=LENGTH)
    with pytest.raises(OverpaintError, match="a series has 2 axes"):
        op.explain(classifier, torch.rand(1, 2, 8, 8))
    with pytest.raises(OverpaintError, match=r"photo\.png is of no known kind of series"):
        op.explain(classifier, "photo.png")
    with pytest.raises(OverpaintError, match="series must be finite"):
        op.explain(classifier, torch.full((1, CHANNELS, LENGTH), torch.nan))
    with pytest.raises(OverpaintError, match=r"have 1 channels, but the classifier takes 2"):
        op.explain(classifier, torch.rand(1, 1, LENGTH))


def test_the_first_convolution_decides() -> None:
    assert series_channels(nn.Sequential(nn.Conv1d(6, 8, 3, groups=2), nn.Conv2d(1, 1, 1))) == 6
    assert series_channels(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv1d(1, 1, 1))) is None
    assert series_channels(nn.Linear(2, 2)) is None
