"""Regions and rings against hand-made cases, scikit-image and slow literal twins."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from skimage.filters import threshold_otsu
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.inpainting.region import RegionRule, bounding_box_of_largest, is_flat, moved_elsewhere

METHODS = ["fraction", "threshold", "otsu"]


def _maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _grid(text: str) -> Tensor:
    """``#`` is True; one line a row."""
    return torch.tensor([[character == "#" for character in line] for line in text.split()])


def _mirrored(index: int, side: int) -> int:
    """The image mirrored at its border, edge pixels doubled: ... 1 0 | 0 1 2 ... n-1 | n-1 n-2 ..."""
    while not 0 <= index < side:
        index = -1 - index if index < 0 else 2 * side - 1 - index
    return index


def _slow_ring(region: Tensor, window: int) -> Tensor:
    """R = (1 - B) ⊙ boxconv_s(B), pixel by pixel."""
    height, width = region.shape
    ring = torch.zeros(height, width, dtype=torch.float64)
    half = window // 2
    for row, column in itertools.product(range(height), range(width)):
        if not region[row, column]:
            for i, j in itertools.product(range(-half, half + 1), repeat=2):
                ring[row, column] += float(region[_mirrored(row + i, height), _mirrored(column + j, width)])
    return ring / window**2


@pytest.mark.parametrize("shape", [(16, 16), (7, 9), (31,), (5, 6, 7)])
@pytest.mark.parametrize("fraction", [0.001, 0.03, 0.1, 0.37, 1.0])
def test_fraction_is_exactly_that_many_of_the_most_salient(fraction: float, shape: tuple[int, ...]) -> None:
    maps = _maps(3, *shape)
    regions = RegionRule(fraction=fraction).salient_region(maps)
    count = max(1, round(fraction * maps[0].numel()))
    for saliency_map, region in zip(maps, regions, strict=True):
        assert int(region.sum()) == count
        best = sorted(saliency_map.flatten().tolist())[-count:]
        assert sorted(saliency_map[region].tolist()) == best


def test_ties_of_fraction_go_in_reading_order() -> None:
    saliency_map = torch.zeros(1, 4, 5)
    saliency_map[0, 2:] = 1
    saliency_map[0, 3, 4] = 2
    region = RegionRule(fraction=0.2).salient_region(saliency_map)
    assert torch.equal(region[0], _grid("..... ..... ###.. ....#"))


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.9])
def test_threshold_is_a_share_of_the_range(threshold: float) -> None:
    maps = _maps(2, 9, 8)
    regions = RegionRule(method="threshold", threshold=threshold).salient_region(maps)
    for saliency_map, region in zip(maps, regions, strict=True):
        values = saliency_map.flatten().tolist()
        limit = min(values) + threshold * (max(values) - min(values))
        assert region.flatten().tolist() == [value > limit for value in values]


def test_threshold_by_hand() -> None:
    region = RegionRule(method="threshold", threshold=0.5).salient_region(torch.tensor([[-1.0, 0.0, 1.0, 1.5, 3.0]]))
    assert region.tolist() == [[False, False, False, True, True]]


def _slow_otsu(values: np.ndarray) -> float:
    """The centre of the histogram's bin up to which the two classes' means differ most (Otsu, 1979)."""
    counts, edges = np.histogram(values, 256)
    centres = (edges[:-1] + edges[1:]) / 2
    best, threshold = -1.0, 0.0
    for k in range(1, 256):
        below, above = counts[:k].sum(), counts[k:].sum()
        low, high = (counts[:k] * centres[:k]).sum() / below, (counts[k:] * centres[k:]).sum() / above
        between = float(below * above * (low - high) ** 2)
        if between > best:
            best, threshold = between, float(centres[k - 1])
    return threshold


def test_otsu_is_the_slow_one_and_scikit_images() -> None:
    maps = _maps(3, 24, 24) * 0.3
    maps[:2, 4:10, 5:12] += 2
    regions = RegionRule(method="otsu").salient_region(maps)
    for saliency_map, region in zip(maps.double().numpy(), regions.numpy(), strict=True):
        np.testing.assert_array_equal(region, saliency_map > _slow_otsu(saliency_map))
        np.testing.assert_array_equal(region, saliency_map > threshold_otsu(saliency_map))


def test_otsu_separates_two_populations() -> None:
    pixels = _grid("...... .##... .##..# ......")
    assert torch.equal(RegionRule(method="otsu").salient_region(pixels.float()[None])[0], pixels)


