"""Ridge regressions of scores on masks, with the delete-one-group jackknife for their error."""

import torch
from jaxtyping import Float
from torch import Tensor


def log_odds(scores: Float[Tensor, "*any"], margin: float = 1e-4) -> Float[Tensor, "*any"]:
    """Returns ``log(p / (1 - p))`` with ``p`` kept ``margin`` away from 0 and 1."""
    return torch.logit(scores.double(), eps=margin)


def jackknife_ridge(
    features: Float[Tensor, "group query feature"], values: Float[Tensor, "group query target"], ridge: float
) -> Float[Tensor, "fit feature target"]:
    """Fits ``y ≈ a + X β`` by ridge regression, to all groups and to all but each one.

    ``β = (Cov(X) + ridge · v · I)⁻¹ Cov(X, y)`` with ``v`` the mean variance of the features.

    Args:
        features: ``X``, in groups of equal size.
        values: ``y``, for one or more targets.
        ridge: Strength of the penalty relative to the features' mean variance.

    Returns:
        The coefficients: first of the fit to everything, then of the fits that leave one group out.
    """
    x = features.double()
    y = values.double() - values[:1, :1]  # a constant then gives coefficients of exactly 0
    groups, per_group, width = x.shape

    def with_and_without(sums: Tensor) -> Tensor:
        total = sums.sum(0, keepdim=True)
        return torch.cat([total, total - sums])

    counts = torch.tensor([groups * per_group] + [(groups - 1) * per_group] * groups).to(x)
    mean_x = with_and_without(x.sum(1)) / counts[:, None]
    mean_y = with_and_without(y.sum(1)) / counts[:, None]
    covariance = with_and_without(x.mT @ x) / counts[:, None, None] - mean_x[:, :, None] * mean_x[:, None, :]
    shared = with_and_without(x.mT @ y) / counts[:, None, None] - mean_x[:, :, None] * mean_y[:, None, :]
    variance = covariance.diagonal(dim1=1, dim2=2).mean(1)
    penalty = (ridge * variance + 1e-12)[:, None, None] * torch.eye(width).to(x)
    coefficients: Tensor = torch.linalg.solve(covariance + penalty, shared)
    return coefficients


def weighted_jackknife_ridge(
    features: Float[Tensor, "query feature"],
    values: Float[Tensor, "query target"],
    weights: Float[Tensor, " query"],
    ridge: float,
    groups: int,
) -> Float[Tensor, "fit feature target"]:
    """Fits ``y ≈ a + X β`` by weighted ridge regression, to all queries and to all but each group, in one solve.

    ``β = argmin Σ_i w_i (y_i - a - x_i β)² + ridge · |β|²``, which is scikit-learn's `Ridge` with sample weights; ``a``
    is free of the penalty.

    Args:
        features: ``X``.
        values: ``y``, for one or more targets.
        weights: ``w``, not negative.
        ridge: Strength of the penalty.
        groups: Number of groups; query ``i`` belongs to group ``i mod groups``.

    Returns:
        The coefficients: first of the fit to everything, then of the fits that leave one group out.
    """
    x, w = features.double(), weights.double()
    y = values.double() - values[:1]  # a constant then gives coefficients of exactly 0
    left_out = torch.arange(len(x), device=x.device) % groups == torch.arange(groups, device=x.device)[:, None]
    w = torch.cat([w[None], w * ~left_out])[..., None]
    total = w.sum(1, keepdim=True)
    centred_x = x - (w * x).sum(1, keepdim=True) / total
    centred_y = y - (w * y).sum(1, keepdim=True) / total
    penalty = ridge * torch.eye(x.shape[1]).to(x)
    coefficients: Tensor = torch.linalg.solve(centred_x.mT @ (w * centred_x) + penalty, centred_x.mT @ (w * centred_y))
    return coefficients


def jackknife_error(estimates: Float[Tensor, "group *value"]) -> Float[Tensor, "*value"]:
    """Returns the standard error from ``G`` delete-one-group estimates: ``sqrt((G-1)/G Σ (θ_g - θ̄)²)``."""
    groups = len(estimates)
    return ((groups - 1) / groups * (estimates - estimates.mean(0)).square().sum(0)).sqrt()
