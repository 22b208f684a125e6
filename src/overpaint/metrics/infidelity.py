"""Infidelity (Yeh, Hsieh, Suggala, Inouye & Ravikumar, NeurIPS 2019)."""

import math
from collections.abc import Sequence
from typing import Annotated

import captum.metrics
import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.bounds import FILLED, Bounds, Count, Seed
from overpaint.core.choices import BaselineWord
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import MetricResult
from overpaint.core.rng import image_rng
from overpaint.metrics.base import MethodMetric, MetricContext, MetricInputs
from overpaint.perturbation.baselines import baseline_image
from overpaint.perturbation.method import WindowMasks
from overpaint.perturbation.windows import Length, pixels


@checked_settings
class Infidelity(MethodMetric):
    """How wrongly a map predicts what the removal of a square does to the score.

    ``INFD = E[(β Iᵀ Φ - (f(x) - f(x with the square removed)))²]`` (definition 2.1), computed by captum. ``I`` is 1 on
    the square and 0 elsewhere: as in the authors' code for squares, ``Φ`` is taken for what a pixel's presence adds to
    the score, so that ``Iᵀ Φ`` is the map's sum over the square, and not the image's values times a slope. ``β``
    is the factor with which the map predicts best, ``E[Iᵀ Φ Δf] / E[(Iᵀ Φ)²]`` (authors' code): the maps of different
    methods have different units. In units of the squared score, at most ``E[Δf²]``, which is what a map of
    0 has; a flat map of another value counts as one. A signed ``β`` forgives a map of the opposite sign.

    The squares are the same for every method and every class of an image. They are drawn, where the authors
    took all squares of 1 to 10 pixels in images of 28.

    Args:
        samples: Squares for each image.
        squares: Their sides, one of them drawn each time: a share of the image's side (below 1) or pixels.
        baseline: What stands where a square was, see `Baseline`.
        seed: Seed of the squares.

    Raises:
        OverpaintError: If a setting is out of its range; at the update, if a square exceeds the image.
    """

    higher_is_better = False
    label = "infidelity (squared score)"
    bounds = (0.0, math.inf)

    def __init__(
        self,
        samples: Count = 100,
        squares: Annotated[Sequence[Annotated[Length, Bounds(above=0)]], FILLED] = (0.1, 0.2, 0.3),
        baseline: BaselineWord = "mean",
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.samples, self.squares, self.baseline, self.seed = samples, tuple(squares), baseline, seed

    def squares_of(self, image: Float[Tensor, "channel *space"]) -> WindowMasks:
        """Returns the squares that are removed from an image: each wholly inside, every place as likely."""
        size = tuple(image.shape[1:])
        sides = torch.tensor([pixels(side, size, "infidelity: squares") for side in self.squares])
        rng = image_rng(image, self.seed, "infidelity")
        chosen = sides[torch.randint(len(sides), (self.samples,), generator=rng)]
        places = torch.tensor(size) - chosen + 1
        starts = (torch.rand(self.samples, len(size), generator=rng, dtype=torch.float64) * places).long()
        return WindowMasks(size, starts.to(image.device), (starts + chosen).to(image.device))

    def measure(self, inputs: MetricInputs, context: MetricContext) -> list[MetricResult]:
        """See `MethodMetric.measure`: ``samples`` queries a row."""
        flat = inputs.flat.tolist()
        return [
            MetricResult(self._value(image, target, torch.zeros_like(own) if is_flat else own, context))
            for image, target, own, is_flat in zip(inputs.images, inputs.targets, inputs.maps, flat, strict=True)
        ]

    def _value(
        self,
        image: Float[Tensor, "channel *space"],
        target: Int[Tensor, ""],
        own: Float[Tensor, "*space"],
        context: MetricContext,
    ) -> float:
        squares, taken, classifier = self.squares_of(image), 0, context.classifier
        fill = baseline_image(self.baseline, classifier, image, self.seed)

        def remove(rows: Tensor) -> tuple[Tensor, Tensor]:
            nonlocal taken
            kept = squares.masks(slice(taken, taken + len(rows)))[:, None]
            taken += len(rows)
            return (1 - kept).expand_as(rows), torch.lerp(fill, image, kept)

        # Double: captum expands the square, and its terms nearly cancel for a good map. Each channel carries its share
        # of the pixel's value, since I is 1 in all of them.
        spread = (own.double() / len(image)).expand_as(image)
        found = captum.metrics.infidelity(
            lambda rows: classifier.scores(rows).double(),
            remove,
            image[None],
            spread[None],
            target=target.reshape(1),
            n_perturb_samples=self.samples,
            max_examples_per_batch=min(context.engine.batch_size, self.samples),
            normalize=True,
        )
        return float(found.clamp(min=0))
