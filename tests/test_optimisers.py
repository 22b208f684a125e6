"""The optimisers of latents against torch's, and L-BFGS against the dense inverse Hessian that it stands for."""

import numpy as np
import pytest
import torch
from torch import Tensor

from overpaint.inpainting.optimisers import LBFGS, MEMORY, RADIUS, Adam, Nesterov, RowOptimiser

ROWS, SIZE = 3, 5


def _bowl(latents: Tensor) -> tuple[Tensor, Tensor]:
    """A convex function of each row, no quadratic, and its gradient."""
    rng = torch.Generator().manual_seed(0)
    matrix = torch.randn(SIZE, SIZE, generator=rng, dtype=torch.float64)
    curvature = matrix @ matrix.T + 0.1 * torch.eye(SIZE)
    values = 0.5 * ((latents @ curvature) * latents).sum(1) + 0.05 * latents.pow(4).sum(1) - latents.sum(1)
    return values, latents @ curvature + 0.2 * latents.pow(3) - 1


def _start() -> Tensor:
    return torch.randn(ROWS, SIZE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _walk(optimiser: RowOptimiser, steps: int) -> list[Tensor]:
    visited = [_start()]
    for _ in range(steps):
        visited.append(optimiser.step(visited[-1], *_bowl(visited[-1])))
    return visited


def test_adam_is_torchs_with_a_cosine() -> None:
    latents = _start().requires_grad_()
    oracle = torch.optim.Adam([latents], 0.1, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(oracle, 20, eta_min=0.01)
    for visited in _walk(Adam(0.1, 20), 20):
        torch.testing.assert_close(visited, latents.detach(), rtol=1e-10, atol=1e-12)
        latents.grad = _bowl(latents.detach())[1]
        oracle.step()
        schedule.step()


def test_nesterov_is_torchs() -> None:
    """In torch's variables the latent that is looked at is the same."""
    latents = _start().requires_grad_()
    oracle = torch.optim.SGD([latents], 0.01, momentum=0.9, nesterov=True)
    for visited in _walk(Nesterov(0.01), 20):
        torch.testing.assert_close(visited, latents.detach(), rtol=1e-10, atol=1e-12)
        latents.grad = _bowl(latents.detach())[1]
        oracle.step()


def test_lbfgs_multiplies_by_the_inverse_hessian_of_its_pairs() -> None:
    """H ← (I - s yᵀ / s·y) H (I - y sᵀ / s·y) + s sᵀ / s·y for each pair, from s·y / y·y of the last one."""
    optimiser, latents = LBFGS(1.0), _start()
    best = [(np.inf, np.zeros(SIZE), np.zeros(SIZE))] * ROWS
    pairs: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(ROWS)]
    radius = np.full(ROWS, RADIUS)
    long_steps = 0
    for step in range(8):
        losses, gradients = _bowl(latents)
        following = optimiser.step(latents, losses, gradients)
        for i in range(ROWS):
            seen = (float(losses[i]), latents[i].numpy(), gradients[i].numpy())
            if step:
                move = seen[1] - best[i][1]
                pairs[i].append((move, seen[2] - best[i][2]))
                radius[i] = min(1.5 * radius[i], RADIUS) if seen[0] <= best[i][0] else 0.35 * np.linalg.norm(move)
            if seen[0] <= best[i][0]:
                best[i] = seen
            inverse = 0.8 / np.linalg.norm(seen[2]) * np.eye(SIZE)
            if step:
                s, y = pairs[i][-1]
                inverse = s @ y / (y @ y) * np.eye(SIZE)
            for s, y in pairs[i]:
                left = np.eye(SIZE) - np.outer(s, y) / (s @ y)
                inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
            direction = -inverse @ best[i][2]
            length = np.linalg.norm(direction)
            long_steps += int(length > radius[i])
            direction *= min(1, radius[i] / length)
            np.testing.assert_allclose(following[i].numpy(), best[i][1] + direction, rtol=1e-7, atol=1e-9)
        latents = following
    assert long_steps > 0


def test_lbfgs_finds_the_minimum_and_nothing_else_moves_it() -> None:
    last = _walk(LBFGS(1.0), 2 * MEMORY)[-1]
    assert float(_bowl(last)[1].norm(dim=1).max()) < 1e-6
    still = LBFGS(1.0)
    latents = torch.zeros(2, SIZE).double()
    for _ in range(3):  # no gradient, no step, no number that is none
        latents = still.step(latents, torch.zeros(2).double(), torch.zeros(2, SIZE).double())
        assert torch.equal(latents, torch.zeros(2, SIZE).double())


def test_lbfgs_descends_where_the_function_is_concave() -> None:
    optimiser, latents = LBFGS(1.0), _start()
    values = []
    for _ in range(10):
        values.append(-0.5 * latents.square().sum(1))
        latents = optimiser.step(latents, values[-1], -latents)
    assert (torch.stack(values).diff(dim=0) < 0).all()


@pytest.mark.parametrize("make", [lambda: LBFGS(1.0), lambda: Adam(0.1, 20), lambda: Nesterov(0.01)])
def test_a_row_does_not_see_that_others_leave(make: type) -> None:
    whole, optimiser = _walk(make(), 9), make()
    stay, latents = torch.tensor([True, False, True]), _start()
    for step in range(9):
        if step == 4:
            optimiser.keep(stay)
            latents = latents[stay]
        losses, gradients = _bowl(latents)
        latents = optimiser.step(latents, losses, gradients)
    torch.testing.assert_close(latents, whole[-1][stay], rtol=1e-12, atol=1e-12)
    fresh = make()
    fresh.keep(stay)  # before the first step there is nothing to forget
    assert fresh.step(_start(), *_bowl(_start())).shape == (ROWS, SIZE)
