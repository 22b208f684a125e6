"""Blending against its formula, hand-computed depths and a dense solve."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from overpaint.inpainting.blending import blend_into

BLENDS = ["paste", "feather", "poisson"]


def _rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _regions(count: int, *space: int) -> Tensor:
    """A box, a box at the border, a ragged one with holes and islands."""
    regions = torch.zeros(count, *space, dtype=torch.bool)
    regions[(0, *[slice(2, 6)] * len(space))] = True
    regions[(1, *[slice(0, 4)] * len(space))] = True
    regions[2] = _rand(*space, seed=9) < 0.5
    return regions


@pytest.mark.parametrize("space", [(9, 8), (14,), (6, 7, 8)])
def test_paste_is_the_formula(space: tuple[int, ...]) -> None:
    images, painted, regions = _rand(3, 2, *space), _rand(3, 4, 2, *space, seed=1), _regions(3, *space)
    result = blend_into(images, painted, regions, "paste")
    inside = regions[:, None, None].float()
    assert torch.equal(result, images[:, None] * (1 - inside) + inside * painted)


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("space", [(9, 8), (14,), (6, 7, 8)])
def test_outside_is_the_image_bit_for_bit(blend: Any, space: tuple[int, ...]) -> None:
    images, painted, regions = _rand(3, 2, *space), _rand(3, 4, 2, *space, seed=1), _regions(3, *space)
    result = blend_into(images, painted, regions, blend)
    assert result.shape == painted.shape
    assert result.dtype == painted.dtype
    for i, k in itertools.product(range(3), range(4)):
        assert torch.equal(result[i, k][:, ~regions[i]], images[i][:, ~regions[i]])
        assert not torch.equal(result[i, k][:, regions[i]], images[i][:, regions[i]])


@pytest.mark.parametrize("blend", BLENDS)
def test_nothing_repainted_is_the_image(blend: Any) -> None:
    images, painted = _rand(2, 3, 6, 6), _rand(2, 2, 3, 6, 6, seed=1)
    result = blend_into(images, painted, torch.zeros(2, 6, 6, dtype=torch.bool), blend)
    assert torch.equal(result, images[:, None].expand_as(painted))


@pytest.mark.parametrize("blend", BLENDS)
def test_everything_repainted_is_the_painted_image(blend: Any) -> None:
    """There is no border to blend at."""
    images, painted = _rand(2, 3, 6, 6), _rand(2, 2, 3, 6, 6, seed=1)
    result = blend_into(images, painted, torch.ones(2, 6, 6, dtype=torch.bool), blend)
    assert torch.equal(result, painted)


def test_feather_fades_in_over_two_pixels() -> None:
    images, painted = torch.zeros(1, 1, 12), torch.ones(1, 1, 1, 12)
    regions = torch.tensor([[0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1]], dtype=torch.bool)
    # Depths 1 2 3 4 3 2 1, and 1 2 up to the image's border, which is none of the region's.
    thirds = torch.tensor([0.0, 1, 2, 3, 3, 3, 2, 1, 0, 0, 1, 2])
    result = blend_into(images, painted, regions, "feather")
    torch.testing.assert_close(result[0, 0, 0], thirds / 3)
    result = blend_into(1 - images, painted / 2, regions, "feather")
    torch.testing.assert_close(result[0, 0, 0], 1 - thirds / 6)


def test_feather_measures_depth_straight_to_the_nearest_pixel_outside() -> None:
    images, painted = _rand(1, 1, 9, 8), _rand(1, 2, 1, 9, 8, seed=1)
    region = _rand(9, 8, seed=3) < 0.85
    outside = (~region).nonzero().double()
    weights = torch.zeros(9, 8, dtype=torch.float64)
    for row, column in itertools.product(range(9), range(8)):
        depth = (outside - torch.tensor([row, column])).square().sum(1).sqrt().min()
        weights[row, column] = min(1.0, float(depth) / 3)
    assert len(weights.unique()) > 4
    result = blend_into(images, painted, region[None], "feather")
    expected = images[0].double() * (1 - weights) + painted[0].double() * weights
    torch.testing.assert_close(result[0].double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("space", [(9, 8), (14,), (6, 7, 8)])
def test_poisson_undoes_a_shift_of_brightness(space: tuple[int, ...]) -> None:
    """Equal gradients and equal values at the border have one solution: the image itself."""
    images, regions = _rand(3, 2, *space), _regions(3, *space)
    shifts = torch.tensor([-0.4, 0.3, 5.0]).reshape(1, 3, *[1] * (1 + len(space)))
    result = blend_into(images, images[:, None] + shifts, regions, "poisson")
    torch.testing.assert_close(result, images[:, None].expand_as(result), rtol=0, atol=1e-6)


def _slow_poisson(image: np.ndarray, painted: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Σ_q (f_p - f_q) = Σ_q (g_p - g_q) over the 4-neighbours q within the image, f_q = x_q outside, as a dense system.

    Equation 7 of Pérez, Gangnet & Blake with g's gradients, one channel of one variant.
    """
    pixels = [tuple(p) for p in np.argwhere(region)]
    matrix, right = np.zeros((len(pixels), len(pixels))), np.zeros(len(pixels))
    for n, (row, column) in enumerate(pixels):
        for q in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if not (0 <= q[0] < region.shape[0] and 0 <= q[1] < region.shape[1]):
                continue
            matrix[n, n] += 1
            right[n] += painted[row, column] - painted[q]
            if region[q]:
                matrix[n, pixels.index(q)] -= 1
            else:
                right[n] += image[q]
    result = image.copy()
    for p, value in zip(pixels, np.linalg.solve(matrix, right), strict=True):
        result[p] = min(1.0, max(0.0, value))
    return result


