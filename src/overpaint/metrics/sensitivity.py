"""Maximum sensitivity (Yeh, Hsieh, Suggala, Inouye & Ravikumar, NeurIPS 2019)."""

import math

import captum.metrics
import torch
from jaxtyping import Float
from torch import Tensor

from overpaint.core.bounds import Count, Positive, Seed
from overpaint.core.instantiate import checked_settings
from overpaint.core.results import MetricResult
from overpaint.core.rng import drawing_as, image_rng
from overpaint.core.types import Images, Maps, Targets
from overpaint.core.value_range import within_range
from overpaint.metrics.base import MethodMetric, MetricContext, MetricInputs, finite
from overpaint.metrics.rerun import group_rows_by_image
from overpaint.perturbation.engine import compute_maps


@checked_settings
class SensitivityMax(MethodMetric):
    """The greatest relative change of a map when the image changes a little.

    ``SENS = max_δ ‖Φ(x + δ) - Φ(x)‖₂ / ‖Φ(x)‖₂`` (definition 3.1, relative as in captum, which computes it) over
    ``samples`` draws of ``δ``, uniform in ``‖δ‖_∞ ≤ radius`` and, for images, cut so that ``x + δ`` stays in
    ``[0, 1]``. The draws are the same for every method and every class of an image.

    A method that draws at random draws for ``x + δ`` what it draws for ``x`` (`drawing_as`), or the metric would
    measure its sampling noise, which its standard error reports. ``Φ(x)`` is the map that is evaluated, so the method
    must have its settings, seed and precision. A map of 0 stands for one that is not finite. A flat ``Φ(x)`` has no
    relative change: NaN, and not infinity, which would be the mean of all rows; `MetricInputs.flat` tells of such rows.

    Args:
        radius: Greatest change of a value of the image.
        samples: Changed images for each image, each explained as the image was.
        seed: Seed of the changes.

    Raises:
        OverpaintError: If a setting is out of its range.
    """

    higher_is_better = False
    label = "maximum sensitivity (relative change of the map)"
    bounds = (0.0, math.inf)

    def __init__(self, radius: Positive = 0.02, samples: Count = 10, seed: Seed = 0) -> None:
        super().__init__()
        self.radius, self.samples, self.seed = radius, samples, seed

    def changed(self, image: Float[Tensor, "channel *space"]) -> Images:
        """Returns the changed copies ``x + δ`` of an image."""
        rng = image_rng(image, self.seed, "sensitivity_max")
        draws = torch.rand(self.samples, *image.shape, generator=rng)
        return within_range(image + self.radius * (2 * draws - 1).to(image), image.ndim - 1)

    def measure(self, inputs: MetricInputs, context: MetricContext) -> list[MetricResult]:
        """See `MethodMetric.measure`: ``samples`` runs of the method for each image."""
        values, flat = torch.full((len(inputs.maps),), math.nan), inputs.flat.tolist()
        for group in group_rows_by_image(inputs.images):
            if rows := [row for row in group if not flat[row]]:
                own = inputs.rows(rows)
                values[rows] = self._of_image(own.images[0], own.targets, own.maps, context)
        return [MetricResult(value) for value in values.tolist()]

    def _of_image(
        self, image: Float[Tensor, "channel *space"], targets: Targets, own: Maps, context: MetricContext
    ) -> Float[Tensor, " row"]:
        """Returns the metric of an image's maps, a row for each target."""
        changed, count = self.changed(image), len(targets)

        def explain(rows: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
            if isinstance(rows, tuple):  # captum first asks for the maps of the image itself
                return (own.double().contiguous(),)
            with drawing_as(image):
                each = targets.expand(self.samples, count)
                found = compute_maps(context.method, context.classifier, changed, each, context.engine)
            maps = finite(found.maps).double()  # squares of small gradients would be 0 in float32
            return (maps.unflatten(0, (self.samples, count)).transpose(0, 1).flatten(0, 1),)

        def perturb(rows: Tensor) -> Tensor:
            return changed.repeat(count, *[1] * image.ndim)  # all samples of a row together

        found: Tensor = captum.metrics.sensitivity_max(
            explain, image.expand(count, *image.shape), perturb, n_perturb_samples=self.samples
        )
        return found.float().cpu()
