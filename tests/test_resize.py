"""Resizing of series and images, and sizes in settings."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.resize import resize
from overpaint.core.sizes import as_size, format_size, plain_size


def _literal(series: list[float], length: int) -> list[float]:
    """The definition: a triangle of half width ``max(1, scale)`` around each new pixel's middle, weights of sum 1."""
    scale = len(series) / length
    reach = max(1.0, scale)
    result = []
    for place in range(length):
        middle = (place + 0.5) * scale
        weights = [max(0.0, 1 - abs(i + 0.5 - middle) / reach) for i in range(len(series))]
        result.append(sum(w * v for w, v in zip(weights, series, strict=True)) / sum(weights))
    return result


@pytest.mark.parametrize(("before", "after"), [(50, 20), (20, 50), (7, 8), (8, 7), (9, 1), (1, 5), (30, 10)])
def test_series_against_the_definition(before: int, after: int) -> None:
    series = torch.rand(2, 3, before, generator=torch.Generator().manual_seed(0)).double()
    found = resize(series, (after,))
    expected = [[_literal(channel.tolist(), after) for channel in one] for one in series]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=1e-12, rtol=0)


@pytest.mark.parametrize(("before", "after"), [((32, 32), (20, 48)), ((96, 160), (32, 32)), ((5, 11), (8, 8))])
def test_images_are_those_of_torch(before: tuple[int, int], after: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *before, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resize(images, after), F.interpolate(images, after, mode="bilinear", antialias=True))


@pytest.mark.parametrize(("before", "after"), [((40,), (13,)), ((13,), (40,)), ((12, 30), (7, 50))])
def test_a_constant_stays(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    found = resize(torch.full((1, 2, *before), 0.3), after)
    torch.testing.assert_close(found, torch.full((1, 2, *after), 0.3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(7,), (7, 9), (3, 4, 5)])
def test_what_has_the_size_comes_back_itself(size: tuple[int, ...]) -> None:
    values = torch.rand(2, 1, *size)
    assert resize(values, size) is values
    assert resize(values, list(size)) is values


def test_gradients_come_to_the_values() -> None:
    values = torch.rand(1, 1, 12, requires_grad=True)
    (gradient,) = torch.autograd.grad(resize(values, (4,)).sum(), values)
    assert float(gradient.sum()) == pytest.approx(4)
    assert bool((gradient > 0).all())


@pytest.mark.parametrize(
    ("values", "size", "message"),
    [
        (torch.rand(1, 1, 4, 4, 4), (2, 2, 2), "inputs of size 4x4x4 can't be resized to 2x2x2: series"),
        (torch.rand(1, 1, 8, 8), (4,), "inputs of size 8x8 can't be resized to 4: series"),
        (torch.rand(1, 1, 8), (4, 4), "inputs of size 8 can't be resized to 4x4: series"),
    ],
)
def test_other_dimensions_are_refused(values: Tensor, size: tuple[int, ...], message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        resize(values, size)


def test_sizes_of_settings() -> None:
    assert as_size(32) == (32, 32)
    assert as_size(32, 1) == (32,)
    assert as_size([96, 160]) == (96, 160)
    assert as_size(torch.zeros(96, 160).shape) == (96, 160)
    assert as_size(32, None) == (32, 32)
    assert as_size([100], None) == (100,)
    for size in ((32, 32), (96, 160), (100,)):
        assert as_size(plain_size(size), len(size)) == size
    assert plain_size((32, 32)) == 32
    assert plain_size((96, 160)) == [96, 160]
    assert plain_size((100,)) == [100]
    assert format_size((96, 160)) == "96x160"
    assert format_size((None, 160)) == "anyx160"
    assert math.prod(as_size([3, 4, 5], None)) == 60


@pytest.mark.parametrize(
    ("given", "dimensions", "message"),
    [
        ([1, 2, 3], 2, r"^image_size=\[1, 2, 3\] must be one number, or 2 of them$"),
        ([64], 2, r"^image_size=\[64\] must be one number, or 2 of them$"),
        ([], None, r"^image_size=\[\] must be one number, or 2 of them$"),
        (0, 2, r"^image_size=0 must be at least 1$"),
        ([96, -1], 2, r"^image_size=\[96, -1\] must be at least 1$"),
    ],
)
def test_impossible_sizes_are_refused(given: int | list[int], dimensions: int | None, message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        as_size(given, dimensions)
    with pytest.raises(OverpaintError, match=r"^data\.image_size="):
        as_size(given, dimensions, "data.image_size")
