"""Random streams of images, and common ones for images that differ a little."""

import pytest
import torch
from conftest import FunctionClassifier, noise_images

from overpaint.core.rng import drawing_as, image_rng
from overpaint.perturbation.method import GridMasks
from overpaint.saliency.rise import Rise

IMAGE, OTHER = noise_images(2, 16)


def _draw(image: torch.Tensor, *words: str) -> float:
    return float(torch.rand(1, generator=image_rng(image, 3, *words)))


def test_within_it_every_image_draws_as_the_named_one() -> None:
    with drawing_as(IMAGE):
        assert _draw(OTHER, "rise") == _draw(IMAGE, "rise")
        assert _draw(OTHER, "lime") != _draw(IMAGE, "rise")
        with drawing_as(OTHER):
            inner = _draw(IMAGE, "rise")
        assert _draw(OTHER, "rise") != inner
    assert inner == _draw(OTHER, "rise")
    assert _draw(OTHER, "rise") != _draw(IMAGE, "rise")


def test_it_ends_with_an_error_too() -> None:
    before = _draw(OTHER)
    with pytest.raises(ValueError, match="inside"), drawing_as(IMAGE):
        raise ValueError("inside")
    assert _draw(OTHER) == before


def test_rise_asks_about_the_same_masks() -> None:
    classifier = FunctionClassifier(lambda images: images.mean((1, 2, 3)))

    def masks(image: torch.Tensor) -> torch.Tensor:
        mask_batch = next(Rise(queries=20).sample_masks(classifier, image, torch.tensor([1])))
        assert isinstance(mask_batch, GridMasks)
        return mask_batch.masks(slice(None))

    changed = (IMAGE + 0.01).clamp(0, 1)
    own = masks(IMAGE)
    assert not torch.equal(masks(changed), own)
    with drawing_as(IMAGE):
        assert torch.equal(masks(changed), own)
