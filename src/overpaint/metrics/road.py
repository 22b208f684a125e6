"""ROAD: remove and debias (Rong, Leemann, Borisov, Kasneci & Kasneci, ICML 2022)."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import product
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from scipy import sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from overpaint.core.bounds import FILLED, Bounds, NotNegative, Seed
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import MetricResult
from overpaint.core.rng import image_rng
from overpaint.core.types import Images
from overpaint.core.value_range import within_range
from overpaint.inpainting.region import is_flat
from overpaint.metrics.base import MetricInputs, QueryMetric
from overpaint.metrics.charts import ScoreCurve
from overpaint.metrics.rank_masks import Ranks, saliency_ranks
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import TargetScores
from overpaint.perturbation.tasks import ImageBatch, QueryTask

Image = Float[Tensor, "channel *space"]


@lru_cache(maxsize=1)  # the same for all images of a run
def neighbour_weights(size: tuple[int, ...]) -> sparse.csr_array:
    """Returns the weight of each pixel (column) for each other (row), 0 but for those that touch at least at a corner.

    A neighbour's weight is proportional to 1 over its squared distance: 1/6 for the four neighbours along the axes and
    1/12 for the four diagonal ones in an image as published, 1/2 for both neighbours in a series. They are not scaled
    to a sum of 1, which differs at the border.
    """
    itself = [sparse.eye_array(n) for n in size]
    beside = [sparse.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(n, n)) for n in size]
    parts = [
        reduce(sparse.kron, [beside[axis] if step else itself[axis] for axis, step in enumerate(steps)]) / sum(steps)
        for steps in product((False, True), repeat=len(size))
        if any(steps)
    ]
    return sparse.csr_array(sum(parts))


def imputed(image: Image, missing: Bool[Tensor, "*space"]) -> Float[Tensor, "channel pixel"]:
    """Returns the missing pixels, in reading order, such that each is the weighted mean of its neighbours.

    Solves ``Σ_j w_ij (x_i - x_j) = 0`` for all missing pixels ``i`` at once, ``j`` running over all neighbours inside
    the image, missing or not, in float64.

    Args:
        image: The image; what its missing pixels hold is not looked at.
        missing: Which pixels are missing: some, not all of them.
    """
    hidden = missing.flatten().cpu().numpy()
    known = image.flatten(1)[:, ~missing.flatten()].double().cpu().numpy()
    rows = neighbour_weights(tuple(missing.shape))[hidden]
    system = sparse.diags_array(rows.sum(1)) - rows[:, hidden]
    # Symmetric and diagonally dominant: no pivoting, and an order that keeps the factors sparse.
    solver = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0, options={"SymmetricMode": True})
    return torch.from_numpy(solver.solve(rows[:, ~hidden] @ known.T).T)


@dataclass(frozen=True)
class Imputations(ImageBatch):
    """An image with pixels removed and imputed: for each count the most salient ones, then the least salient ones.

    Attributes:
        image: The image.
        ranks: The pixels' ranks.
        counts: How many pixels are removed; fewer than there are.
        noise: Standard deviation of what is added to imputed pixels: one draw for an image, the same for all maps.
        seed: Its seed.
    """

    image: Image
    ranks: Ranks
    counts: Sequence[int]
    noise: float
    seed: int

    def __len__(self) -> int:
        return 2 * len(self.counts)

    def images(self, rows: slice) -> Images:
        """See `ImageBatch.images`."""
        rng = image_rng(self.image, self.seed, "road")
        noise = self.noise * torch.randn(self.image.shape, generator=rng).to(self.image)
        pictures = self.image.repeat(rows.stop - rows.start, *[1] * self.image.ndim)
        for picture, row in zip(pictures, range(rows.start, rows.stop), strict=True):
            if count := self.counts[row // 2]:
                missing = self.ranks >= self.ranks.numel() - count if row % 2 else self.ranks < count
                filled = imputed(self.image, missing).to(picture) + noise[:, missing]
                picture[:, missing] = within_range(filled, missing.ndim)
        return pictures


def half_differences(pictures: Imputations, flat: bool) -> Generator[Imputations, TargetScores, MetricResult]:
    """Asks for the scores, unless the map is flat, and takes half the difference for each count, and their mean."""
    places = torch.tensor(pictures.counts, device=pictures.image.device) / pictures.ranks.numel()
    if flat:
        return MetricResult(0.0, torch.zeros_like(places), places)
    most, least = (yield pictures)[:, 0].unflatten(0, (-1, 2)).unbind(1)
    curve = (least - most) / 2
    return MetricResult(float(curve.double().mean()), curve, places)


Percent = Annotated[int | float, Bounds(above=0, below=100)]
"""A share of the pixels in percent, not nothing and not all."""


@checked_settings
class Road(QueryMetric):
    """How much more of the score is left without the least salient pixels than without the most salient ones.

    For each share ``q`` of the pixels, the most salient (MoRF) or the least salient (LeRF) are removed: they are
    imputed from what is left, see `imputed`, so that the shape of the hole tells the classifier little, with Gaussian
    noise on top. With the score ``f_c`` of the explained class,

        ``value = mean over q of (f_c(LeRF_q) - f_c(MoRF_q)) / 2``,

    the combined score of the field's common code (jacobgil/pytorch-grad-cam), in which a percentile ``p`` removes
    ``100 - p`` per cent; its parts are the imputation and the two orders of Rong et al. (2022), who report accuracies.
    Larger is better; a random map is at 0 on average, and a flat map, which has no order, at 0 by definition: nothing
    is asked for it.

    Deviations: imputed values of images are cut to ``[0, 1]``; pixels of equal saliency count in reading order; the
    noise is the same for all shares and maps of an image, and is added in the images' range, not in the classifier's.

    Args:
        percentiles: The shares ``q`` in per cent, above 0 and below 100; the number of pixels is rounded down.
        noise: Standard deviation of the noise.
        seed: Seed of the noise.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    higher_is_better = True
    label = "ROAD (half the difference of scores)"
    chart = ScoreCurve("share of the pixels removed", value="mean of the curve")
    bounds = (-0.5, 0.5)

    def __init__(
        self,
        percentiles: Annotated[Sequence[Percent], FILLED] = (10, 20, 30, 40, 50, 60, 70, 80, 90),
        noise: NotNegative = 0.01,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.percentiles, self.noise, self.seed = tuple(sorted(percentiles)), noise, seed

    def query_task(self, inputs: MetricInputs, row: int, engine: Engine) -> QueryTask[MetricResult]:
        """See `QueryMetric.query_task`."""
        image, saliency_map = inputs.images[row], inputs.maps[row]
        counts = [int(q * saliency_map.numel() / 100) for q in self.percentiles]
        pictures = Imputations(image, saliency_ranks(saliency_map).to(image.device), counts, self.noise, self.seed)
        flat = bool(is_flat(saliency_map[None]))
        coroutine, queries = half_differences(pictures, flat), 0 if flat else len(pictures)
        return QueryTask(image, inputs.targets[row : row + 1], image, coroutine, queries)
