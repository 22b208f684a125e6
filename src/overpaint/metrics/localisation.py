"""Localisation of annotated objects: pointing game, mass and overlap.

Every function gives a number for each row. Where nothing of the class is annotated it is NaN: not measured. A map
without contrast, or with a value that is not finite, points nowhere: a miss, 0. All but the energy depend on the order
of a map's values alone.
"""

from abc import abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from overpaint.core.bounds import NotNegative
from overpaint.core.instantiate import checked_settings
from overpaint.core.types import Maps, Regions
from overpaint.inpainting.region import is_flat
from overpaint.metrics.base import MapMetric, MetricInputs, RowValues


def _settled(values: Float[Tensor, " row"], missed: Bool[Tensor, " row"], objects: Regions) -> RowValues:
    """Returns the values, 0 where the map is a miss and NaN where nothing is annotated."""
    annotated = objects.flatten(1).any(1)
    return values.masked_fill(missed, 0.0).masked_fill(~annotated, torch.nan)


def _in_order(maps: Maps, objects: Regions) -> tuple[Float[Tensor, "row pixel"], Float[Tensor, "row pixel"]]:
    """Returns each map's values from the largest on, ties in reading order, and 1 where the object lies there."""
    values, order = maps.flatten(1).sort(dim=1, descending=True, stable=True)
    return values, objects.flatten(1).gather(1, order).double()


def pointing_game(maps: Maps, objects: Regions, tolerance: float) -> RowValues:
    """Returns 1 where the most salient pixel lies on an object or near it, else 0 (Zhang et al., ECCV 2016).

    Args:
        maps: Saliency maps; of several largest values the first in reading order counts.
        objects: True where an object of the class is annotated.
        tolerance: Greatest Euclidean distance to a pixel of the object; below 1: share of the image's shortest side,
            else pixels.
    """
    space = maps.shape[1:]
    reach = tolerance * min(space) if tolerance < 1 else tolerance
    lengths = [torch.arange(side, device=maps.device) for side in space]
    places = torch.stack(torch.meshgrid(*lengths, indexing="ij"), dim=-1).flatten(0, -2)
    peaks = places[maps.flatten(1).argmax(1)]
    squares = (places - peaks[:, None]).square().sum(-1)
    near = (squares <= reach**2) & objects.flatten(1)
    return _settled(near.any(1).double(), is_flat(maps), objects)


def energy_inside(maps: Maps, objects: Regions) -> RowValues:
    """Returns ``Σ_{λ in O} max(S(λ), 0) / Σ_λ max(S(λ), 0)``, the share of the positive mass inside the objects.

    The energy-based pointing game (Score-CAM, Wang et al., CVPRW 2020, section 4.3), with the annotated pixels in the
    place of the bounding box. It changes when a constant is added to the map. A map without positive values is a miss.
    """
    mass = maps.flatten(1).double().clamp(min=0)
    inside, total = (mass * objects.flatten(1)).sum(1), mass.sum(1)
    return _settled(inside / total, is_flat(maps) | (total == 0), objects)


def overlap(first: Regions, second: Regions) -> RowValues:
    """Returns ``|A and B| / |A or B|`` of each pair of regions; two empty ones have nothing in common: 0."""
    both, either = (first & second).flatten(1).sum(1), (first | second).flatten(1).sum(1)
    return both.double() / either.clamp(min=1)


def iou(regions: Regions, objects: Regions) -> RowValues:
    """Returns the `overlap` of each region and its objects; an empty region is a miss."""
    return _settled(overlap(regions, objects), ~regions.flatten(1).any(1), objects)


def best_iou(maps: Maps, objects: Regions) -> RowValues:
    """Returns ``max_t IoU({S >= t}, O)`` over all thresholds ``t``.

    Exact: the regions that a threshold can give are tried one and all, pixels of one value together. One of them is
    the whole image, so that no map with contrast has less than ``|O| / |image|``.
    """
    values, inside = _in_order(maps, objects)
    both, size = inside.cumsum(1), torch.arange(1, values.shape[1] + 1, device=maps.device)
    overlap = both / (size + both[:, -1:] - both)
    tied = torch.zeros_like(objects.flatten(1))
    tied[:, :-1] = values[:, :-1] == values[:, 1:]
    return _settled(overlap.masked_fill(tied, 0.0).amax(1), is_flat(maps), objects)


def equal_area_iou(maps: Maps, objects: Regions) -> RowValues:
    """Returns the IoU of the objects and as many of the most salient pixels, ties in reading order."""
    _, inside = _in_order(maps, objects)
    area = inside.sum(1)
    chosen = torch.arange(inside.shape[1], device=maps.device) < area[:, None]
    both = (inside * chosen).sum(1)
    return _settled(both / (2 * area - both), is_flat(maps), objects)


class _Localisation(MapMetric):
    """A metric of a map and the annotated objects; without annotations nothing is measured."""

    higher_is_better = True
    needs = "annotations="

    def measure(self, inputs: MetricInputs) -> RowValues:
        """See `MapMetric.measure`."""
        if inputs.ground_truth is None:
            return torch.full((len(inputs.maps),), torch.nan, device=inputs.maps.device)
        return self.compare(inputs, inputs.ground_truth)

    @abstractmethod
    def compare(self, inputs: MetricInputs, objects: Regions) -> RowValues:
        """Returns the metric of each row."""


@checked_settings
class PointingGame(_Localisation):
    """Whether the most salient pixel lies on an annotated object or near it, see `pointing_game`.

    Args:
        tolerance: Greatest distance that is a hit; below 1: share of the image's shortest side, else pixels. The
            default is the 15 of 224 pixels of RISE and TorchRay.

    Raises:
        OverpaintError: If it is negative.
    """

    label = "pointing game, hits"

    def __init__(self, tolerance: NotNegative = 0.067) -> None:
        super().__init__()
        self.tolerance = tolerance

    def compare(self, inputs: MetricInputs, objects: Regions) -> RowValues:
        """See `MapMetric.measure`."""
        return pointing_game(inputs.maps, objects, self.tolerance)


class EnergyInside(_Localisation):
    """Share of the positive part of a map that lies inside the annotated objects, see `energy_inside`."""

    label = "energy inside the object, share"

    def compare(self, inputs: MetricInputs, objects: Regions) -> RowValues:
        """See `MapMetric.measure`."""
        return energy_inside(inputs.maps, objects)


class Iou(_Localisation):
    """How far the salient region, by the run's region rule, and the annotated objects overlap, see `iou`."""

    label = "IoU of region and object"

    def compare(self, inputs: MetricInputs, objects: Regions) -> RowValues:
        """See `MapMetric.measure`."""
        return iou(inputs.regions, objects).masked_fill(inputs.flat & objects.flatten(1).any(1), 0.0)


class BestIou(_Localisation):
    """Overlap of a map and the annotated objects at the threshold that suits it best, see `best_iou`."""

    label = "IoU at the best threshold"

    def compare(self, inputs: MetricInputs, objects: Regions) -> RowValues:
        """See `MapMetric.measure`."""
        return best_iou(inputs.maps, objects)


class EqualAreaIou(_Localisation):
    """Overlap of the annotated objects and as many of the most salient pixels, see `equal_area_iou`."""

    label = "IoU at the object's area"

    def compare(self, inputs: MetricInputs, objects: Regions) -> RowValues:
        """See `MapMetric.measure`."""
        return equal_area_iou(inputs.maps, objects)
