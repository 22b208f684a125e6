"""The control of edges against scipy's Sobel operator."""

import pytest
import torch
from conftest import noise_images, planted
from scipy import ndimage

from overpaint.inpainting.region import is_flat
from overpaint.saliency.edges import Edges

CLASSIFIER = planted(lambda share: share)


@pytest.mark.parametrize("space", [(20,), (9, 14), (5, 6, 7)])
def test_it_is_scipys_sobel_magnitude(space: tuple[int, ...]) -> None:
    images = torch.rand(2, 3, *space, generator=torch.Generator().manual_seed(0))
    found = Edges()(CLASSIFIER, images, torch.tensor([[0, 1], [1, 0]]))
    for i, image in enumerate(images.double().mean(1).numpy()):
        sobel = ndimage.generic_gradient_magnitude(image, ndimage.sobel, mode="nearest")
        expected = torch.from_numpy(sobel / (2 * 4 ** (len(space) - 1))).float()
        torch.testing.assert_close(found.maps[2 * i], expected)
        assert torch.equal(found.maps[2 * i], found.maps[2 * i + 1])
    assert found.queries.tolist() == [0] * 4
    assert found.standard_errors is None


def test_a_step_is_seen_on_both_of_its_sides() -> None:
    images = torch.zeros(1, 1, 8, 8)
    images[..., 4:] = 1
    expected = torch.zeros(8, 8)
    expected[:, 3:5] = 0.5
    assert torch.equal(Edges()(CLASSIFIER, images, torch.tensor([[1]])).maps[0], expected)


def test_an_image_of_one_colour_has_none() -> None:
    assert is_flat(Edges()(CLASSIFIER, torch.full((1, 3, 8, 8), 0.3), torch.tensor([[1]])).maps).tolist() == [True]


def test_a_row_does_not_depend_on_its_batch() -> None:
    images, targets = noise_images(3, 16), torch.tensor([[1]] * 3)
    together = Edges()(CLASSIFIER, images, targets).maps
    assert torch.equal(together[1:2], Edges()(CLASSIFIER, images[1:2], targets[1:2]).maps)
