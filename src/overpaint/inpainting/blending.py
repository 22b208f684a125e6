"""Puts what the generator painted into the region of an image."""

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import splu
from torch import Tensor

from overpaint.core.types import Images, ImageSets, Regions
from overpaint.core.value_range import within_range

Blend = Literal["paste", "feather", "poisson"]


def blend_into(images: Images, painted: ImageSets, regions: Regions, blend: Blend) -> ImageSets:
    """Returns ``X' = X ⊙ (1 - B) + B ⊙ G(z')``, with a softer seam where asked for.

    Outside the region every kind equals the image bit for bit.

    Args:
        images: ``X``.
        painted: ``G(z')``, several for each image, at the images' size.
        regions: ``B``.
        blend: ``paste``: the formula; ``feather``: inside the region the painted image fades in over two pixels;
            ``poisson``: the painted image's gradients with the image's values at the border (Pérez, Gangnet & Blake,
            2003, equation 2), cut to ``[0, 1]`` but for series. In a series that is the painted stretch plus the
            straight line through what it misses at both ends; at the end of the series, plus a constant.
    """
    originals = images[:, None].expand_as(painted)
    inside = regions[:, None, None]
    if blend == "feather":
        painted = torch.lerp(originals, painted, _feather(regions)[:, None, None].to(painted))
    elif blend == "poisson":
        results = [_poisson(x, p, b) for x, p, b in zip(images, painted, regions, strict=True)]
        painted = torch.stack(results)
    return torch.where(inside, painted, originals)


def _feather(regions: Regions, width: float = 2.0) -> Float[Tensor, "batch *space"]:
    """Rises from the region's border inwards: ``min(1, depth / (width + 1))``, depth 1 at the outermost pixel.

    A region that is everything has no border: 1.
    """
    masks = regions.cpu().numpy()
    depths = [np.full(m.shape, np.inf) if m.all() else ndimage.distance_transform_edt(m) for m in masks]
    weights = np.stack([np.minimum(1, depth / (width + 1)) for depth in depths])
    return torch.from_numpy(weights).to(regions.device)


def _laplacian(region: NDArray[np.bool_]) -> tuple[Any, list[tuple[Any, Any]]]:
    """Makes the discrete Laplacian over a region's pixels, and the list of neighbour pairs behind it."""
    number = np.full(region.shape, -1)
    number[region] = np.arange(region.sum())
    rows, columns, pairs = [], [], []
    degree = np.zeros(region.sum())
    coordinates = np.argwhere(region)
    for axis in range(region.ndim):
        for step in (-1, 1):
            neighbour = coordinates.copy()
            neighbour[:, axis] += step
            valid = (neighbour[:, axis] >= 0) & (neighbour[:, axis] < region.shape[axis])
            here, there = coordinates[valid], neighbour[valid]
            pairs.append((tuple(here.T), tuple(there.T)))
            degree[valid] += 1
            unknown = region[tuple(there.T)]
            rows.append(number[tuple(here[unknown].T)])
            columns.append(number[tuple(there[unknown].T)])
    off_diagonal = (np.concatenate(rows), np.concatenate(columns))
    matrix = sparse.diags(degree) - sparse.coo_matrix((np.ones(len(off_diagonal[0])), off_diagonal), [len(degree)] * 2)
    return matrix.tocsc(), pairs


def _poisson(
    image: Float[Tensor, "channel *space"],
    painted: Float[Tensor, "variant channel *space"],
    region: Bool[Tensor, "*space"],
) -> Float[Tensor, "variant channel *space"]:
    """Solves ``Δf = ΔG`` inside the region with ``f = X`` around it, all variants and channels at once."""
    inside = region.cpu().numpy()
    if not inside.any() or inside.all():
        return painted
    matrix, pairs = _laplacian(inside)
    source = painted.double().cpu().numpy().reshape(-1, *inside.shape)
    around = image.double().cpu().numpy()[None].repeat(len(painted), 0).reshape(-1, *inside.shape)
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    right = np.zeros((int(inside.sum()), len(source)))
    for here, there in pairs:
        rows = number[here]
        np.add.at(right, rows, (source[:, *here] - source[:, *there]).T)
        known = ~inside[there]
        border = tuple(c[known] for c in there)
        np.add.at(right, rows[known], around[:, *border].T)
    result = source.copy()
    result[:, inside] = splu(matrix).solve(right).T
    return within_range(torch.from_numpy(result.reshape(painted.shape)), inside.ndim).to(painted)
