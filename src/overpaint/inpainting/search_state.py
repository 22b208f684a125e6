"""The state of a running latent search."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from overpaint.core.types import Latents
from overpaint.inpainting.objective import Objective

GAIN = 0.01
"""Share by which a loss must fall to count as improved."""


class Run:
    """How far the latents of a search have come.

    Attributes:
        objective: What is made small.
        searched: Latents of each image.
        owners: The image of each latent.
        kept: The best latents so far.
        contextual: Their contextual losses.
        steps: Steps that each latent has made.
        improved: True for the latents whose loss has fallen since the start.
        moving: Numbers of the latents that have not stopped.
    """

    def __init__(self, objective: Objective, starts: Latents, searched: int) -> None:
        self.objective, self.searched, self.kept = objective, searched, starts.clone()
        numbers = torch.arange(len(starts), device=starts.device)
        self.moving, self.owners = numbers, numbers // searched
        self.steps = torch.zeros_like(numbers)
        self.improved = torch.zeros_like(numbers, dtype=torch.bool)
        self._stalled = torch.zeros_like(numbers)
        self._best: Tensor | None = None
        self.contextual = self._reference = torch.empty(0)

    def note(
        self, latents: Latents, losses: Float[Tensor, " row"], contextual: Float[Tensor, " row"]
    ) -> Int[Tensor, " row"]:
        """Takes note of where the moving latents are, and returns for how many steps each has not improved."""
        is_start = self._best is None
        if self._best is None:
            self._best, self._reference = torch.full_like(losses, torch.inf), torch.full_like(losses, torch.inf)
            self.contextual = contextual.clone()
        better = losses < self._best[self.moving]
        rows = self.moving[better]
        self.improved[rows] = not is_start
        self._best[rows], self.contextual[rows], self.kept[rows] = losses[better], contextual[better], latents[better]
        best = self._best[self.moving]
        improved = best < (1 - GAIN) * self._reference[self.moving]
        self._reference[self.moving] = torch.where(improved, best, self._reference[self.moving])
        self._stalled[self.moving] = torch.where(improved, 0, self._stalled[self.moving] + 1)
        return self._stalled[self.moving]

    def leading(self, count: int) -> Bool[Tensor, " latent"]:
        """Returns which latents are among the ``count`` of their image that have the smallest losses so far."""
        assert self._best is not None
        places: Tensor = self._best.unflatten(0, (-1, self.searched)).argsort(dim=1, stable=True).argsort(dim=1)
        return places.flatten() < count