def test_otsu_of_a_map_with_two_neighbouring_floats() -> None:
    saliency_map = torch.ones(1, 6, 6)
    saliency_map[0, 2, 3] = torch.nextafter(torch.tensor(1.0), torch.tensor(2.0))
    region = RegionRule(method="otsu").salient_region(saliency_map)
    assert region[0].nonzero().tolist() == [[2, 3]]


def test_box_is_the_bounding_box_of_the_largest_component() -> None:
    # The diagonal neighbour at the top is no neighbour; the three pixels on the right are the smaller component.
    pixels = _grid("#........ .#......# .##.....# ..#.....# .........")
    expected = _grid("......... .##...... .##...... .##...... .........")
    assert torch.equal(torch.from_numpy(bounding_box_of_largest(pixels.numpy())), expected)
    rule = RegionRule(method="threshold", shape="box")
    assert torch.equal(rule.salient_region(pixels.float()[None])[0], expected)


def test_box_of_nothing_is_nothing() -> None:
    assert not bounding_box_of_largest(np.zeros((3, 4), dtype=bool)).any()


def test_dilation_grows_by_faces() -> None:
    pixels = _grid("....... ....... ...#... ....... #......")
    rule = RegionRule(method="threshold", dilation=1)
    once = _grid("....... ...#... ..###.. #..#... ##.....")
    assert torch.equal(rule.salient_region(pixels.float()[None])[0], once)
    rule = RegionRule(method="threshold", dilation=2)
    expected = torch.zeros_like(pixels)
    rows, columns = torch.meshgrid(torch.arange(5), torch.arange(7), indexing="ij")
    for row, column in pixels.nonzero().tolist():
        expected |= (rows - row).abs() + (columns - column).abs() <= 2
    assert torch.equal(rule.salient_region(pixels.float()[None])[0], expected)


def test_dilation_comes_after_the_box() -> None:
    pixels = _grid("..... .#... .##.. ..... .....")
    region = RegionRule(method="threshold", shape="box", dilation=1).salient_region(pixels.float()[None])[0]
    assert torch.equal(region, _grid(".##.. ####. ####. .##.. ....."))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", ["blob", "box"])
def test_a_map_that_says_nothing_has_an_empty_region(method: Any, shape: Any) -> None:
    maps = _maps(6, 5, 5)
    maps[0] = 0.3
    maps[1, 2, 2] = torch.nan
    maps[2, 0, 0] = torch.inf
    maps[3, 4, 4] = -torch.inf
    maps[4] = torch.nan
    assert is_flat(maps).tolist() == [True, True, True, True, True, False]
    regions = RegionRule(method=method, shape=shape, dilation=1).salient_region(maps)
    assert regions.flatten(1).any(1).tolist() == [False, False, False, False, False, True]


