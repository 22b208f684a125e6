"""The control of the middle: a Gaussian, whatever the image."""

import pytest
import torch
from conftest import noise_images, planted
from scipy import stats

from overpaint.saliency.center import Center

CLASSIFIER = planted(lambda share: share)


@pytest.mark.parametrize("space", [(9,), (8, 12), (4, 5, 6)])
def test_it_is_a_gaussian_of_a_quarter_of_each_side(space: tuple[int, ...]) -> None:
    found = Center()(CLASSIFIER, torch.rand(2, 3, *space), torch.tensor([[0, 1], [1, 0]]))
    middle, deviations = [(side - 1) / 2 for side in space], [(side / 4) ** 2 for side in space]
    places = torch.cartesian_prod(*[torch.arange(side) for side in space]).reshape(*space, -1).numpy()
    density = torch.from_numpy(stats.multivariate_normal.pdf(places, middle, deviations)).reshape(space)
    peak = stats.multivariate_normal.pdf(middle, middle, deviations)
    expected = (density / peak).float().expand(4, *space)
    torch.testing.assert_close(found.maps, expected)
    assert found.queries.tolist() == [0] * 4
    assert found.standard_errors is None


def test_the_image_does_not_matter() -> None:
    first, second = (Center()(CLASSIFIER, noise_images(1, 32, seed=s), torch.tensor([[1]])).maps for s in (0, 1))
    assert torch.equal(first, second)
    assert torch.equal(first, first.flip(1))
    assert torch.equal(first, first.mT)
