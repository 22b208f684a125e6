"""KID of variants: real images are read only where there are variants enough to compare with them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier, noise_images

from overpaint.classifiers.network import NetworkClassifier
from overpaint.report.kid import LEAST, variants_kid
from overpaint.training.generation_metrics import kernel_distance


def _unread() -> torch.Tensor:
    raise AssertionError("the real images were read")


def _folders(root: Path, count: int) -> tuple[list[Path], torch.Tensor]:
    """Folders of two variants each, the second a near-duplicate; returns the first ones too."""
    variants = noise_images(2 * count, 32, 3).reshape(count, 2, 3, 32, 32)
    folders = [root / str(index) for index in range(count)]
    for folder, images in zip(folders, variants, strict=True):
        folder.mkdir()
        np.savez(folder / "variants.npz", images=images.numpy(), duplicate=np.array([False, True]))
    return folders, variants[:, 0]


def test_real_images_are_not_read_for_a_few_variants_or_a_black_box(tmp_path: Path, network: NetworkClassifier) -> None:
    folders = [tmp_path] * LEAST
    assert variants_kid(folders[1:], _unread, network) is None
    assert variants_kid(folders, _unread, FunctionClassifier(lambda images: images.mean((1, 2, 3)))) is None


def test_variants_are_compared_without_their_duplicates(tmp_path: Path, network: NetworkClassifier) -> None:
    folders, variants = _folders(tmp_path, LEAST)
    real = (255 * noise_images(LEAST + 10, 32, 3, seed=1)).byte()
    expected = kernel_distance([real / 255], [variants], network)
    assert variants_kid(folders, lambda: real, network) == pytest.approx(expected, rel=1e-6)
    assert variants_kid(folders, lambda: real[: LEAST - 1], network) is None
