"""The decisive region: the smallest of a map's nested regions that the classifier can't do without."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from overpaint.core.choices import FillKind
from overpaint.core.decision import Decision
from overpaint.core.results import RegionSearch
from overpaint.core.rows import concatenate_rows
from overpaint.core.types import Images, Maps, Regions, Targets
from overpaint.inpainting.region import RegionRule, is_flat
from overpaint.inpainting.region_fills import FillSource
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import TargetScores
from overpaint.perturbation.tasks import ImageBatch, QueryTask

GRID = 20
"""The shares of the image at which acceptance is measured are 1/20, 2/20, ... 1."""

BISECTIONS = 3
"""Halvings of the interval of the grid in which the class is lost: the share is found to 1/160."""


@dataclass(frozen=True)
class FilledImages(ImageBatch):
    """Images with regions that are filled from others: ``X ⊙ (1 - B_i) + F_j ⊙ B_i`` for pairs ``(i, j)``.

    Attributes:
        image: ``X``.
        regions: ``B``.
        fills: ``F``.
        pairs: Which region and which fill, a row for each image that is made.
    """

    image: Float[Tensor, "channel *space"]
    regions: Bool[Tensor, "region *space"]
    fills: Float[Tensor, "fill channel *space"]
    pairs: Int[Tensor, "query 2"]

    def __len__(self) -> int:
        return len(self.pairs)

    def images(self, rows: slice) -> Images:
        """See `overpaint.perturbation.tasks.ImageBatch`."""
        region, fill = self.pairs[rows].T
        return torch.where(self.regions[region][:, None], self.fills[fill], self.image)


def find_regions(
    rule: RegionRule,
    engine: Engine,
    images: Images,
    targets: Targets,
    maps: Maps,
    source: FillSource,
) -> RegionSearch:
    """Finds the region of each map that is repainted, and what becomes of the class when it is filled.

    With ``rule.method == "decisive"`` it is the smallest of the map's nested regions (the most salient share of the
    pixels, in the rule's shape) without which the class is gone: of the fills at most ``rule.keep`` keep it.

    1. Each fill is put over the whole image. One that keeps the class even there says nothing and is left out; of the
       others ``rule.draws`` of each kind decide, the rest are held out.
    2. The share of the fills that keep the class is measured at the shares 1/20, 2/20, ... 1: the acceptance curve.
    3. In the first interval at whose end the class is gone, three bisections narrow the share down to 1/160.

    Where acceptance falls monotonically, that is the result of a full scan in steps of 1/160. Where it does not, it is
    the first loss on the grid; a loss between two points of the grid at which the class is kept is not seen.

    Without a fill that takes the class away, or where the classifier does not give the image the class, no region is
    decisive; then, and with any other ``rule.method``, the region is that of `RegionRule.salient_region`. An empty
    region (of a flat map) is left empty.

    Args:
        rule: The rule.
        engine: Asks the classifier, the queries of all images together.
        images: The image of each map, ``X``.
        targets: The class of each.
        maps: The maps.
        source: Makes the fills.
    """
    classifier = engine.classifier
    every_class = torch.arange(len(classifier.class_names), device=images.device)
    flat = is_flat(maps).tolist()
    salient = rule.salient_region(maps)
    rows = [i for i in range(len(maps)) if not flat[i]]
    tasks = [
        QueryTask(
            images[i],
            every_class,
            images[i],
            _search(rule, classifier.decision, int(targets[i]), images[i], maps[i].cpu(), salient[i].cpu(), fills),
            most_queries(rule, sum(len(own) for own in fills.values())),
        )
        for i, fills in ((i, source.fills(images[i], rule.seed)) for i in rows)
    ]
    found = dict(zip(rows, engine.run(tasks), strict=True))
    empty = unsearched(torch.zeros_like(salient[:1]))
    return concatenate_rows([found.get(i, empty) for i in range(len(maps))], images.device)


def unsearched(region: Regions) -> RegionSearch:
    """Returns a single region of which nothing was found out."""
    return _row(region[0].cpu().numpy(), np.full(GRID, np.nan))


def most_queries(rule: RegionRule, fills: int) -> int:
    """Returns how many queries the search of one image needs at most, where it has so many fills."""
    return 1 + 2 * fills + fills * (GRID + BISECTIONS if rule.method == "decisive" else 0)


def _search(
    rule: RegionRule,
    decision: Decision,
    target: int,
    image: Float[Tensor, "channel *space"],
    saliency_map: Float[Tensor, "*space"],
    salient: Bool[Tensor, "*space"],
    fills: Mapping[FillKind, Images],
) -> Generator[FilledImages, TargetScores, RegionSearch]:
    """Searches the region of one image; a coroutine of the engine."""
    pool = torch.cat([image[None], *fills.values()])  # the image itself in the place of the first fill
    queries = 0

    def filled(regions: NDArray[np.bool_], chosen: NDArray[np.int64]) -> FilledImages:
        nonlocal queries
        pairs = torch.cartesian_prod(torch.arange(len(regions)), torch.from_numpy(chosen)).reshape(-1, 2)
        queries += len(pairs)
        return FilledImages(image, torch.from_numpy(regions).to(image.device), pool, pairs.to(image.device))

    def kept(scores: TargetScores) -> NDArray[np.bool_]:
        return decision.keeps(scores, target).cpu().numpy()

    everywhere = np.ones((1, *image.shape[1:]), dtype=bool)
    whole = kept((yield filled(everywhere, np.arange(len(pool)))))
    used, held_out = _divided(whole, fills, rule.draws)
    region, acceptance, decisive = salient.numpy(), np.full(GRID, np.nan), False
    if rule.method == "decisive" and len(used) and whole[0]:
        nested = np.stack([rule.nested_region(saliency_map, (k + 1) / GRID) for k in range(GRID)])
        acceptance = kept((yield filled(nested, used))).reshape(GRID, -1).mean(1)
        first = int(np.flatnonzero(acceptance <= rule.keep)[0])  # the whole image, at the latest
        low, high, decisive, region = first / GRID, (first + 1) / GRID, True, nested[first]
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            smaller = rule.nested_region(saliency_map, middle)
            if kept((yield filled(smaller[None], used))).mean() <= rule.keep:
                high, region = middle, smaller
            else:
                low = middle
    lost = 0
    if len(held_out) and region.any() and whole[0]:
        lost = int((~kept((yield filled(region[None], held_out)))).sum())
    return _row(
        region,
        acceptance,
        decisive,
        fills=len(used),
        left_out=len(pool) - 1 - len(used) - len(held_out),
        held_out=len(held_out) if whole[0] else 0,
        held_out_lost=lost,
        queries=queries,
    )


def _row(
    region: NDArray[np.bool_],
    acceptance: NDArray[np.float64],
    decisive: bool = False,
    fills: int = 0,
    left_out: int = 0,
    held_out: int = 0,
    held_out_lost: int = 0,
    queries: int = 0,
) -> RegionSearch:
    """Returns what was found out about one map, as a single row."""
    return RegionSearch(
        regions=torch.from_numpy(region)[None],
        decisive=torch.tensor([decisive]),
        acceptance=torch.from_numpy(acceptance)[None].float(),
        fills=torch.tensor([fills]),
        left_out=torch.tensor([left_out]),
        held_out=torch.tensor([held_out]),
        held_out_lost=torch.tensor([held_out_lost]),
        queries=torch.tensor([queries]),
    )


def _divided(
    kept: NDArray[np.bool_], fills: Mapping[FillKind, Images], draws: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divides the fills that take the class away from the whole image into those that decide and those held out."""
    used: list[int] = []
    held_out: list[int] = []
    start = 1
    for own in fills.values():
        places = start + np.flatnonzero(~kept[start : start + len(own)])
        used += places[:draws].tolist()
        held_out += places[draws:].tolist()
        start += len(own)
    return np.array(used, dtype=np.int64), np.array(held_out, dtype=np.int64)
