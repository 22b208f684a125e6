"""Images outside [0, 1] are refused wherever they come in."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import FunctionClassifier, noise_images
from torch import Tensor

from overpaint.core.checks import check_dimensions, check_images
from overpaint.core.errors import OverpaintError
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.runner import Runner
from overpaint.saliency.rise import Rise

BAD = {
    "255": (lambda images: 255 * images, r"go from 0 to 255: use images / 255"),
    "tanh": (lambda images: 2 * images - 1, r"go from -1 to 1: use \(images \+ 1\) / 2"),
    "imagenet": (lambda images: (images - 0.45) / 0.225, r"go from -2 to 2.444$"),
    "nan": (lambda images: images.log().sqrt(), r"go from nan to nan$"),
}


def _images() -> Tensor:
    images = noise_images(1, 32, 1)
    images[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    return images


def _maker() -> Inpainter:
    generator, discriminator = Generator(32, 1, 4, 2).eval(), Discriminator(32, 1, 2).eval()
    return Inpainter(generator, discriminator, LatentSearch(num_variants=1, steps=0, num_candidates=0), RegionRule())


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("entry", ["explain", "maker", "search"])
def test_other_ranges_are_refused(kind: str, entry: str) -> None:
    change, message = BAD[kind]
    images, region = change(_images()), torch.ones(1, 32, 32, dtype=torch.bool)
    inpainter, classifier = _maker(), FunctionClassifier(lambda rows: rows.mean((1, 2, 3)))
    entries: dict[str, Callable[[], Any]] = {
        "explain": lambda: Runner(classifier, {"rise": Rise(queries=64)}, Engine(classifier), inpainter=inpainter).run(
            images, torch.tensor([[1]])
        ),
        "maker": lambda: inpainter(classifier, images, torch.tensor([1]), region),
        "search": lambda: inpainter.search(inpainter.generator, inpainter.discriminator, images, region.float()),
    }
    with pytest.raises(OverpaintError, match=f"images must lie in .0, 1., but these {message}"):
        entries[entry]()


def test_whole_numbers_are_refused() -> None:
    whole: Any = (255 * _images()).byte()
    with pytest.raises(OverpaintError, match=r"but these are torch.uint8: use images.float\(\) / 255"):
        check_images(whole)


def test_the_ends_are_in_range() -> None:
    check_images(_images())
    check_images(torch.empty(0, 1, 4, 4))
    check_images(torch.nextafter(torch.ones(1), torch.tensor(2.0)))  # a resize rounds
    with pytest.raises(OverpaintError, match=r"go from 1.001 to 1.001"):
        check_images(torch.tensor([1.001]))


def test_series_may_leave_the_range_and_must_be_finite() -> None:
    check_images(torch.tensor([[[-3.0, 0.0, 7.0]]]))
    with pytest.raises(OverpaintError, match="series must be finite"):
        check_images(torch.tensor([[[0.0, torch.nan]]]))


@pytest.mark.parametrize("shape", [(2, 8), (1, 1, 4, 4, 4)])
def test_neither_series_nor_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(OverpaintError, match=r"series \(batch, channel, length\) and images .* nothing else"):
        check_dimensions(torch.zeros(shape))