def test_fraction_does_not_see_the_maps_scale() -> None:
    maps = _maps(2, 12, 12).double()
    rule = RegionRule(fraction=0.2, shape="box", dilation=1)
    expected = rule.salient_region(maps)
    for rescaled in (3 * maps - 7, maps.exp(), maps**3, maps.sinh()):
        assert torch.equal(rule.salient_region(rescaled), expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("space", [(12,), (4, 5, 6)])
def test_series_and_volumes(method: Any, space: tuple[int, ...]) -> None:
    maps = torch.zeros(2, *space)
    maps[(0, *[1] * len(space))] = 1
    maps[(1, *[slice(2, 4)] * len(space))] = 1
    rule = RegionRule(method=method, fraction=1 / maps[0].numel(), ring=0.5)
    regions = rule.salient_region(maps)
    assert torch.equal(regions[0], maps[0] > 0)
    rings = rule.ring_weights(regions)
    assert rings.shape == maps.shape
    torch.testing.assert_close(rings.flatten(1).sum(1), torch.ones(2))
    assert (rings[regions] == 0).all()


def test_ring_of_a_series_by_hand() -> None:
    regions = torch.tensor([[False, False, True, False, False, False, False, False, False, True]])
    # A window of 3; the mirrored border doubles the last pixel, which lies inside.
    expected = torch.tensor([[0, 1, 0, 1, 0, 0, 0, 0, 2, 0]]) / 3
    expected[0, 8] = 1 / 3
    torch.testing.assert_close(RegionRule(ring=0.3).ring_weights(regions, normalised=False), expected)
    # The mirror seen from outside: the pixel before the first one is the first one.
    regions = torch.tensor([[False, True, False, False, False]])
    expected = torch.tensor([[2, 0, 1, 1, 0]]) / 5
    torch.testing.assert_close(RegionRule(ring=1.0).ring_weights(regions, normalised=False), expected)


@pytest.mark.parametrize(("side", "ring", "window"), [(15, 0.33, 5), (13, 0.23, 3), (14, 0.5, 7), (13, 1.0, 13)])
def test_ring_is_the_slow_one(side: int, ring: float, window: int) -> None:
    regions = torch.zeros(4, side, side, dtype=torch.bool)
    regions[0, 5:8, 6:9] = True
    regions[1, :3, 2:5] = True
    regions[2, -1, -1] = True
    regions[2, 4, 1] = True
    regions[3] = _maps(side, side) > 1.2
    rule = RegionRule(ring=ring)
    for region, plain, normalised in zip(
        regions, rule.ring_weights(regions, normalised=False), rule.ring_weights(regions), strict=True
    ):
        expected = _slow_ring(region, window)
        torch.testing.assert_close(plain.double(), expected, rtol=1e-6, atol=0)
        torch.testing.assert_close(normalised.double(), expected / expected.sum(), rtol=1e-6, atol=0)


def test_ring_lies_next_to_the_region() -> None:
    region = torch.zeros(1, 40, 40, dtype=torch.bool)
    region[0, 15:22, 12:20] = True
    ring = RegionRule(ring=0.225).ring_weights(region)[0]
    assert float(ring.sum()) == pytest.approx(1, abs=1e-6)
    assert (ring >= 0).all()
    assert (ring[region[0]] == 0).all()
    far = torch.ones(40, 40, dtype=torch.bool)
    far[15 - 4 : 22 + 4, 12 - 4 : 20 + 4] = False
    assert (ring[far] == 0).all()
    assert (ring[~far & ~region[0]] > 0).all()
    # Along a line away from the middle of an edge it falls from pixel to pixel.
    line = ring[22:27, 15]
    assert (line[:-1] > line[1:]).all()
    assert float(ring.max()) == float(ring[22, 15])


@pytest.mark.parametrize("side", [3, 6, 32])
def test_a_narrow_ring_is_still_one(side: int) -> None:
    region = torch.zeros(1, side, side, dtype=torch.bool)
    region[0, 1, 1] = True
    ring = RegionRule(ring=0.01).ring_weights(region)[0]
    expected = torch.zeros(side, side)
    expected[:3, :3] = 1 / 8
    expected[1, 1] = 0
    torch.testing.assert_close(ring, expected)


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_nothing_and_everything_have_no_ring(inside: bool, normalised: bool) -> None:
    rings = RegionRule().ring_weights(torch.full((2, 9, 8), inside), normalised)
    assert torch.equal(rings, torch.zeros(2, 9, 8))


@pytest.mark.parametrize("method", METHODS)
def test_a_map_does_not_see_its_batch(method: Any) -> None:
    maps = _maps(4, 10, 11)
    maps[2] = 0
    rule = RegionRule(method=method, shape="box", dilation=1)
    regions = rule.salient_region(maps)
    rings = rule.ring_weights(regions)
    for i in range(4):
        alone = rule.salient_region(maps[i : i + 1])
        assert torch.equal(alone[0], regions[i])
        assert torch.equal(rule.ring_weights(alone)[0], rings[i])


@pytest.mark.parametrize(
    "settings",
    [
        {"fraction": 0.0},
        {"fraction": 1.1},
        {"fraction": float("nan")},
        {"threshold": -0.1},
        {"threshold": 1.0},
        {"dilation": -1},
        {"ring": 0.0},
        {"ring": 1.5},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    ((name, value),) = settings.items()
    with pytest.raises(OverpaintError, match=rf"^RegionRule\.{name}={value} must "):
        RegionRule(**settings)


def test_a_share_of_the_box_counts_pixels_of_the_largest_components_box() -> None:
    values = torch.zeros(6, 8)
    values[_grid("........ .###.... .#...... .#...... ........ .......#")] = torch.tensor([9.0, 8, 7, 6, 5, 10])
    rule = RegionRule(fraction=6 / 48)
    assert torch.equal(rule.salient_region(values[None])[0], values > 0)
    # The box is 3 by 3; half of its 9 pixels are 4 (rounded half to even), wherever the most salient ones lie.
    assert torch.equal(rule.fraction_of_box(values[None], 0.5)[0], values > 6)
    assert torch.equal(rule.fraction_of_box(values[None], 0.01)[0], values == 10)
    sizes = [int(rule.fraction_of_box(values[None], share).sum()) for share in (0.2, 0.6, 0.9, 1.0)]
    assert sizes == [2, 5, 8, 9]


@pytest.mark.parametrize("shape", [(20,), (16, 24), (6, 8, 10)])
def test_shares_of_the_box_lie_in_one_another(shape: tuple[int, ...]) -> None:
    maps, rule = _maps(2, *shape), RegionRule(fraction=0.3)
    places = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij"))
    maps[0] = 0.01 * maps[0] - places.sub(4).square().sum(0)  # one hill
    maps[1] = 2.5
    regions = [rule.fraction_of_box(maps, share) for share in (0.1, 0.5, 0.8, 1.0)]
    for smaller, larger in itertools.pairwise(regions):
        assert not (smaller & ~larger).any()
        assert int(smaller[0].sum()) < int(larger[0].sum())
        assert not larger[1].any()
    box = bounding_box_of_largest(rule.salient_region(maps)[0].numpy())
    assert int(regions[-1][0].sum()) == box.sum()


def _slowly_moved(region: Tensor, values: Tensor) -> Tensor:
    """Tries every mirror image at every place."""
    best: tuple[Any, ...] = ()
    axes = range(region.ndim)
    for number in range(region.ndim + 1):
        for mirrored in itertools.combinations(axes, number):
            shape = region.flip(mirrored)
            pixels = shape.nonzero()
            for place in itertools.product(*map(range, region.shape)):
                inside = pixels + torch.tensor(place)
                # Not cut: after going round, the pixels' box is as large as before.
                sizes = torch.tensor(region.shape)
                wrapped = inside % sizes
                cut = bool(((wrapped.amax(0) - wrapped.amin(0)) != (pixels.amax(0) - pixels.amin(0))).any())
                cut |= bool(((inside // sizes).amin(0) != (inside // sizes).amax(0)).any())
                moved = shape.roll(place, tuple(axes))
                rank = (int((moved & region).sum()), cut, round(float(values[moved].sum()), 5), number)
                if not best or rank < best[0]:
                    best = (rank, moved)
    moved: Tensor = best[1]
    return moved


@pytest.mark.parametrize("shape", [(9,), (5, 7), (3, 4, 4)])
@pytest.mark.parametrize("seed", range(4))
def test_elsewhere_is_the_slow_one(shape: tuple[int, ...], seed: int) -> None:
    values = _maps(1, *shape, seed=seed).double()
    region = RegionRule(fraction=0.1 + 0.15 * seed).salient_region(values)
    assert torch.equal(moved_elsewhere(region, values)[0], _slowly_moved(region[0], values[0]))


def test_elsewhere_by_hand() -> None:
    region = _grid("#..... ##.... ...... ......")
    values = torch.zeros(4, 6)
    values[:, :4] = 1
    # Two columns on the right are free of saliency; unmirrored, first in reading order.
    assert torch.equal(moved_elsewhere(region[None], values[None])[0], _grid("....#. ....## ...... ......"))
    values[:3, 4:] = torch.tensor([[0.0, 0], [0, 2], [2, 0]])
    # Unmirrored it would have to stand on a 2 or left of the columns.
    found = moved_elsewhere(region[None], values[None])[0]
    assert torch.equal(found, _grid("....## ....#. ...... ......"))


def test_elsewhere_of_everything_and_of_nothing() -> None:
    regions = torch.stack([torch.ones(4, 5), torch.zeros(4, 5)]).bool()
    assert torch.equal(moved_elsewhere(regions, _maps(2, 4, 5)), regions)
    assert moved_elsewhere(regions[:0], _maps(0, 4, 5)).shape == (0, 4, 5)
    broken = _maps(1, 4, 5)
    broken[0, 0, 0] = float("nan")
    assert not moved_elsewhere(RegionRule().salient_region(broken), broken).any()


def test_elsewhere_is_cut_by_the_border_only_where_that_spares_overlap() -> None:
    region = _grid("#....# ...... ......")
    moved = moved_elsewhere(region[None], torch.zeros(1, 3, 6))[0]
    assert torch.equal(moved, _grid("...... #....# ......"))
    column = _grid("#....# #....# #....#")
    moved = moved_elsewhere(column[None], torch.zeros(1, 3, 6))[0]
    assert not (moved & column).any()
    assert int(moved.sum()) == 6
