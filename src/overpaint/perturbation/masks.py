"""Smooth masks from small grids: upsampled linearly, shifted at random, cropped (Petsiuk et al., RISE, 2018)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from overpaint.core.errors import OverpaintError

Grids = Float[Tensor, "query *cells"]
Shifts = Int[Tensor, "query dimension"]
Masks = Float[Tensor, "query *space"]


def _interpolation(cells: int, size: int) -> Float[Tensor, "shift size cells"]:
    """Weights that turn a grid of ``cells`` into ``size`` pixels along one axis, one matrix for each shift.

    With ``step = ceil(size / cells)`` the grid is stretched to ``(cells + 1) * step`` pixels and cropped at
    ``shift`` in ``[0, step)``. The stretched pixel ``u`` lies at ``(u + 1/2) cells / ((cells + 1) step) - 1/2`` in the
    grid; beyond the outermost cells' centres the grid is mirrored, as scikit-image's ``resize`` does in RISE's code.
    """
    step = math.ceil(size / cells)
    length = (cells + 1) * step
    position = (torch.arange(length, dtype=torch.float64) + 0.5) * cells / length - 0.5
    lower = position.floor()
    upper_weight = position - lower
    weights = torch.zeros(length, cells, dtype=torch.float64)
    last = max(cells - 1, 1)
    for index, weight in ((lower, 1 - upper_weight), (lower + 1, upper_weight)):
        mirrored = (last - (index.long() % (2 * last) - last).abs()).clamp(max=cells - 1)
        weights.scatter_add_(1, mirrored[:, None], weight[:, None])
    return torch.stack([weights[shift : shift + size] for shift in range(step)]).float()


def _block_mean(blocks: int, size: int) -> Float[Tensor, "block size"]:
    """Weights that average ``size`` pixels to ``blocks`` blocks of nearly equal length along one axis."""
    edges = [round(i * size / blocks) for i in range(blocks + 1)]
    weights = torch.zeros(blocks, size)
    for i, (start, end) in enumerate(pairwise(edges)):
        weights[i, start:end] = 1 / (end - start)
    return weights


def _apply_along_axes(values: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Multiplies each axis behind the first of ``values`` by its (query, out, in) matrix, or by one for all queries."""
    for matrix in matrices:
        first_axis_last = values.movedim(1, -1)
        rows = first_axis_last.reshape(len(values), -1, values.shape[1])
        values = (rows @ matrix.mT).reshape(*first_axis_last.shape[:-1], matrix.shape[1])
    return values


@dataclass(frozen=True)
class MaskGeometry:
    """How grids of ``cells`` become masks of ``size`` pixels, for any number of dimensions.

    A mask is separable: each axis has one small interpolation matrix for each shift, so a mask is a product of the
    grid with one matrix an axis, and its statistics under independent cells are known without drawing any.

    Args:
        cells: Cells along each axis.
        size: Pixels along each axis.

    Raises:
        OverpaintError: If an axis has more cells than pixels.
    """

    cells: tuple[int, ...]
    size: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.cells) != len(self.size) or any(
            not 1 <= c <= s for c, s in zip(self.cells, self.size, strict=True)
        ):
            raise OverpaintError(f"cells={self.cells} must be between 1 and the image's size {self.size} on each axis")
        weights = [_interpolation(c, s) for c, s in zip(self.cells, self.size, strict=True)]
        object.__setattr__(self, "_weights", {torch.device("cpu"): weights})
        object.__setattr__(self, "_mean_weights", {})

    @property
    def weights(self) -> list[Tensor]:
        """The interpolation matrices of each axis, (shift, size, cells)."""
        return self._weights_on(torch.device("cpu"))

    def _weights_on(self, device: torch.device) -> list[Tensor]:
        """Returns the interpolation matrices on a device, copied there once."""
        kept: dict[torch.device, list[Tensor]] = self.__dict__["_weights"]
        if device not in kept:
            kept[device] = [w.to(device) for w in self.weights]
        return kept[device]

    def _mean_weights_on(self, device: torch.device, blocks: tuple[int, ...]) -> list[Tensor]:
        """Returns what turns grids into their masks' block means, (shift, block, cells) for each axis, made once."""
        kept: dict[tuple[torch.device, tuple[int, ...]], list[Tensor]] = self.__dict__["_mean_weights"]
        if (device, blocks) not in kept:
            each = zip(self.weights, blocks, self.size, strict=True)
            kept[device, blocks] = [(_block_mean(count, side) @ weights).to(device) for weights, count, side in each]
        return kept[device, blocks]

    def draw(self, count: int, keep: float, rng: torch.Generator, block: int = 128) -> tuple[Grids, Shifts]:
        """Draws grids whose cells are on with probability ``keep``, and shifts.

        They are drawn block by block, so that the first queries are the same however many follow.
        """
        grids, shifts = [], []
        for start in range(0, count, block):
            size = min(block, count - start)
            grids.append((torch.rand(size, *self.cells, generator=rng) < keep).float())
            shifts.append(self.draw_shifts(size, rng))
        return torch.cat(grids), torch.cat(shifts)

    def draw_shifts(self, count: int, rng: torch.Generator) -> Shifts:
        """Draws the shift of each of ``count`` masks, uniform over one cell on each axis."""
        return torch.stack([torch.randint(len(w), (count,), generator=rng) for w in self.weights], dim=1)

    def masks(self, grids: Grids, shifts: Shifts) -> Masks:
        """Returns the masks of ``grids``, on their device."""
        matrices = [w[shifts[:, axis]] for axis, w in enumerate(self._weights_on(grids.device))]
        return _apply_along_axes(grids, matrices)

    def block_means(self, grids: Grids, shifts: Shifts, blocks: Sequence[int]) -> Float[Tensor, "query *blocks"]:
        """Returns the masks averaged over ``blocks`` blocks an axis, without making the masks."""
        means = self._mean_weights_on(grids.device, tuple(blocks))
        return _apply_along_axes(grids, [w[shifts[:, axis]] for axis, w in enumerate(means)])

    def variance(self) -> Float[Tensor, "*space"]:
        """Returns ``Var M(λ) / Var g`` of each pixel, for independent cells ``g`` and uniform shifts.

        ``M(λ) = Σ_c w_c(λ) g_c`` with ``Σ_c w_c = 1``, so ``Var M(λ) = Var g · E_shift[Π_axes Σ_c w_c(λ)²]``.
        """
        return reduce(lambda a, b: a[..., None] * b, [w.square().sum(-1).mean(0) for w in self.weights])

    def block_slopes(self, coefficients: Float[Tensor, "fit *blocks"]) -> Float[Tensor, "fit *space"]:
        """Turns a linear function of the blocks' means into each pixel's slope.

        For ``y = Σ_b β_b X_b`` with ``X_b`` the mean of the mask over block ``b``, returns
        ``Cov(y, M(λ)) / Var M(λ) = Σ_b β_b K(b, λ) / K(λ, λ)``, the covariances taken over independent cells and
        uniform shifts, where they are a product over the axes: ``K(b, λ) = Π E_shift[Σ_c w̄_c(b) w_c(λ)]``.
        """
        kernels = []
        for axis, weights in enumerate(self.weights):
            means = _block_mean(coefficients.shape[1 + axis], self.size[axis]) @ weights
            kernel = torch.einsum("sbc,spc->pb", means, weights) / len(weights)
            kernels.append(kernel.to(coefficients)[None])
        return _apply_along_axes(coefficients, kernels) / self.variance().to(coefficients)
