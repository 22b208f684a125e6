"""ONNX files: the layouts and shapes that exporters write, and what is refused."""

import sys
from pathlib import Path

import foreign
import numpy as np
import pytest
import torch
from foreign import CLASSES, SIDE, TRANSFORM, reference

from overpaint.classifiers.blackbox import CallableClassifier
from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.onnx import OnnxFunction
from overpaint.classifiers.options import ClassifierOptions
from overpaint.core.errors import OverpaintError
from overpaint.saliency.rise import Rise

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

IMAGES = torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def _open(path: Path, **options: object) -> CallableClassifier:
    classifier = open_classifier(ClassifierOptions(str(path), **options))  # type: ignore[arg-type]
    assert isinstance(classifier, CallableClassifier)
    return classifier


@pytest.mark.parametrize(
    "shape",
    [
        ("n", 3, SIDE, SIDE),
        (1, 3, SIDE, SIDE),
        (2, 3, SIDE, SIDE),
        (None, 3, "height", "width"),
        ("n", SIDE, SIDE, 3),
        (4, SIDE, SIDE, 3),
        ("n", "height", "width", 3),
    ],
)
def test_any_layout_gives_the_same_scores(tmp_path: Path, shape: tuple[int | str | None, ...]) -> None:
    said = {} if SIDE in shape else {"image_size": SIDE}
    classifier = _open(foreign.write_onnx(tmp_path / "net.onnx", shape), **said, **TRANSFORM)
    assert (classifier.channels, classifier.input_size) == (3, (SIDE, SIDE))
    for count in (1, 5):
        torch.testing.assert_close(classifier.scores(IMAGES[:count]), reference(IMAGES[:count]))
    assert classifier.mean.flatten().tolist() == pytest.approx(foreign.MEAN)


@pytest.mark.parametrize(
    ("shape", "options", "size"),
    [
        (("n", 3, 6, 10), {}, (6, 10)),
        ((2, 6, 10, 3), {}, (6, 10)),
        (("n", 3, "h", 10), {"image_size": [6, 10]}, (6, 10)),
        (("n", 3, "h", 10), {}, (10, 10)),
        (("n", 3, "h", "w"), {"image_size": [6, 10]}, (6, 10)),
    ],
)
def test_an_input_that_is_not_square(
    tmp_path: Path, shape: tuple[int | str, ...], options: dict[str, object], size: tuple[int, int]
) -> None:
    classifier = _open(foreign.write_onnx(tmp_path / "net.onnx", shape), **options, **TRANSFORM)
    assert classifier.input_size == size
    images = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(classifier.scores(images), reference(images))


def test_half_precision(tmp_path: Path) -> None:
    classifier = _open(foreign.write_onnx(tmp_path / "net.onnx", half=True), **TRANSFORM)
    torch.testing.assert_close(classifier.scores(IMAGES), reference(IMAGES), atol=0.01, rtol=0)


def test_probabilities_are_found_out(tmp_path: Path) -> None:
    path = foreign.write_onnx(tmp_path / "net.onnx", softmax=True)
    classifier = _open(path, **TRANSFORM)
    assert classifier.output == "probabilities"
    torch.testing.assert_close(classifier.scores(IMAGES), reference(IMAGES))
    assert _open(path, output="logits").output == "logits"


def test_without_mean_and_std_it_sees_the_image_itself(tmp_path: Path) -> None:
    classifier = _open(foreign.write_onnx(tmp_path / "net.onnx"))
    torch.testing.assert_close(classifier.scores(IMAGES), reference(IMAGES, normalise=False))


