"""The masks against scikit-image, and their statistics against counting."""

import itertools
import math

import numpy as np
import pytest
import torch
from skimage.transform import resize

from overpaint.core.errors import OverpaintError
from overpaint.perturbation.masks import MaskGeometry


@pytest.mark.parametrize(
    ("cells", "size"),
    [((7, 7), (224, 224)), ((8, 8), (32, 32)), ((3, 5), (17, 40)), ((1, 2), (9, 9)), ((7,), (128,)), ((3,), (17,))],
)
def test_masks_are_those_of_rise_code(cells: tuple[int, ...], size: tuple[int, ...]) -> None:
    """RISE's code: resize(grid, (s + 1) * cell, order=1, mode='reflect') and a crop at the shift."""
    geometry = MaskGeometry(cells, size)
    rng = torch.Generator().manual_seed(0)
    grids = torch.rand(6, *cells, generator=rng)
    shifts = geometry.draw_shifts(6, rng)
    masks = geometry.masks(grids, shifts)
    step = [math.ceil(s / c) for s, c in zip(size, cells, strict=True)]
    stretched = [(c + 1) * s for c, s in zip(cells, step, strict=True)]
    for grid, corner, mask in zip(grids.numpy(), shifts.tolist(), masks.numpy(), strict=True):
        whole = resize(grid.astype(np.float64), stretched, order=1, mode="reflect", anti_aliasing=False)
        crop = tuple(slice(start, start + side) for start, side in zip(corner, size, strict=True))
        np.testing.assert_allclose(mask, whole[crop], atol=1e-6)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_mask_is_the_product_of_its_axes(dimensions: int) -> None:
    """A grid that is a product of one vector an axis gives the product of the axes' one-dimensional masks."""
    cells, size = (3, 4, 2)[:dimensions], (10, 9, 7)[:dimensions]
    geometry = MaskGeometry(cells, size)
    vectors = [torch.rand(c, generator=torch.Generator().manual_seed(c)) for c in cells]
    shifts = torch.ones(1, dimensions, dtype=torch.long)
    expected, grid = torch.ones(()), torch.ones(())
    for axis, vector in enumerate(vectors):
        line = MaskGeometry((cells[axis],), (size[axis],)).masks(vector[None], shifts[:, :1])[0]
        expected, grid = expected[..., None] * line, grid[..., None] * vector
    torch.testing.assert_close(geometry.masks(grid[None], shifts)[0], expected)


def test_shifts_cover_one_cell() -> None:
    shifts = MaskGeometry((4, 2), (32, 10)).draw_shifts(2000, torch.Generator().manual_seed(0))
    assert set(shifts[:, 0].tolist()) == set(range(8))
    assert set(shifts[:, 1].tolist()) == set(range(5))


def test_block_means_are_the_means_of_the_masks(dimensions: int) -> None:
    cells, size, blocks = ((3, 4)[-dimensions:], (12, 14)[-dimensions:], (6, 4)[-dimensions:])
    geometry, rng = MaskGeometry(cells, size), torch.Generator().manual_seed(1)
    grids, shifts = torch.rand(5, *cells, generator=rng), geometry.draw_shifts(5, rng)
    masks, expected = geometry.masks(grids, shifts), torch.zeros(5, *blocks)
    for block in itertools.product(*map(range, blocks)):
        sides = zip(block, blocks, size, strict=True)
        place = tuple(slice(round(i * side / count), round((i + 1) * side / count)) for i, count, side in sides)
        expected[(slice(None), *block)] = masks[(slice(None), *place)].flatten(1).mean(1)
    for _ in range(2):  # what it keeps for the second time is the same
        torch.testing.assert_close(geometry.block_means(grids, shifts, blocks), expected)
    torch.testing.assert_close(geometry.block_means(grids, shifts, size), masks)


def _all_masks(geometry: MaskGeometry, cells: int) -> torch.Tensor:
    """Every mask of a binary grid with every shift, for one dimension: the whole population."""
    grids = torch.tensor(list(itertools.product([0.0, 1.0], repeat=cells)))
    step = len(geometry.weights[0])
    return torch.cat([geometry.masks(grids, torch.full((len(grids), 1), s)) for s in range(step)])


def test_variance_counts_every_mask() -> None:
    geometry = MaskGeometry((4,), (14,))
    masks = _all_masks(geometry, 4)
    torch.testing.assert_close(geometry.variance() * 0.25, masks.var(0, correction=0))


def test_block_slopes_count_every_mask() -> None:
    geometry = MaskGeometry((4,), (14,))
    masks = _all_masks(geometry, 4)
    blocks = masks.reshape(len(masks), 7, 2).mean(2)
    beta = torch.tensor([0.3, -1.0, 2.0, 0.0, 0.5, 1.0, -0.2])
    y = blocks @ beta
    slopes = ((masks - masks.mean(0)) * (y - y.mean())[:, None]).mean(0) / masks.var(0, correction=0)
    torch.testing.assert_close(geometry.block_slopes(beta[None])[0], slopes)


def test_more_cells_than_pixels_are_refused() -> None:
    with pytest.raises(OverpaintError, match=r"cells=\(9, 9\) must be between 1 and the image's size \(8, 8\)"):
        MaskGeometry((9, 9), (8, 8))
