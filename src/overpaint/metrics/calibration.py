"""Calibration of standard errors: those that a method reports against the spread of its maps over seeds."""

import torch

from overpaint.metrics.base import MapMetric, MetricInputs, RowValues


class Calibration(MapMetric):
    """How far a method's maps spread over seeds, relative to the standard error that it reports.

    ``sqrt(mean_λ Var_seeds S(λ) / mean_λ e(λ)²)`` with ``e`` the standard error reported for the first seed.
    1 is calibrated; above it the method promises more than it keeps, below it less. The variance is the unbiased one,
    so that the quotient of the means is right for any number of seeds from 2 on. Where a method reports an error of
    0 everywhere and its maps differ, the value is infinite. NaN without errors, without at least two seeds, for maps
    or errors that are not finite, and for 0 / 0.
    """

    higher_is_better = None
    label = "spread over seeds / reported error"
    needs = "seeds=2 or more"
    bounds = (0.0, float("inf"))

    def measure(self, inputs: MetricInputs) -> RowValues:
        """See `MapMetric.measure`."""
        repeats, errors = inputs.repeats, inputs.standard_errors
        if repeats is None or errors is None or len(repeats) < 2:
            return torch.full((len(inputs.maps),), torch.nan, device=inputs.maps.device)
        spread = repeats.double().var(0).flatten(1).mean(1)
        reported = errors.double().square().flatten(1).mean(1)
        return torch.where(spread.isfinite() & reported.isfinite(), (spread / reported).sqrt(), torch.nan)
