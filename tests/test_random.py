"""The control of noise: uniform, of the image and the seed alone."""

import pytest
import torch
from conftest import noise_images, planted
from scipy import stats

from overpaint.core.errors import OverpaintError
from overpaint.saliency.random import Random

TARGETS = torch.tensor([[1, 0], [0, 1]])
CLASSIFIER = planted(lambda share: share)


def test_each_pixel_is_uniform_and_independent() -> None:
    maps = Random()(CLASSIFIER, noise_images(1, 128), torch.tensor([[1]])).maps[0]
    assert stats.kstest(maps.flatten().numpy(), "uniform").pvalue > 0.01
    neighbours = torch.stack([maps[:, :-1].flatten(), maps[:, 1:].flatten()])
    assert abs(float(torch.corrcoef(neighbours)[0, 1])) < 3 / 128


@pytest.mark.parametrize("cells", [None, 4])
def test_a_map_belongs_to_its_image_and_seed(cells: int | None) -> None:
    images = noise_images(2, 32)
    found = Random(cells, seed=1)(CLASSIFIER, images, TARGETS).maps
    assert torch.equal(found[0], found[1])  # the targets of an image
    assert not torch.equal(found[0], found[2])
    assert torch.equal(found[2:], Random(cells, seed=1)(CLASSIFIER, images[1:], TARGETS[1:]).maps)
    assert not torch.equal(found, Random(cells, seed=2)(CLASSIFIER, images, TARGETS).maps)


def test_cells_make_it_smooth() -> None:
    maps = Random(cells=4)(CLASSIFIER, noise_images(1, 32), torch.tensor([[1]])).maps[0]
    assert float(maps.min()) >= 0
    assert float(maps.max()) < 1
    # Linear between the centres of cells that are ten pixels apart.
    assert float(maps.diff(dim=0).abs().max()) <= 0.1
    assert float(maps.max() - maps.min()) > 0.2


@pytest.mark.parametrize("space", [(40,), (6, 7, 8)])
def test_any_number_of_dimensions(space: tuple[int, ...]) -> None:
    images = torch.rand(2, 3, *space, generator=torch.Generator().manual_seed(0))
    for cells in (None, 3):
        found = Random(cells)(CLASSIFIER, images, TARGETS)
        assert found.maps.shape == (4, *space)
        assert found.queries.tolist() == [0] * 4
        assert found.standard_errors is None


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OverpaintError, match=r"Random\.cells=1 must be at least 2"):
        Random(cells=1)
    with pytest.raises(OverpaintError, match=r"cells=\(40, 40\) must be between 1 and the image's size"):
        Random(cells=40)(CLASSIFIER, noise_images(1, 32), torch.tensor([[1]]))
