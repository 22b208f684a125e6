"""Optimisers of many latents at once, each row by itself; rows may be removed."""

import math
from collections import deque
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from overpaint.core.types import Latents
from overpaint.inpainting.search_recipes import SearchRecipe

MEMORY = 20
"""Steps that L-BFGS remembers; with 10 the loss falls a little slower, with 40 no faster."""

RADIUS = 1.5
"""Longest step of L-BFGS; the latents of a normal generator lie about 8 from 0."""

FIRST_BATCH_SIZE = 0.8
"""Length of the first step of L-BFGS, which knows no curvature yet."""

Column = Float[Tensor, "row 1"]


@runtime_checkable
class RowOptimiser(Protocol):
    """Says for each row where to look next, from the loss and the gradient where it looked last."""

    def step(self, latents: Latents, losses: Float[Tensor, " row"], gradients: Latents) -> Latents:
        """Returns the next latents; the caller may move them before it looks there."""
        ...

    def keep(self, rows: Bool[Tensor, " row"]) -> None:
        """Forgets the other rows."""
        ...


def make_optimiser(recipe: SearchRecipe) -> RowOptimiser:
    """Builds a recipe's optimiser."""
    rate = recipe.learning_rate
    if recipe.optimiser == "lbfgs":
        return LBFGS(rate)
    return Adam(rate, recipe.steps) if recipe.optimiser == "adam" else Nesterov(rate)


class Nesterov:
    """Nesterov's momentum as in the published notebooks: ``v' = 0.9 v - rate g``, ``z' = z - 0.9 v + 1.9 v'``."""

    def __init__(self, rate: float, momentum: float = 0.9) -> None:
        self.rate, self.momentum = rate, momentum
        self._velocity: Latents | None = None

    def step(self, latents: Latents, losses: Float[Tensor, " row"], gradients: Latents) -> Latents:
        """See `RowOptimiser.step`."""
        last = torch.zeros_like(latents) if self._velocity is None else self._velocity
        self._velocity = self.momentum * last - self.rate * gradients
        return latents - self.momentum * last + (1 + self.momentum) * self._velocity

    def keep(self, rows: Bool[Tensor, " row"]) -> None:
        """See `RowOptimiser.keep`."""
        if self._velocity is not None:
            self._velocity = self._velocity[rows]


class Adam:
    """Adam (Kingma & Ba, 2015) with decays 0.9 and 0.99, its rate falling along a cosine to a tenth."""

    def __init__(self, rate: float, steps: int, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        self.rate, self.steps, self.betas = rate, steps, betas
        self._moments: tuple[Latents, Latents] | None = None
        self._taken = 0

    def step(self, latents: Latents, losses: Float[Tensor, " row"], gradients: Latents) -> Latents:
        """See `RowOptimiser.step`."""
        first, second = self._moments or (torch.zeros_like(latents), torch.zeros_like(latents))
        (decay, slow), rate = self.betas, 0.1 + 0.45 * (1 + math.cos(math.pi * self._taken / max(self.steps, 1)))
        self._taken += 1
        first = decay * first + (1 - decay) * gradients
        second = slow * second + (1 - slow) * gradients.square()
        self._moments = first, second
        mean, spread = first / (1 - decay**self._taken), (second / (1 - slow**self._taken)).sqrt()
        return latents - self.rate * rate * mean / (spread + 1e-8)

    def keep(self, rows: Bool[Tensor, " row"]) -> None:
        """See `RowOptimiser.keep`."""
        if self._moments is not None:
            self._moments = self._moments[0][rows], self._moments[1][rows]


def _dot(a: Latents, b: Latents) -> Column:
    return (a * b).sum(1, keepdim=True)


def _shortened(moves: Latents, longest: Column | float) -> Latents:
    """Returns the moves, those longer than ``longest`` scaled back to it."""
    lengths = moves.norm(dim=1, keepdim=True).clamp(min=torch.finfo(moves.dtype).tiny)
    shortened: Tensor = moves * (longest / lengths).clamp(max=1)
    return shortened


class LBFGS:
    """Limited-memory BFGS (Liu & Nocedal, 1989) for rows, one evaluation a step.

    The direction is the two-loop recursion over the last `MEMORY` pairs of a move ``s`` and the gradient's change
    ``y``. Instead of a line search, which would cost each row another number of evaluations, every row has a longest
    step: where the loss did not fall, the row goes back to its best latent and the next step is at most 0.35 times as
    long; where it fell, 1.5 times as long, up to `RADIUS`. The pair of a step that failed tells of the curvature all
    the same. Pairs without positive curvature are left out, and a row whose direction does not descend follows its
    gradient.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._best: tuple[Latents, Column, Latents] | None = None  # latents, their losses and gradients
        self._scale = self._radius = torch.empty(0)
        self._pairs: deque[tuple[Latents, Latents, Column]] = deque(maxlen=MEMORY)  # s, y and 1 / s·y

    def step(self, latents: Latents, losses: Float[Tensor, " row"], gradients: Latents) -> Latents:
        """See `RowOptimiser.step`."""
        seen = latents, losses[:, None], gradients
        if self._best is None:
            tiny = torch.finfo(latents.dtype).tiny
            self._scale = FIRST_BATCH_SIZE / gradients.norm(dim=1, keepdim=True).clamp(min=tiny)
            self._radius = torch.full_like(seen[1], RADIUS)
            self._best = seen
        else:
            self._learn(seen, self._best)
        start, _, gradient = self._best
        move = -self._times_inverse_hessian(gradient)
        descends = _dot(move, gradient) < 0
        move = torch.where(descends, move, -self._scale * gradient)
        return start + self.rate * _shortened(move, self._radius)

    def _learn(self, seen: tuple[Latents, Column, Latents], best: tuple[Latents, Column, Latents]) -> None:
        """Takes the last step into memory, and stays where the loss did not fall."""
        move, change = seen[0] - best[0], seen[2] - best[2]
        curvature, square = _dot(move, change), _dot(change, change)
        convex = curvature > 1e-8 * square
        weight = torch.where(convex, 1 / curvature, 0)
        self._pairs.append((torch.where(convex, move, 0), torch.where(convex, change, 0), weight))
        self._scale = torch.where(convex, curvature / square, self._scale)
        fell = seen[1] <= best[1]
        shorter = 0.35 * move.norm(dim=1, keepdim=True)
        self._radius = torch.where(fell, (1.5 * self._radius).clamp(max=RADIUS), shorter)
        self._best = tuple(torch.where(fell, new, old) for new, old in zip(seen, best, strict=True))  # type: ignore[assignment]

    def _times_inverse_hessian(self, gradient: Latents) -> Latents:
        shares = []
        for move, change, weight in reversed(self._pairs):
            shares.append(weight * _dot(move, gradient))
            gradient = gradient - shares[-1] * change
        direction = self._scale * gradient
        for (move, change, weight), share in zip(self._pairs, reversed(shares), strict=True):
            direction = direction + move * (share - weight * _dot(change, direction))
        return direction

    def keep(self, rows: Bool[Tensor, " row"]) -> None:
        """See `RowOptimiser.keep`."""
        if self._best is not None:
            self._best = self._best[0][rows], self._best[1][rows], self._best[2][rows]
            self._scale, self._radius = self._scale[rows], self._radius[rows]
            self._pairs = deque(((s[rows], y[rows], w[rows]) for s, y, w in self._pairs), maxlen=MEMORY)
