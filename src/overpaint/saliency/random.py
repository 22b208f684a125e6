"""A control: a map of noise, which knows nothing of the classifier."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.bounds import Seed, Several
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.rng import image_rng
from overpaint.core.types import Images, TargetSets
from overpaint.perturbation.masks import MaskGeometry


@checked_settings
@dataclass(frozen=True)
class Random(SaliencyMethod):
    """An independent uniform value in [0, 1) for each pixel, the control of the literature, or for each cell of a grid.

    Single pixels of noise are a weak control for metrics that favour maps in one piece. With ``cells`` the noise is as
    smooth as the masks of RISE: a grid of uniform values, upsampled linearly and shifted at random.

    Attributes:
        cells: Cells of the grid along each axis, at least 2; None: each pixel by itself.
        seed: Seed of the noise, which belongs to the image.

    Raises:
        OverpaintError: If a setting is out of its range; at the call, if there are more cells than pixels.
    """

    is_control: ClassVar[bool] = True
    cells: Several | None = None
    seed: Seed = 0

    @property
    def is_stochastic(self) -> bool:
        """The map is drawn at random."""
        return True

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors and without queries, the same for all targets of an image."""
        maps = torch.stack([self._map(image) for image in images]).to(images)
        return SaliencyMaps(maps.repeat_interleave(targets.shape[1], 0), None, torch.zeros_like(targets.flatten()))

    def _map(self, image: Float[Tensor, "channel *space"]) -> Float[Tensor, "*space"]:
        size, rng = tuple(image.shape[1:]), image_rng(image, self.seed, "random")
        if self.cells is None:
            return torch.rand(size, generator=rng)
        geometry = MaskGeometry((self.cells,) * len(size), size)
        return geometry.masks(torch.rand(1, *geometry.cells, generator=rng), geometry.draw_shifts(1, rng))[0]