def test_the_file_is_read_once(tmp_path: Path) -> None:
    path = foreign.write_onnx(tmp_path / "net.onnx")
    classifier = _open(path, **TRANSFORM)
    path.unlink()
    maps = Rise(queries=64)(classifier, IMAGES[:1], torch.zeros(1, 1, dtype=torch.int64)).maps
    assert maps.shape == (1, SIDE, SIDE)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        (("n", 3, "h", "w"), {}, r"classifier\.image_size must be given: .*net\.onnx does not say how large"),
        (("n", 3, 8, 12), {"image_size": 12}, r"classifier\.image_size=12, but .*net\.onnx takes 8x12$"),
        (("n", 3, "h", 12), {"image_size": [8, 16]}, r"classifier\.image_size=\[8, 16\], but .* takes anyx12$"),
        (("n", 3, SIDE, SIDE), {"image_size": 16}, rf"classifier\.image_size=16, but .*net\.onnx takes {SIDE}"),
        (("n", 3, SIDE, SIDE), {"channels": 1}, r"classifier\.channels=1, but .*net\.onnx takes 3"),
        (("n", 3, SIDE, SIDE), {"weights": "w.pt"}, r"classifier\.weights=w\.pt has no meaning .*an ONNX file, which"),
        (("n", 3, SIDE, SIDE), {"class_names": ["a"]}, rf"has 1 names, but .*net\.onnx gives {CLASSES} scores"),
        (("n", 3, SIDE, SIDE), {"output": "probabilities"}, r"scores are no probabilities: a row has the sum"),
        (("n", 3, SIDE, SIDE), {"mean": [0.5] * 3}, r"classifier\.mean is given without classifier\.std"),
    ],
)
def test_what_contradicts_the_file_is_refused(
    tmp_path: Path, shape: tuple[int | str, ...], options: dict[str, object], message: str
) -> None:
    with pytest.raises(OverpaintError, match=message):
        _open(foreign.write_onnx(tmp_path / "net.onnx", shape), **options)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no graph")
    with pytest.raises(OverpaintError, match=r"net\.onnx is no ONNX file that onnxruntime can load"):
        OnnxFunction(tmp_path / "net.onnx")
    info, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    table = [info("x", onnx.TensorProto.FLOAT, ["n", 4])]
    graph = onnx.helper.make_graph([node("Identity", ["x"], ["y"])], "g", table, [info("y", 1, ["n", 4])])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "net.onnx"))
    with pytest.raises(OverpaintError, match=r"takes x tensor\(float\) \['n', 4\]; it must take one array of images"):
        OnnxFunction(tmp_path / "net.onnx")


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = foreign.write_onnx(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OverpaintError, match=r"needs onnxruntime, .*pip install 'overpaint\[onnx\]'"):
        OnnxFunction(path)


def _write_labelled(path: Path, names: tuple[str, str] = ("label", "probabilities")) -> Path:
    """As converters of classifiers write them: the class with the highest score, and the scores."""
    model = onnx.load(foreign.write_onnx(path, softmax=True))
    model.graph.node.append(onnx.helper.make_node("ArgMax", ["scores"], [names[0]], axis=1, keepdims=0))
    model.graph.node.append(onnx.helper.make_node("Identity", ["scores"], [names[1]]))
    info = onnx.helper.make_tensor_value_info
    del model.graph.output[:]
    model.graph.output.append(info(names[0], onnx.TensorProto.INT64, ["n"]))
    model.graph.output.append(info(names[1], onnx.TensorProto.FLOAT, ["n", CLASSES]))
    onnx.save(model, path)
    return path


def test_label_and_probabilities(tmp_path: Path) -> None:
    classifier = _open(_write_labelled(tmp_path / "net.onnx"), **TRANSFORM)
    torch.testing.assert_close(classifier.scores(IMAGES), reference(IMAGES))
    named = _open(tmp_path / "net.onnx", output_name="probabilities", **TRANSFORM)
    torch.testing.assert_close(named.scores(IMAGES), reference(IMAGES))
    with pytest.raises(OverpaintError, match=r"output_name=logits is none of its outputs: label, probabilities"):
        _open(tmp_path / "net.onnx", output_name="logits", **TRANSFORM)


def test_a_reshape_inside_takes_one_image_at_a_time(tmp_path: Path) -> None:
    """The file says that it takes any number of images, and a Reshape in it makes one row of them."""
    model = onnx.load(foreign.write_onnx(tmp_path / "net.onnx"))
    flatten = next(node for node in model.graph.node if node.op_type == "Flatten")
    shape = onnx.numpy_helper.from_array(np.array([1, 3], dtype=np.int64), "one_row")
    model.graph.initializer.append(shape)
    flatten.CopyFrom(onnx.helper.make_node("Reshape", [flatten.input[0], "one_row"], [flatten.output[0]]))
    onnx.save(model, tmp_path / "net.onnx")
    classifier = _open(tmp_path / "net.onnx", **TRANSFORM)
    assert classifier.form.rows == 1
    torch.testing.assert_close(classifier.scores(IMAGES), reference(IMAGES))
