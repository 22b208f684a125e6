"""The decisive region: planted evidence, a full scan as its slow twin, what is stated where there is none."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier
from scipy.stats import binomtest
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.intervals import share_with_interval
from overpaint.inpainting.decisive import BISECTIONS, GRID, find_regions
from overpaint.inpainting.region import RegionRule
from overpaint.inpainting.region_fills import CANDIDATES, FillSource
from overpaint.perturbation.engine import Engine

SIZES: dict[int, tuple[int, ...]] = {1: (160,), 2: (40, 40)}
"""Of series and images, by their dimensions."""

BOXES = {
    1: ((slice(24, 64),), (slice(88, 128),)),
    2: ((slice(4, 14), slice(6, 16)), (slice(24, 34), slice(22, 32))),
}
"""Two places in each."""

STEPS = GRID * 2**BISECTIONS
"""Shares of the image that the search can tell apart."""

RULE = RegionRule(method="decisive", fills=["patch"])


Box = tuple[slice, ...]


def _stored(values: Tensor) -> Tensor:
    """As a data set keeps them: series are numbers, images bytes."""
    return values if values.ndim == 3 else (255 * values).round().to(torch.uint8)


def _others(dimensions: int, count: int = 40) -> Tensor:
    """Inputs that are dark: no bright patch is in them."""
    rng = torch.Generator().manual_seed(1)
    return _stored(torch.rand(count, 1, *SIZES[dimensions], generator=rng) * 0.39)


def _bright(*boxes: Box) -> Tensor:
    image = torch.full((1, 1, *SIZES[len(boxes[0])]), 0.1)
    for box in boxes:
        image[:, :, *box] = 0.9
    return image


def _share(box: Box) -> float:
    """The share of the input that a box takes."""
    return float(_bright(box).gt(0.5).float().mean())


def _mean(inputs: Tensor) -> Tensor:
    return inputs.float().flatten(1).mean(1)


def _present(*boxes: Box) -> Callable[[Tensor], Tensor]:
    """Class 1's score: the greatest share of bright pixels in any of the boxes."""
    return lambda images: torch.stack([_mean(images[:, :, *box] > 0.5) for box in boxes]).amax(0)


def _map_of(*boxes: Box) -> Tensor:
    """Falls with the distance to the nearest box, and is larger inside."""
    axes = torch.meshgrid([torch.arange(side) for side in SIZES[len(boxes[0])]], indexing="ij")
    distances, inside = [], []
    for box in boxes:
        sides = list(zip(axes, box, strict=True))
        outside = [(b.start - at).clamp(min=0) + (at - b.stop + 1).clamp(min=0) for at, b in sides]
        distances.append(torch.stack(outside).sum(0))
        inside.append(torch.stack([(at - (b.start + b.stop) / 2).abs() for at, b in sides]).sum(0))
    return (-torch.stack(distances).amin(0).float() - 0.001 * torch.stack(inside).amin(0))[None]


def _find(score: Callable[[Tensor], Tensor], images: Tensor, maps: Tensor, rule: RegionRule = RULE, **more: Any) -> Any:
    dimensions = images.ndim - 2
    classifier = FunctionClassifier(score, dimensions=dimensions)
    source = FillSource(rule.fills, classifier, others=more.pop("others", _others(dimensions)))
    targets = torch.ones(len(images), dtype=torch.long)
    return find_regions(rule, Engine(classifier, **more), images, targets, maps, source)


def test_a_patch_that_decides_the_class(dimensions: int) -> None:
    """The class goes as soon as half of the patch is filled, as the classifier's rule has it."""
    box, _ = BOXES[dimensions]
    found = _find(_present(box), _bright(box), _map_of(box))
    share = float(found.regions.float().mean())
    assert found.decisive.tolist() == [True]
    assert abs(share - _share(box) / 2) <= 1 / STEPS
    assert bool(_bright(box)[:, 0][found.regions].gt(0.5).all())  # it lies inside the patch
    assert int(found.fills) == RULE.draws
    assert int(found.held_out_lost) == int(found.held_out) == CANDIDATES - RULE.draws


