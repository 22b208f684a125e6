"""Integrated gradients (Sundararajan, Taly & Yan, ICML 2017)."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import captum.attr
import torch
from torch import Tensor

from overpaint.attribution.batches import even_batch_size, rows_of, with_halving
from overpaint.attribution.sign_reduction import Sign, reduce_sign
from overpaint.attribution.state import preserve_state
from overpaint.core.bounds import Count, Seed
from overpaint.core.errors import OverpaintWarning
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, TargetSets
from overpaint.perturbation.baselines import Baseline, baseline_image

LARGE = 0.05
"""A convergence delta beyond this share of the logits' difference is warned about (the paper's section 5)."""


@checked_settings
@dataclass(frozen=True)
class IntegratedGradients(SaliencyMethod):
    """The gradients on the way from a baseline to the image, summed up (equation 1).

    ``S = Σ_c (x_c - b_c) ∫₀¹ ∂F(b + α (x - b)) / ∂x_c dα`` with ``F`` the logit and ``b`` the baseline.
    The integral is captum's Gauss-Legendre quadrature. Completeness: the sum of a signed map over its pixels is
    ``F(x) - F(b)``, but for the quadrature's error. That is reported as the measure ``convergence_delta``,
    ``Σ S - (F(x) - F(b))``, and warned about where it is more than 5 % of the difference.

    Attributes:
        steps: Points of the quadrature.
        baseline: What ``b`` is, see `overpaint.perturbation.baselines.Baseline`.
        sign: ``signed``, as published; ``positive``; ``absolute`` (each of the sum over the channels).
        batch_size: Points in one pass at most.
        seed: Seed of a baseline of noise.

    Raises:
        OverpaintError: If ``steps`` is not positive; at the call, if the classifier has no gradients, or under
            inference mode.
    """

    requires = "gradients"

    steps: Count = 50
    baseline: Baseline = "mean"
    sign: Sign = "signed"
    batch_size: Count = 25
    seed: Seed = 0

    @property
    def is_stochastic(self) -> bool:
        """Whether the baseline is noise."""
        return isinstance(self.baseline, str) and self.baseline == "noise"

    def numbers_kept(self, channels: int, size: Sequence[int]) -> int:
        """See `SaliencyMethod`: the images on the way and their gradients."""
        return 2 * self.steps * channels * math.prod(size)

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors (nothing is random).

        A row costs ``steps`` forward and backward passes, and two forward passes for its convergence delta.
        """
        with preserve_state(classifier, "integrated_gradients"):
            pairs = [self._attribute(classifier, x, t) for x, t in zip(*rows_of(images, targets), strict=True)]
        sums, deltas = (torch.stack(values) for values in zip(*pairs, strict=True))
        differences = sums.flatten(1).sum(1) - deltas
        if bool((deltas.abs() > LARGE * differences.abs()).any()):
            warnings.warn(
                f"integrated_gradients: some maps miss the logit's difference from the baseline by more than "
                f"{LARGE:.0%}; raise steps={self.steps} (each image's convergence_delta is in the results)",
                OverpaintWarning,
                stacklevel=2,
            )
        queries = torch.full_like(targets.flatten(), self.steps + 2)
        return SaliencyMaps(reduce_sign(sums, self.sign), None, queries, {"convergence_delta": deltas})

    def _attribute(self, classifier: Classifier, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the channels' sum and the convergence delta of one image; a row by itself, whatever its batch."""
        images = image[None]
        method = captum.attr.IntegratedGradients(classifier.logits)
        baseline = baseline_image(self.baseline, classifier, image, self.seed)[None]

        def attempt(batch_size: int) -> tuple[Tensor, Tensor]:
            attributions, delta = method.attribute(
                images.detach().clone().requires_grad_(),
                baseline,
                int(target),
                n_steps=self.steps,
                internal_batch_size=even_batch_size(self.steps, batch_size),
                return_convergence_delta=True,
            )
            return attributions.detach()[0].sum(0), delta.detach()[0].float()

        return with_halving(self.batch_size, attempt)
