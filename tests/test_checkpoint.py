"""Checkpoints of the right kind that lack something: one sentence that names it."""

import fractions
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from overpaint.classifiers.network import classifier_from_settings, load_classifier
from overpaint.core.errors import OverpaintError
from overpaint.networks.checkpoint import FORMAT_KEY, load_generator


def _classifier_content() -> dict[str, Any]:
    settings = {"architecture": "residual", "class_names": ["a", "b"], "image_size": 8, "mean": [0.4], "std": [0.2]}
    tensors = {f"classifier.{key}": value for key, value in classifier_from_settings(settings).state_dict().items()}
    return {FORMAT_KEY: {"kind": "classifier", "settings": settings}, "state_dict": tensors}


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda c: c[FORMAT_KEY].pop("settings"), r"incomplete classifier checkpoint: it has no settings or no state_"),
        (lambda c: c.pop("state_dict"), r"incomplete classifier checkpoint: it has no settings or no state_dict"),
        (lambda c: c[FORMAT_KEY]["settings"].pop("mean"), r"incomplete .*there is no setting 'mean'; 'python train.py"),
        (
            lambda c: c[FORMAT_KEY]["settings"].update(architecture="gone"),
            r"architecture='gone' is neither",
        ),
        (
            lambda c: c["state_dict"].pop("classifier.std"),
            r"m\.ckpt .*: 1 tensors are missing \(std\)",
        ),
        (lambda c: c["state_dict"].clear(), r"tensors are missing \(mean, std, network\.stem\.0\.weight, \.\.\.\)"),
        (lambda c: c["state_dict"].update({"classifier.x": torch.ones(1)}), r"1 tensors belong to no layer \(x\)"),
        (
            lambda c: c[FORMAT_KEY]["settings"].update(class_names=["a", "b", "c"]),
            r"2 tensors have another shape \(network\.head\.weight \(2, 128\) instead of \(3, 128\), net",
        ),
    ],
)
def test_an_incomplete_classifier_is_refused(tmp_path: Path, harm: Callable[[Any], Any], message: str) -> None:
    content = _classifier_content()
    torch.save(content, tmp_path / "m.ckpt")
    load_classifier(tmp_path / "m.ckpt")
    harm(content)
    torch.save(content, tmp_path / "m.ckpt")
    with pytest.raises(OverpaintError, match=message):
        load_classifier(tmp_path / "m.ckpt")


def test_an_incomplete_dcgan_is_refused(tmp_path: Path) -> None:
    content = {FORMAT_KEY: {"kind": "dcgan", "settings": {"generator": {"image_size": 32}}}, "state_dict": {}}
    torch.save(content, tmp_path / "m.ckpt")
    with pytest.raises(OverpaintError, match=r"the tensors of .*m\.ckpt are not those of the network: 17 tensors"):
        load_generator(tmp_path / "m.ckpt")


def test_what_was_refused_is_named(tmp_path: Path) -> None:
    torch.save({"options": fractions.Fraction(1, 2)}, tmp_path / "m.ckpt")
    with pytest.raises(OverpaintError, match=r"more than tensors and plain values \(fractions\.Fraction\), which is"):
        load_classifier(tmp_path / "m.ckpt")
