"""Occlusion against captum, a pixel-by-pixel twin, its closed form, and planted evidence."""

from typing import Any

import pytest
import torch
from captum.attr import Occlusion as CaptumOcclusion
from conftest import SATURATED, blind, noise_images, planted, points_to_patch, weighing
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.inpainting.region import is_flat
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.windows import Windows, pixels
from overpaint.saliency.occlusion import Occlusion

TARGET = torch.tensor([[1]])


@pytest.mark.parametrize(
    ("window", "stride", "in_pixels"),
    [(8, 4, ((8, 8), (4, 4))), ([5, 9], [3, 4], ((5, 9), (3, 4))), (32, 1, ((32, 32), (1, 1))), (7, 7, ((7, 7),) * 2)],
)
def test_equals_captum_also_where_windows_do_not_fit(
    network: NetworkClassifier, window: Any, stride: Any, in_pixels: Any
) -> None:
    images, targets = noise_images(2, 32, 3), torch.tensor([[0, 2], [1, 3]])
    found = Occlusion(window=window, stride=stride)(network, images, targets)
    for row, target in enumerate(targets.flatten().tolist()):
        expected = CaptumOcclusion(network.scores).attribute(
            images[row // 2][None],
            sliding_window_shapes=(3, *in_pixels[0]),
            strides=(3, *in_pixels[1]),
            baselines=network.mean.expand(1, 3, 32, 32),
            target=target,
            perturbations_per_eval=16,
        )
        torch.testing.assert_close(found.maps[row], expected[0, 0], rtol=0, atol=1e-5)
    assert found.standard_errors is None


@pytest.mark.parametrize("overhang", [False, True])
def test_sums_over_windows_equal_those_over_their_masks(overhang: bool, dimensions: int) -> None:
    size, window, stride = ((7, 10)[-dimensions:], (3, 4)[-dimensions:], (2, 3)[-dimensions:])
    place = (2, 9)[-dimensions:]
    windows = Windows(size, window, stride, overhang)
    masks = windows.masks()
    hidden = 1 - masks.masks(slice(0, len(masks)))
    values = torch.rand(2, *windows.counts, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(windows.spread(values).float(), torch.einsum("tj,j...->t...", values.flatten(1), hidden))
    assert torch.equal(windows.covering().float(), hidden.sum(0))
    assert int(windows.covering().min()) >= 1
    regions = torch.zeros(1, *size, dtype=torch.bool)
    regions[(0, *place)] = True
    touching = hidden[(slice(None), *place)] > 0
    assert torch.equal(windows.touching(regions)[0].flatten(), touching)
    few = windows.masks(windows.touching(regions)[0])
    assert torch.equal(1 - few.masks(slice(0, len(few))), hidden[touching])


def test_overhanging_windows_cover_all_pixels_alike() -> None:
    assert Windows((32, 20), (8, 6), (2, 3), overhang=True).covering().unique().tolist() == [4 * 2]
    assert Windows((20,), (6,), (3,), overhang=True).covering().unique().tolist() == [2]


def test_shares_are_of_the_side() -> None:
    assert pixels(0.25, (32, 224), "window") == (8, 56)
    assert pixels((0.01, 3), (32, 224), "window") == (1, 3)


def test_a_linear_classifier_gives_the_mean_of_the_windows_weights(dimensions: int, white: Tensor) -> None:
    """For f = Σ w x on white over black a window's loss is its sum of w; with stride 1 a mean of box sums."""
    weights = torch.rand([32] * dimensions, generator=torch.Generator().manual_seed(0)) / 1000
    found = Occlusion(window=5, stride=1)(weighing(weights), white, TARGET)
    pool = {1: torch.nn.functional.avg_pool1d, 2: torch.nn.functional.avg_pool2d}[dimensions]
    losses = pool(weights[None], 5, 1) * 5**dimensions
    interior, inner, corner = pool(losses, 5, 1)[0], (slice(4, -4),) * dimensions, (0,) * dimensions
    torch.testing.assert_close(found.maps[0][inner], interior, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(found.maps[0][corner], losses[0][corner], rtol=1e-3, atol=1e-6)
    assert found.queries.tolist() == [28**dimensions + 1]


@pytest.mark.parametrize("shape", SATURATED)
def test_planted_evidence_is_found_also_where_the_score_is_saturated(
    shape: str, dimensions: int, white: Tensor
) -> None:
    found = Occlusion()(planted(SATURATED[shape], dimensions), white, TARGET)
    assert points_to_patch(found.maps[0])
    assert found.queries.tolist() == [13**dimensions + 1]


def test_the_other_class_has_the_opposite_map(dimensions: int, white: Tensor) -> None:
    found = Occlusion()(planted(lambda share: share, dimensions), white, torch.tensor([[1, 0]]))
    assert bool(found.maps.any())
    torch.testing.assert_close(found.maps[0], -found.maps[1])


def test_maps_are_the_same_to_the_bit_whatever_is_asked_beside_them(network: NetworkClassifier) -> None:
    images, targets = noise_images(3, 32, 3), torch.tensor([[0, 2], [1, 3], [2, 0]])
    together = Occlusion()(network, images, targets).maps
    assert torch.equal(
        Engine(network, batch_size=40).run_methods({"": Occlusion()}, images, targets)[""].maps, together
    )
    for i in range(3):
        assert torch.equal(Occlusion()(network, images[i : i + 1], targets[i : i + 1, 1:]).maps, together[[2 * i + 1]])


def test_a_classifier_that_sees_nothing_gets_a_map_of_zeros(dimensions: int, white: Tensor) -> None:
    found = Occlusion()(blind(dimensions), white, TARGET)
    assert not found.maps.any()
    assert is_flat(found.maps).tolist() == [True]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 0}, "window=0 must be above 0"),
        ({"window": 40}, r"window=40 must be a share .* that the image of \(32, 32\) has"),
        ({"stride": 2.5}, "stride=2.5 must be a share between 0 and 1 or a whole number of pixels"),
        ({"window": [3, 3, 3]}, "one for all axes or one for each"),
        ({"window": 4, "stride": 5}, r"a stride of \(5, 5\) pixels exceeds the window of \(4, 4\)"),
    ],
)
def test_settings_out_of_range_are_refused(settings: Any, message: str, white_images: Tensor) -> None:
    with pytest.raises(OverpaintError, match=message):
        Occlusion(**settings)(planted(lambda share: share), white_images, TARGET)
