"""Finds the first process of a run over several devices, and ends the others with it."""

import os
import sys
import threading
import time
from collections.abc import Mapping

GLOBAL_RANK = "RANK"
"""The variable in which torchrun says which of all processes this is."""

LOCAL_RANKS = ("LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables in which other launchers say it; the first process has 0 in each that is set."""

COUNTS = {GLOBAL_RANK: "WORLD_SIZE", "SLURM_PROCID": "SLURM_NTASKS"}
"""Which variable says how many processes a launcher started, by the one in which it says which this is."""

INTERACTIVE = ("bash", "interactive")
"""Names of SLURM's jobs that are a shell on a node, in which Lightning starts the processes itself."""

POLL_SECONDS = 1.0
"""How often a process looks whether the one that started it is still there."""


def is_first(environment: Mapping[str, str]) -> bool:
    """Tells whether this is the process that speaks and prepares folders.

    Args:
        environment: The process's environment.
    """
    names = (GLOBAL_RANK,) if GLOBAL_RANK in environment else LOCAL_RANKS
    return all(int(environment.get(name) or 0) == 0 for name in names)


def is_launched(environment: Mapping[str, str]) -> bool:
    """Tells whether something else started this process, perhaps with others of the same run.

    Args:
        environment: The process's environment.
    """
    return any(name in environment for name in (GLOBAL_RANK, *LOCAL_RANKS))


def launched_count(environment: Mapping[str, str]) -> int | None:
    """Returns how many processes torchrun or SLURM started; None where neither did.

    Args:
        environment: The process's environment.
    """
    if environment.get("SLURM_JOB_NAME") in INTERACTIVE:
        return None
    found = next((environment.get(count, "") for rank, count in COUNTS.items() if rank in environment), "")
    return int(found) if found.isdecimal() else None


def end_with_parent() -> None:
    """Lets a process that another one of the run has started end soon after that one has.

    A process whose first process was killed would else wait half an hour for it.
    """
    if "LOCAL_RANK" in os.environ and not is_first(os.environ):
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    sys.stderr.write("the process that started this one has ended, and so does this; what is complete is kept\n")
    sys.stderr.flush()
    os._exit(1)
