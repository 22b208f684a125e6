"""Volumes `(batch, channel, depth, height, width)` are refused with a sentence wherever they can come in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import overpaint as op
from overpaint.classifiers.options import ClassifierOptions
from overpaint.cli.main import main
from overpaint.core.errors import OverpaintError

VOLUMES = torch.rand(2, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0))


class VolumeNetwork(nn.Module):
    """Three classes of volumes."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv3d(1, 3, 3, padding=1)

    def forward(self, volumes: Tensor) -> Tensor:
        return self.first(volumes).mean((2, 3, 4))


@pytest.mark.parametrize("values", [VOLUMES, VOLUMES.numpy(), VOLUMES.byte()], ids=["tensor", "array", "bytes"])
@pytest.mark.parametrize("model", [VolumeNetwork(), nn.Sequential(nn.Conv2d(1, 2, 1)), lambda x: x.mean((2, 3))])
def test_given_to_python(model: Any, values: Any) -> None:
    with pytest.raises(OverpaintError, match=r"shape \(2, 1, 4, 4, 4\); an image has 3 axes .* volumes .* not expl"):
        op.explain(model, values, methods="rise")


def test_given_to_a_classifier_of_series() -> None:
    classifier = op.as_classifier(series_network(), image_size=[8])
    with pytest.raises(OverpaintError, match=r"a series has 2 axes .* volumes .* not explained"):
        op.explain(classifier, VOLUMES, methods="rise")


def test_a_network_that_takes_volumes_takes_no_images() -> None:
    with pytest.raises(OverpaintError, match=r"VolumeNetwork can't take images of 4x4 pixels with 1 channels"):
        op.explain(VolumeNetwork(), torch.rand(2, 1, 4, 4), methods="rise")


def test_a_size_of_three_numbers() -> None:
    with pytest.raises(OverpaintError, match=r"must be one number, \[height, width\], or \[length\]"):
        ClassifierOptions("net.pt", image_size=[4, 4, 4])
    with pytest.raises(OverpaintError, match=r"image_size=\[4, 4, 4\] must be one number"):
        op.as_classifier(VolumeNetwork(), image_size=(4, 4, 4), channels=1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_files_of_networks(tmp_path: Path) -> None:
    torch.jit.trace(VolumeNetwork().eval(), VOLUMES).save(str(tmp_path / "net.ts"))
    torch.export.save(torch.export.export(VolumeNetwork().eval(), (VOLUMES,)), tmp_path / "net.pt2")
    with pytest.raises(OverpaintError, match=r"net\.ts can't take images of 4x4 pixels"):
        op.as_classifier(tmp_path / "net.ts", allow_code=True, image_size=(4, 4), channels=1, class_names=list("abc"))
    with pytest.raises(OverpaintError, match=r"net\.pt2 .* must take one array \(batch, channel, height, width\)"):
        op.as_classifier(tmp_path / "net.pt2", allow_code=True, class_names=list("abc"))


def images_network() -> nn.Module:
    """Is named in settings."""
    return nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def series_network() -> nn.Module:
    """Is named in settings."""
    return nn.Sequential(nn.Conv1d(1, 2, 1), nn.AdaptiveAvgPool1d(1), nn.Flatten())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "images=volumes.npy classifier=test_volumes:images_network classifier.image_size=4 classifier.channels=1",
            "shape (2, 1, 4, 4, 4), and a picture has height, width and bands",
        ),
        (
            "data=series_file data.root=volumes.npy classifier=test_volumes:series_network classifier.image_size=[4]",
            "shape (2, 1, 4, 4, 4); series are numbers of shape (step,), (series, step)",
        ),
        ("classifier.image_size=[4,4,4] classifier=net.pt2 allow_code=true", "must be one number, [height, width]"),
    ],
)
def test_given_to_explain(
    words: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("volumes.npy", VOLUMES.numpy())
    with pytest.raises(SystemExit) as ended:
        main(["explain", "output=out", "generator=null", "methods=[rise]", "logger.mode=none", *words.split()])
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert sentence in " ".join(printed.split())
    assert "Traceback" not in printed
