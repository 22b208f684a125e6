"""Maps of an earlier explanation and given regions, checked and turned into cached rows."""

import torch
from jaxtyping import Bool
from torch import Tensor

from overpaint.api.explanation import Explanation
from overpaint.core.errors import OverpaintError
from overpaint.core.results import RegionSearch, SaliencyMaps
from overpaint.core.types import Images, TargetSets
from overpaint.inpainting.decisive import unsearched
from overpaint.pipeline.cached_row import CachedRow
from overpaint.pipeline.maps import rows_of_maps
from overpaint.pipeline.runner import Runner


def known_rows(
    runner: Runner,
    images: Images,
    targets: TargetSets,
    earlier: Explanation | None,
    regions: Bool[Tensor, "row *given"] | None,
) -> list[CachedRow]:
    """Returns what need not be computed of each row.

    Args:
        runner: What explains the images.
        images: The images.
        targets: The classes to explain of each.
        earlier: An explanation, whose maps are taken if it is of the same classifier, images and targets, from those
            methods that have the same names and settings.
        regions: The region of each row.

    Raises:
        OverpaintError: If there are not as many regions as rows, or of another size.
    """
    rows, space = targets.numel(), tuple(images.shape[2:])
    searches: list[RegionSearch | None] = [None] * rows
    if regions is not None:
        if regions.shape != (rows, *space):
            raise OverpaintError(
                f"regions has shape {tuple(regions.shape)}; it takes a region for each image and target: "
                f"{(rows, *space)}"
            )
        searches = [unsearched(region[None]) for region in regions]
    maps = {} if earlier is None else _maps_of(earlier, runner, images, targets)
    return [
        CachedRow(
            maps={(name, 0): rows_of_maps(own, slice(row, row + 1)) for name, own in maps.items()},
            region=searches[row],
        )
        for row in range(rows)
    ]


def _maps_of(earlier: Explanation, runner: Runner, images: Images, targets: TargetSets) -> dict[str, SaliencyMaps]:
    """Returns those maps of an earlier explanation that a runner would make again."""
    before = earlier.rows.explanation
    repeated = images.repeat_interleave(targets.shape[1], dim=0)
    if (
        earlier.runner.classifier is not runner.classifier
        or earlier.runner.channels != runner.channels
        or not torch.equal(before.images, repeated)
        or not torch.equal(before.targets, targets.flatten())
    ):
        return {}
    methods = earlier.runner.methods
    return {name: before.saliency[name] for name, method in runner.methods.items() if methods.get(name) == method}
