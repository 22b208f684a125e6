"""Lightning's Trainer, as the configuration describes it."""

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

import lightning as L
import torch

from overpaint.cli.processes import launched_count
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_arguments

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # importing Lightning has set it to INFO

WHERE = ("accelerator", "devices", "strategy", "precision", "num_nodes")
"""The arguments that say where and in which precision a Trainer computes."""

LOST = "Connection closed by peer"
"""What gloo says in its error when another process has ended."""

SPAWNED = ("spawn", "fork", "notebook")
"""Ends of the names of strategies whose processes are started with a copy of what they work on."""


def trainer_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the Trainer's arguments from the configuration, checked.

    Where ``auto`` would take Apple's GPU it becomes ``cpu``: that GPU has no float64, which the maps' sums need.

    Raises:
        OverpaintError: If an argument is unknown, of the wrong type, or refused by Lightning.
    """
    checked = checked_arguments(L.Trainer, options, "trainer")
    if checked["accelerator"] == "auto" and torch.backends.mps.is_available():
        checked["accelerator"] = "cpu"
    number_of_processes(checked)
    return checked


def number_of_processes(options: Mapping[str, Any]) -> int:
    """Returns how many processes a Trainer with these arguments would start: ``auto`` depends on the machine.

    Raises:
        OverpaintError: If Lightning refuses the arguments, if torchrun or SLURM has started another number, or if a
            processor is asked for more processes than it has cores.
    """
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_model_summary": False}
    try:
        trainer = L.Trainer(**dict(options) | quiet, callbacks=[])
    except Exception as error:  # Lightning's, torch's and the plugins' own kinds
        given = {name: options[name] for name in WHERE if options.get(name) not in (None, "auto", 1)}
        said = ", ".join(f"trainer.{name}={value}" for name, value in given.items())
        reason = " ".join(str(error).split())
        raise OverpaintError(f"Lightning refuses {said}: {reason}") from error
    if str(options["strategy"]).endswith(SPAWNED):
        raise OverpaintError(
            f"trainer.strategy={options['strategy']} copies the run into its processes, which a run can't be; ddp "
            "starts them anew"
        )
    started = launched_count(os.environ)
    if started not in (None, trainer.world_size):  # else each would do all the work
        raise OverpaintError(
            f"{started} processes were started, but the settings ask for {trainer.world_size}; trainer.strategy=ddp, "
            "trainer.devices=, how many run on each machine, and trainer.num_nodes=, how many machines, must agree"
        )
    here, cores = trainer.num_devices, os.cpu_count() or 1
    if trainer.strategy.root_device.type == "cpu" and here > cores:
        raise OverpaintError(f"trainer.devices={options['devices']} asks for {here} processes of {cores} cores")
    return trainer.world_size


def guarded(trainer: L.Trainer, work: Callable[[], object]) -> None:
    """Calls a Trainer's method; Ctrl-C, which the Trainer turns into an exit, stays what it was.

    Raises:
        OverpaintError: If the run's processes do not find each other, or lose one.
    """
    try:
        work()
    except (torch.distributed.DistError, RuntimeError) as error:
        said = " ".join(str(error).split())
        if isinstance(error, torch.distributed.DistNetworkError):
            raise OverpaintError(
                f"the processes of this run can't meet ({said[:200]}); if the port is in use, MASTER_PORT=... in the "
                "environment names another"
            ) from error
        if isinstance(error, torch.distributed.DistError) or LOST in said:
            raise OverpaintError(
                f"a process of this run was lost ({said[:200]}); what is complete is kept, and the same command, for "
                "training with resume=true, goes on"
            ) from error
        raise
    except SystemExit as error:
        if trainer.interrupted:
            raise KeyboardInterrupt from error
        raise
