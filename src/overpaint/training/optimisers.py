"""Optimisers and learning-rate schedules from plain settings: a class of torch, and its arguments."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor
from torch.optim import LBFGS, Optimizer, SparseAdam
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import instantiate

PACKAGES = ("torch.optim", "overpaint")
"""Where the classes come from."""

UNFIT = (LBFGS, SparseAdam, ReduceLROnPlateau)
"""Classes that need more than a step's gradients: the loss again, sparse gradients, a measure to watch."""


def make_optimizer(settings: Mapping[str, Any], parameters: Iterable[Tensor], where: str) -> Optimizer:
    """Makes an optimiser.

    Args:
        settings: ``target``, a class of ``torch.optim`` such as ``torch.optim.AdamW``, and its arguments.
        parameters: What it optimises.
        where: The section's key, for errors.

    Raises:
        OverpaintError: If there is no such class, an argument is unknown or wrong, or the learning rate is not above 0.
    """
    optimizer: Optimizer = _make(settings, where, Optimizer, params=parameters)
    if not optimizer.defaults["lr"] > 0:
        raise OverpaintError(f"{where}.lr={optimizer.defaults['lr']} must be above 0")
    return optimizer


def make_scheduler(settings: Mapping[str, Any], optimizer: Optimizer, steps: int, where: str) -> LRScheduler:
    """Makes a schedule of the learning rate.

    Args:
        settings: ``target``, a class of ``torch.optim.lr_scheduler``, and its arguments; one that is None is the number
            of steps of the run (``total_steps`` of ``OneCycleLR``, ``T_max`` of ``CosineAnnealingLR``).
        optimizer: The optimiser whose rate follows it.
        steps: Number of steps of the run.
        where: The section's key, for errors.

    Raises:
        OverpaintError: If there is no such class, or an argument is unknown or wrong.
    """
    filled = {name: steps if value is None else value for name, value in settings.items()}
    scheduler: LRScheduler = _make(filled, where, LRScheduler, optimizer=optimizer)
    return scheduler


def _make(settings: Mapping[str, Any], where: str, kind: type[Any], **more: Any) -> Any:
    if "target" not in settings:
        raise OverpaintError(f"{where}.target must be given, a class of torch.optim")
    try:
        made = instantiate(settings, where, PACKAGES, **more)
    except OverpaintError:
        raise
    except (ValueError, TypeError) as error:  # how torch says that an argument is out of its range
        raise OverpaintError(f"{where} does not fit {settings['target']}: {error}") from error
    if not isinstance(made, kind) or isinstance(made, UNFIT):
        raise OverpaintError(f"{where}.target={settings['target']} is no {kind.__name__} that fits this training")
    return made