def test_of_two_patches_both_must_go(dimensions: int) -> None:
    boxes = BOXES[dimensions]
    found = _find(_present(*boxes), _bright(*boxes), _map_of(*boxes))
    region = found.regions[0]
    for box in boxes:
        assert float(region[box].float().mean()) >= 0.5
    halves = sum(map(_share, boxes)) / 2
    assert abs(float(region.float().mean()) - halves) <= 1 / STEPS + 4 / region.numel()  # ties by place


def test_a_class_of_the_whole_image(dimensions: int) -> None:
    """The mean brightness decides: the region is the share at which it falls below a half of the scale."""
    size = SIZES[dimensions]
    image, others = torch.full((1, 1, *size), 0.9), _stored(torch.full((20, 1, *size), 26 / 255))
    found = _find(_mean, image, torch.arange(image.numel()).reshape(1, *size).float(), others=others)
    fill = 26 / 255
    assert abs(float(found.regions.float().mean()) - 0.4 / (0.9 - fill)) <= 1 / STEPS


def test_a_class_of_colour_alone_is_left_by_any_region_that_is_large_enough(dimensions: int) -> None:
    image = torch.rand(1, 1, *SIZES[dimensions], generator=torch.Generator().manual_seed(0)) * 0.2 + 0.7
    maps = torch.rand(1, *SIZES[dimensions], generator=torch.Generator().manual_seed(3))
    found = _find(lambda images: _mean(images > 0.5), image, maps)
    assert abs(float(found.regions.float().mean()) - 0.5) <= 1 / STEPS


def test_a_classifier_that_never_changes_its_mind(dimensions: int) -> None:
    box, _ = BOXES[dimensions]
    rule = RegionRule(method="decisive", fills=["patch", "mean"], fraction=0.2)
    found = _find(lambda images: torch.full((len(images),), 0.75), _bright(box), _map_of(box), rule)
    assert found.decisive.tolist() == [False]
    assert (int(found.fills), int(found.left_out), int(found.held_out)) == (0, CANDIDATES + 1, 0)
    assert bool(found.acceptance.isnan().all())
    assert int(found.queries) == CANDIDATES + 2
    assert torch.equal(found.regions, RegionRule(fraction=0.2).salient_region(_map_of(box)))


def test_a_class_that_the_image_does_not_have(dimensions: int) -> None:
    box, other = BOXES[dimensions]
    found = _find(_present(box), _bright(other), _map_of(box))
    assert found.decisive.tolist() == [False]
    assert torch.equal(found.regions, RegionRule().salient_region(_map_of(box)))


def test_a_flat_map_has_no_region(dimensions: int) -> None:
    box, _ = BOXES[dimensions]
    found = _find(_present(box), _bright(box), torch.zeros(1, *SIZES[dimensions]))
    assert not bool(found.regions.any())
    assert int(found.queries) == 0


def _scan(score: Callable[[Tensor], Tensor], image: Tensor, saliency_map: Tensor, fills: Tensor, steps: int) -> int:
    """The first of all shares k / steps at which at most a fifth of the fills keep the class."""
    for k in range(1, steps + 1):
        region = torch.from_numpy(RULE.nested_region(saliency_map, k / steps))
        if float((score(torch.where(region, fills, image)) > 0.5).float().mean()) <= RULE.keep:
            return k
    raise AssertionError


