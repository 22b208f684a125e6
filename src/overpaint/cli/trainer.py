"""Lightning's Trainer, as the configuration describes it."""

from collections.abc import Callable, Mapping
from typing import Any

import lightning as L
import torch

from overpaint.core.instantiate import checked_arguments


def trainer_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the Trainer's arguments from the configuration, checked.

    Where ``auto`` would take Apple's GPU it becomes ``cpu``: that GPU has no float64, which the maps' sums need.

    Raises:
        OverpaintError: If an argument is unknown or of the wrong type.
    """
    checked = checked_arguments(L.Trainer, options, "trainer")
    if checked["accelerator"] == "auto" and torch.backends.mps.is_available():
        checked["accelerator"] = "cpu"
    return checked


def guarded(trainer: L.Trainer, work: Callable[[], object]) -> None:
    """Calls a Trainer's method; Ctrl-C, which the Trainer turns into an exit, stays what it was."""
    try:
        work()
    except SystemExit as error:
        if trainer.interrupted:
            raise KeyboardInterrupt from error
        raise
