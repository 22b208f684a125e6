"""What is said of a generator and a classifier that were not made for each other."""

import pytest
from conftest import FunctionClassifier, frozen_classifier
from torch import nn

from overpaint.configuration.parts import check_channels, differences, make_method
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.core.scale import SeriesScale
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.networks.gan import Gan


def _classifier(size: int) -> Classifier:
    return frozen_classifier(nn.Sequential(nn.Flatten(), nn.Linear(size**2, 3)), size)


@pytest.mark.parametrize(
    ("classes", "size", "said"),
    [
        ([], 32, []),
        (["0", "a cat"], 32, []),
        (["a cat"], 32, ["was trained on images of ['a cat'], none of which the classifier knows"]),
        ([], 48, ["paints 32x32 pixels, the classifier sees 48x48: images and regions are resized"]),
        (["a cat"], 16, ["paints 32x32 pixels, the classifier sees 16x16", "was trained on images of ['a cat']"]),
    ],
)
def test_another_size_or_domain_is_said(classes: list[str], size: int, said: list[str]) -> None:
    dcgan = Gan(Generator(32, 1, 4, 1), Discriminator(32, 1, 1), None, classes)
    notes = differences(dcgan, _classifier(size))
    assert len(notes) == len(said)
    assert all(note.startswith(start) for note, start in zip(notes, said, strict=True))


def test_a_baseline_of_series_is_no_image_file() -> None:
    section = {"target": "overpaint.saliency.rise.Rise", "baseline": "grey.png"}
    classifier = FunctionClassifier(lambda series: series[:, 0].mean(1), dimensions=1)
    with pytest.raises(OverpaintError, match=r"saliency\.rise\.baseline=grey\.png names a file, .* takes series"):
        make_method("rise", section, {}, classifier, None)


def test_generator_and_classifier_of_series_share_a_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = FunctionClassifier(lambda series: series[:, 0].mean(1), dimensions=1)
    gan = Gan(Generator((32,), 1, 4, 1), scale=SeriesScale((0.0,), (1.0,)))
    check_channels(gan, classifier, "the generator")  # the classifier's is not known
    monkeypatch.setattr(classifier, "scale", SeriesScale([0.0], [1.0]))
    check_channels(gan, classifier, "the generator")
    monkeypatch.setattr(classifier, "scale", SeriesScale([0.0], [2.0]))
    with pytest.raises(OverpaintError, match="the generator was trained on series scaled otherwise"):
        check_channels(gan, classifier, "the generator")