@pytest.mark.parametrize("seed", range(4))
def test_bisection_is_a_full_scan_where_acceptance_falls(seed: int, dimensions: int) -> None:
    """Each fill loses the class at a share of its own: the share of those that keep it can only fall."""
    rng, size = torch.Generator().manual_seed(seed), SIZES[dimensions]
    thresholds = 0.2 + 0.6 * torch.rand(256, generator=rng)
    image = torch.full((1, 1, *size), 0.9)
    levels = torch.randperm(64, generator=rng)[:40] / 255
    others = _stored(levels.reshape(-1, 1, *[1] * dimensions).expand(-1, 1, *size).contiguous())

    def score(images: Tensor) -> Tensor:
        filled = _mean(images < 0.5)
        level = (255 * images.flatten(1).amin(1)).round().long()
        return (filled < thresholds[level.clamp(max=255)]).float()

    maps = torch.rand(1, *size, generator=rng)
    found = _find(score, image, maps, others=others)
    source = FillSource(["patch"], FunctionClassifier(score, dimensions=dimensions), others=others)
    fills = source.fills(image[0], RULE.seed)["patch"][: RULE.draws]
    expected = _scan(score, image[0], maps[0], fills, STEPS)
    assert int(found.regions.sum()) == round(expected / STEPS * image.numel())


def test_of_several_losses_the_first_one_on_the_grid_is_found(dimensions: int) -> None:
    """The class is lost between 22 and 33 % of the image, comes back, and goes for good at 70 %."""

    def score(images: Tensor) -> Tensor:
        filled = _mean(images < 0.5)
        return 1 - (((filled > 0.22) & (filled < 0.33)) | (filled > 0.7)).float()

    size = SIZES[dimensions]
    image = torch.full((1, 1, *size), 0.9)
    maps = torch.rand(1, *size, generator=torch.Generator().manual_seed(0))
    levels = torch.arange(20).reshape(-1, 1, *[1] * dimensions) / 255
    found = _find(score, image, maps, others=_stored(levels.expand(-1, 1, *size).contiguous()))
    assert 0.22 < float(found.regions.float().mean()) <= 0.22 + 1 / STEPS
    assert found.acceptance[0, 3:7].tolist() == [1, 0, 0, 1]


def test_a_row_does_not_see_the_others_nor_the_size_of_a_pass(dimensions: int) -> None:
    one, other = BOXES[dimensions]
    each = ([one], [one, other], [other])
    images, maps = torch.cat([_bright(*boxes) for boxes in each]), torch.cat([_map_of(*boxes) for boxes in each])
    together = _find(_present(one, other), images, maps)
    for i in range(3):
        for size in ("auto", 5):
            alone = _find(_present(one, other), images[i : i + 1], maps[i : i + 1], batch_size=size)
            for name, values in vars(alone).items():
                assert torch.equal(values[0], getattr(together, name)[i]), name


def test_the_image_is_no_patch_of_its_own_and_others_of_another_size_are_none(dimensions: int) -> None:
    classifier = FunctionClassifier(_present(BOXES[dimensions][0]), dimensions=dimensions)
    others = _others(dimensions)
    image = others[0] if dimensions == 1 else others[0].float() / 255
    fills = FillSource(["patch"], classifier, others=others).fills(image, 0)["patch"]
    assert len(fills) == CANDIDATES
    assert not bool((fills == image).flatten(1).all(1).any())
    assert FillSource(["patch"], classifier, others=others[..., :8]).fills(image, 0) == {}
    assert set(FillSource(["patch", "sample", "mean"], classifier).fills(image, 0)) == {"mean"}


@pytest.mark.parametrize("words", [{"keep": 1.0}, {"keep": -0.1}, {"draws": 0}, {"fills": []}, {"fills": ["mean"] * 2}])
def test_impossible_settings(words: dict[str, Any]) -> None:
    with pytest.raises(OverpaintError, match=rf"^RegionRule\.{next(iter(words))}=.* must "):
        RegionRule(method="decisive", **words)


def test_the_interval_of_a_share_is_wilsons() -> None:
    z = 1.959963984540054
    for count, total in ((0, 8), (3, 10), (40, 40)):
        share, low, high = share_with_interval(count, total)
        centre = (count + z * z / 2) / (total + z * z)
        half = z / (total + z * z) * np.sqrt(count * (total - count) / total + z * z / 4)
        assert share == count / total
        assert (low, high) == pytest.approx((max(0, centre - half), min(1, centre + half)), abs=1e-9)
        exact = binomtest(count, total).proportion_ci(0.95, "exact")
        assert abs(low - exact.low) < 0.1
    assert all(np.isnan(share_with_interval(0, 0)))