def test_poisson_is_the_dense_solve() -> None:
    region = torch.tensor(
        [
            [1, 1, 0, 0, 0, 0],
            [1, 1, 1, 0, 0, 1],
            [0, 1, 0, 0, 0, 0],
            [0, 1, 1, 1, 0, 0],
            [0, 0, 0, 1, 1, 1],
        ],
        dtype=torch.bool,
    )
    image, painted = _rand(2, 5, 6).double(), _rand(3, 2, 5, 6, seed=1).double()
    result = blend_into(image[None], painted[None], region[None], "poisson")[0]
    cut = 0
    for k, c in itertools.product(range(3), range(2)):
        expected = torch.from_numpy(_slow_poisson(image[c].numpy(), painted[k, c].numpy(), region.numpy()))
        torch.testing.assert_close(result[k, c], expected, rtol=0, atol=1e-12)
        cut += int(((expected == 0) | (expected == 1)).sum())
    assert 0 < cut < 30  # the comparison covers both kinds of values


def test_poisson_of_a_series_by_hand() -> None:
    # Inside, f has G's second differences (0 for a straight line): the line from 0.2 to 0.8.
    images = torch.tensor([[[0.2, 0.9, 0.9, 0.8]]])
    painted = torch.tensor([[[[0.5, 0.6, 0.7, 0.8]]]])
    region = torch.tensor([[False, True, True, False]])
    result = blend_into(images, painted, region, "poisson")
    torch.testing.assert_close(result[0, 0, 0], torch.tensor([0.2, 0.4, 0.6, 0.8]))
    # At the image's border nothing is given, so only the slope is kept: 0.2 + 0.1, 0.2 + 0.2, 0.2 + 0.3.
    region = torch.tensor([[False, True, True, True]])
    result = blend_into(images, painted, region, "poisson")
    torch.testing.assert_close(result[0, 0, 0], torch.tensor([0.2, 0.3, 0.4, 0.5]))


def test_poisson_stays_in_range() -> None:
    images = torch.zeros(1, 1, 8, 8)
    images[..., 4:] = 1
    painted = (_rand(1, 5, 1, 8, 8, seed=1) > 0.5).float()
    region = torch.zeros(1, 8, 8, dtype=torch.bool)
    region[0, 1:7, 1:7] = True
    result = blend_into(images, painted, region, "poisson")
    assert float(result.min()) == 0
    assert float(result.max()) == 1


@pytest.mark.parametrize("blend", BLENDS)
def test_an_image_does_not_see_its_batch(blend: Any) -> None:
    images, painted, regions = _rand(3, 2, 9, 8), _rand(3, 4, 2, 9, 8, seed=1), _regions(3, 9, 8)
    together = blend_into(images, painted, regions, blend)
    for i in range(3):
        alone = blend_into(images[i : i + 1], painted[i : i + 1], regions[i : i + 1], blend)
        assert torch.equal(alone[0], together[i])


@pytest.mark.parametrize(("first", "stop"), [(5, 11), (0, 6), (14, 20)], ids=["inside", "at the start", "at the end"])
def test_poisson_of_a_series_adds_a_straight_line(first: int, stop: int) -> None:
    """Between both ends a ramp through what the painted stretch misses there; at the series' end a constant."""
    series, painted = 3 * _rand(1, 2, 20) - 1, 5 * _rand(1, 3, 2, 20, seed=1) - 2
    regions = torch.zeros(1, 20, dtype=torch.bool)
    regions[0, first:stop] = True
    ends = [place for place in (first - 1, stop) if 0 <= place < 20]
    misses = [series[0, :, place] - painted[0, :, :, place] for place in ends]
    shares = (torch.arange(first, stop) - (first - 1)) / (stop - first + 1)
    ramp = misses[0][..., None] + shares * (misses[-1] - misses[0])[..., None]
    result = blend_into(series, painted, regions, "poisson")
    torch.testing.assert_close(result[0, :, :, first:stop], painted[0, :, :, first:stop] + ramp, rtol=0, atol=1e-5)
    assert torch.equal(result[0, :, :, ~regions[0]], series.expand(3, -1, -1)[:, :, ~regions[0]])
    assert float(result.max()) > 1.5  # not cut to [0, 1]
