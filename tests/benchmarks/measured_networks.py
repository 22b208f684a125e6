"""The classifiers whose speed is measured, and what their bare forward passes cost."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.network import NetworkClassifier, load_classifier
from overpaint.classifiers.options import ClassifierOptions
from overpaint.data.digits import DigitsData
from overpaint.data.series.cylinder_bell_funnel import CylinderBellFunnelData

NAMES = ("digits, 32 pixels", "SqueezeNet, 224 pixels", "series, 128 steps")
SIZES = (8, 16, 32, 64, 128)


def clock() -> float:
    """Returns the time in seconds: with one thread (``OMP_NUM_THREADS=1``) the processor's, of this process alone.

    What else runs on the machine then counts little; with more threads it is the time that passes.
    """
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def opened(name: str, path: Path) -> tuple[NetworkClassifier, Tensor]:
    """Loads a classifier and an image."""
    if name == NAMES[1]:
        return squeezenet(Path(os.environ["OVERPAINT_DATA"]))
    return digits(path) if name == NAMES[0] else series(path)


def squeezenet(folder: Path) -> tuple[NetworkClassifier, Tensor]:
    """Loads SqueezeNet and a photograph."""
    weights = str(folder / "squeezenet1_0_imagenet.pt")
    classifier = open_classifier(ClassifierOptions(source="torchvision:squeezenet1_0", weights=weights))
    assert isinstance(classifier, NetworkClassifier)
    with Image.open(sorted((folder / "photos").glob("*.jpg"))[0]) as photo:
        pixels = np.asarray(photo.convert("RGB").resize((224, 224)))
    return classifier, torch.tensor(pixels).permute(2, 0, 1)[None] / 255


def digits(path: Path) -> tuple[NetworkClassifier, Tensor]:
    """Loads the digits' classifier and a digit."""
    data = DigitsData(train_count=1, val_count=1, test_count=1)
    data.setup("test")
    return load_classifier(path), data.test.images.float() / 255


def series(path: Path) -> tuple[NetworkClassifier, Tensor]:
    """Loads the classifier of cylinder, bell and funnel, and one of them."""
    classifier = load_classifier(path)
    found, _ = CylinderBellFunnelData(test_count=1, scale=classifier.scale).open_split("test").read([0])
    return classifier, found.images


def bare_passes(classifier: NetworkClassifier, image: Tensor, queries: int) -> tuple[Callable[[], object], int]:
    """Returns what runs ``queries`` forward passes at the best batch size, and that size."""

    def passes(size: int, count: int) -> None:
        inputs = ((image - classifier.mean) / classifier.std).expand(size, *image.shape[1:])  # type: ignore[operator]
        inputs = inputs.contiguous(memory_format=torch.channels_last if image.ndim == 4 else torch.contiguous_format)
        with torch.inference_mode():
            for start in range(0, count, size):
                classifier.network(inputs[: count - start])

    spent = {}
    for size in SIZES:
        passes(size, 2 * size)
        start = clock()
        passes(size, 256)
        spent[size] = clock() - start
    best = min(spent, key=spent.__getitem__)
    return lambda: passes(best, queries), best
