"""Ridge regression of scores on masks, with the delete-one-group jackknife for its error."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def log_odds(scores: Float[Tensor, "*any"], margin: float = 1e-4) -> Float[Tensor, "*any"]:
    """Returns ``log(p / (1 - p))`` with ``p`` kept ``margin`` away from 0 and 1."""
    return torch.logit(scores.double(), eps=margin)


def feature_variance(features: Float[Tensor, "query feature"]) -> float:
    """Returns the mean variance of the features times the number of queries: the unit of a ridge penalty."""
    return float(features.double().var(0, correction=0).mean()) * len(features)


def jackknife_ridge(
    features: Float[Tensor, "query feature"],
    values: Float[Tensor, "query target"],
    group: Int[Tensor, " query"],
    penalty: float,
    weights: Float[Tensor, " query"] | None = None,
) -> Float[Tensor, "fit feature target"]:
    """Fits ``y ≈ a + X β`` by weighted ridge regression, to all queries and to all but each group.

    ``β = argmin Σ_i w_i (y_i - a - x_i β)² + penalty · |β|²``, which is scikit-learn's `Ridge` with sample weights;
    ``a`` is free of the penalty. The fits without a group follow from the one to everything: with ``A`` its normal
    matrix, ``Z`` the weighted rows with a column of ones, ``H_g = Z_g A⁻¹ Z_gᵀ`` and ``e_g`` the group's residuals,
    ``β₋g = β - A⁻¹ Z_gᵀ (I - H_g)⁻¹ e_g`` (Cook & Weisberg, Residuals and Influence in Regression, 1982, 3.4).

    Args:
        features: ``X``.
        values: ``y``, for one or more targets.
        group: The group of each query, counted from 0.
        penalty: Strength of the penalty, above 0.
        weights: ``w``, not negative; None: 1.

    Returns:
        The coefficients: first of the fit to everything, then of the fits that leave one group out.
    """
    x = features.double()
    y = values.double() - values[:1]  # a constant then gives coefficients of exactly 0
    root = torch.ones_like(x[:, :1]) if weights is None else weights.double().sqrt()[:, None]
    centre = (root.square() * x).sum(0) / root.square().sum()
    z = root * torch.cat([torch.ones_like(x[:, :1]), x - centre], dim=1)
    ridge = torch.full_like(z[0], penalty)
    ridge[0] = 0
    factor = torch.linalg.cholesky(z.mT @ z + ridge.diag())
    everything = torch.cholesky_solve(z.mT @ (root * y), factor)
    rows = _by_group(group)
    # A row of zeros changes nothing; it fills smaller groups up.
    z, residuals = (torch.cat([v, torch.zeros_like(v[:1])]) for v in (z, root * y - z @ everything))
    z, residuals = z[rows], residuals[rows]
    influence = torch.cholesky_solve(z.mT, factor)
    kept = torch.eye(z.shape[1]).to(z) - z @ influence
    without = everything - influence @ torch.linalg.solve(kept, residuals)
    return torch.cat([everything[None], without])[:, 1:]


def _by_group(group: Int[Tensor, " query"]) -> Int[Tensor, "group place"]:
    """Returns the queries of each group; places that a smaller group has not hold the number of queries."""
    counts = group.bincount()
    rows = torch.full((len(counts), int(counts.max())), len(group), device=group.device)
    order = group.argsort(stable=True)
    place = torch.arange(len(group), device=group.device) - (counts.cumsum(0) - counts)[group[order]]
    rows[group[order], place] = order
    return rows


def jackknife_error(estimates: Float[Tensor, "group *value"]) -> Float[Tensor, "*value"]:
    """Returns the standard error from ``G`` delete-one-group estimates: ``sqrt((G-1)/G Σ (θ_g - θ̄)²)``."""
    groups = len(estimates)
    return ((groups - 1) / groups * (estimates - estimates.mean(0)).square().sum(0)).sqrt()
