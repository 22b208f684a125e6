"""Networks of timm and Hugging Face: their scores are those of their own libraries, read from a folder."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor

from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.options import ClassifierOptions, content_of
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.protocols import Classifier
from overpaint.saliency.grad_cam import GradCam

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def _open(source: str, **options: Any) -> Classifier:
    return open_classifier(ClassifierOptions(source, **options))


def _normalised(mean: float, std: float) -> Tensor:
    return (IMAGES - mean) / std


@pytest.fixture
def vit(tmp_path: Path) -> tuple[Path, Any]:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8
    )
    config.id2label = {0: "cat", 1: "dog", 2: "cow"}
    network = transformers.ViTForImageClassification(config).eval()
    network.save_pretrained(tmp_path / "vit")
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "vit")
    return tmp_path / "vit", network


def test_a_folder_of_hugging_face(vit: tuple[Path, Any]) -> None:
    folder, network = vit
    classifier = _open(f"hf:{folder}")
    assert classifier.class_names == ["cat", "dog", "cow"]
    assert (classifier.input_size, classifier.channels) == ((32, 32), 3)
    with torch.no_grad():
        expected = network(_normalised(0.5, 0.5)).logits.softmax(1)
    torch.testing.assert_close(classifier.scores(IMAGES), expected)
    before = b"".join(content_of(ClassifierOptions(f"hf:{folder}")))
    (folder / "preprocessor_config.json").write_text("{}")
    assert before != b"".join(content_of(ClassifierOptions(f"hf:{folder}")))


@pytest.mark.parametrize(
    ("changes", "mean", "std", "size"),
    [
        ({"do_normalize": False}, 0.0, 1.0, (32, 32)),
        ({"do_rescale": False}, 0.5 / 255, 0.5 / 255, (32, 32)),
        ({"do_normalize": False, "do_rescale": False}, 0.0, 1 / 255, (32, 32)),
        ({"image_mean": [0.1] * 3, "image_std": [0.2] * 3, "size": {"shortest_edge": 32}}, 0.1, 0.2, (32, 32)),
    ],
)
def test_the_processor_of_hugging_face(
    vit: tuple[Path, Any], changes: dict[str, Any], mean: float, std: float, size: tuple[int, int]
) -> None:
    folder, network = vit
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(settings | changes))
    classifier = _open(f"hf:{folder}")
    assert classifier.input_size == size
    with torch.no_grad():
        expected = network(_normalised(mean, std)).logits.softmax(1)
    torch.testing.assert_close(classifier.scores(IMAGES), expected)


def test_multi_label_of_hugging_face(vit: tuple[Path, Any]) -> None:
    folder, network = vit
    config = json.loads((folder / "config.json").read_text()) | {"problem_type": "multi_label_classification"}
    (folder / "config.json").write_text(json.dumps(config))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverpaintWarning)  # untrained, its logits may look like probabilities
        classifier = _open(f"hf:{folder}")
    with torch.no_grad():
        torch.testing.assert_close(classifier.scores(IMAGES), network(_normalised(0.5, 0.5)).logits.sigmoid())
    assert classifier.decision.threshold == 0.5


def test_what_hugging_face_does_not_have(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(OverpaintError, match=r"^classifier=hf:.* can't be loaded: "):
        _open(f"hf:{tmp_path}")
    with pytest.raises(OverpaintError, match=r"weights=w has no meaning for classifier=hf:x, a model of Hugging Face"):
        _open("hf:x", weights="w")


def test_timm(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    network = timm.create_model("resnet18", num_classes=3).eval()
    torch.save(network.state_dict(), tmp_path / "w.pt")
    timm.models.save_for_hf(network, tmp_path / "folder", model_config={"label_names": ["a", "b", "c"]})
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        expected = network((IMAGES - mean) / std).softmax(1)
    named = _open("timm:resnet18", weights=str(tmp_path / "w.pt"), image_size=32)
    with pytest.warns(OverpaintWarning, match="was trained at 224x224 and is tested by timm at 288x288 pixels; the fi"):
        assert _open("timm:resnet18", weights=str(tmp_path / "w.pt")).input_size == (224, 224)
    folder = _open(f"timm:{tmp_path / 'folder'}", image_size=32)
    for classifier in (named, folder):
        torch.testing.assert_close(classifier.scores(IMAGES), expected)
        assert GradCam()(classifier, IMAGES, torch.zeros(2, 1, dtype=torch.long)).maps.shape == (2, 32, 32)
    with pytest.raises(OverpaintError, match=r"timm:resnet18 needs classifier\.weights: a state-dict file, or DEFAULT"):
        _open("timm:resnet18")
    with pytest.raises(OverpaintError, match=r"timm:resnt18 can't be loaded: Unknown model"):
        _open("timm:resnt18", weights="DEFAULT")


def test_a_vision_transformer_of_another_size(tmp_path: Path) -> None:
    """The size reaches the constructors of timm's and of torchvision's transformers."""
    network = torchvision.models.vit_b_32(image_size=64, num_classes=2)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    classifier = _open("torchvision:vit_b_32", weights=str(tmp_path / "w.pt"), image_size=64)
    images = torch.rand(1, 3, 64, 64)
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        torch.testing.assert_close(classifier.scores(images), network.eval()((images - mean) / std).softmax(1))
    with pytest.raises(OverpaintError, match=r"vit_b_32 can't be made for image_size=50"):
        _open("torchvision:vit_b_32", weights=str(tmp_path / "w.pt"), image_size=50)
    timm = pytest.importorskip("timm")
    small = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=2, depth=1).eval()
    torch.save(small.state_dict(), tmp_path / "t.pt")
    with pytest.raises(OverpaintError, match="are not those of the network"):  # this one has one layer
        _open("timm:vit_tiny_patch16_224", weights=str(tmp_path / "t.pt"), image_size=32)
