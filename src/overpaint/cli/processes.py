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

POLL_SECONDS = 1.0
"""How often a process looks whether the one that started it is still there."""


def is_first(environment: Mapping[str, str]) -> bool:
    """Tells whether this is the process that speaks and prepares folders.

    Args:
        environment: The process's environment.
    """
    names = (GLOBAL_RANK,) if GLOBAL_RANK in environment else LOCAL_RANKS
    return all(int(environment.get(name) or 0) == 0 for name in names)


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
