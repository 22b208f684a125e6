"""Plausible fills of a region: what else might stand there, without a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.choices import FillKind
from overpaint.core.protocols import Classifier, Generator
from overpaint.core.resize import resize
from overpaint.core.rng import image_rng
from overpaint.core.types import Images, StoredInputs
from overpaint.core.value_range import from_stored, within_range
from overpaint.inpainting.painted import check_painted
from overpaint.perturbation.baselines import baseline_image

CANDIDATES = 32
"""So many patches and samples of each image are tried."""


@dataclass(frozen=True)
class FillSource:
    """Makes the fills of images.

    Attributes:
        kinds: What they are; kinds that there is nothing for are left out.
        classifier: Knows the mean colour.
        generator: Paints samples.
        others: The images or series that patches are taken from.
    """

    kinds: Sequence[FillKind]
    classifier: Classifier
    generator: Generator | None = None
    others: StoredInputs | None = None

    def fills(self, image: Float[Tensor, "channel *space"], seed: int) -> Mapping[FillKind, Images]:
        """Returns whole images of the size of ``image`` by kind, at most `CANDIDATES` of each.

        Args:
            image: The image; it is no patch of its own.
            seed: Seed of the draws, which depend on the image's content too.
        """
        makers = {"patch": self._patches, "sample": self._samples, "mean": self._mean}
        found = {kind: makers[kind](image, seed) for kind in self.kinds}
        return {kind: fills for kind, fills in found.items() if len(fills)}

    def _patches(self, image: Float[Tensor, "channel *space"], seed: int) -> Images:
        others = self.others
        if others is None or others.shape[1:] != image.shape:
            return image.new_zeros(0, *image.shape)
        order = torch.randperm(len(others), generator=image_rng(image, seed, "region", "patch"))
        drawn = from_stored(others[order[: CANDIDATES + 1]].to(image.device))
        return drawn[(drawn != image).flatten(1).any(1)][:CANDIDATES]

    @torch.no_grad()
    def _samples(self, image: Float[Tensor, "channel *space"], seed: int) -> Images:
        if self.generator is None:
            return image.new_zeros(0, *image.shape)
        latents = self.generator.sample_latents(CANDIDATES, image_rng(image, seed, "region", "sample"))
        painted = self.generator(latents.to(image.device))
        check_painted(painted)
        return within_range(resize(painted, tuple(image.shape[1:])), image.ndim - 1)

    def _mean(self, image: Float[Tensor, "channel *space"], seed: int) -> Images:
        return baseline_image("mean", self.classifier, image, seed)[None]
