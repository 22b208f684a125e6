"""Occlusion: a window slides over the image, and the loss of score is written where it was (Zeiler & Fergus, 2014)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.bounds import FILLED, Bounds, Seed
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier
from overpaint.core.results import SaliencyMaps
from overpaint.core.types import Images, TargetSets
from overpaint.perturbation.baselines import Baseline
from overpaint.perturbation.engine import run_method
from overpaint.perturbation.method import ImageMaps, PerturbationMethod, SamplingCoroutine
from overpaint.perturbation.windows import Length, Windows, pixels, with_whole_image

Side = Annotated[Length, Bounds(above=0)]
"""A side of a window: a share of the image's, or pixels."""


@checked_settings
@dataclass(frozen=True)
class Occlusion(PerturbationMethod):
    """The mean loss of score over the windows that hide a pixel.

    ``S(λ) = 1/n(λ) Σ_{j ∋ λ} (f_c(x) - f_c(x with window j hidden))`` with ``n(λ)`` the number of windows over ``λ``:
    Zeiler & Fergus (*Visualizing and understanding convolutional networks*, ECCV 2014, section 4.2) in the form of
    captum's `Occlusion`, which it equals. The first window lies at the origin, the last ones are cut at the border.
    In units of the score: at most 1, negative where hiding the place helps.

    Two limits are those of the definition. Evidence whose visible rest is enough for the classifier shows only if a
    window hides nearly all of it; where the map is flat, a larger window may see it. And the pixels next to the
    border lie under fewer windows than others, so that a single window decides there.

    Attributes:
        window: Side of the window: a share of the image's side (below 1) or pixels; one for all axes or one for each.
        stride: From one window to the next, likewise. The default of a quarter and a sixteenth is 170 queries for a
            square image whose side is a multiple of 16.
        baseline: What stands where the image is hidden.
        seed: Seed of a baseline of noise; nothing else is random.

    Raises:
        OverpaintError: If a length is not positive; at the call, if one exceeds the image or the stride the window.
    """

    window: Side | Annotated[Sequence[Side], FILLED] = 0.25
    stride: Side | Annotated[Sequence[Side], FILLED] = 0.0625
    baseline: Baseline = "mean"
    seed: Seed = 0

    def _windows(self, size: tuple[int, ...]) -> Windows:
        window = pixels(self.window, size, "occlusion: window")
        return Windows(size, window, pixels(self.stride, size, "occlusion: stride"))

    def max_queries(self, size: tuple[int, ...], targets: int) -> int:
        """See `PerturbationMethod.max_queries`: all targets share the queries."""
        return 1 + len(self._windows(size).masks())

    def sample_masks(
        self, classifier: Classifier, image: Float[Tensor, "channel *space"], targets: Int[Tensor, " target"]
    ) -> SamplingCoroutine:
        """Yields the whole image and all windows."""
        windows = self._windows(tuple(image.shape[1:]))
        everywhere = torch.ones(windows.counts, dtype=torch.bool, device=image.device)
        answers = yield with_whole_image(windows.masks(everywhere))
        losses = (answers[0] - answers[1:].double()).T.reshape(-1, *windows.counts)
        maps = windows.spread(losses) / windows.covering().to(image.device)
        return ImageMaps(maps.to(image), None, len(answers))

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors: nothing is random. All targets share the queries."""
        return run_method(self, classifier, images, targets)
