"""One run at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import SoftFileLock, Timeout

from overpaint.cli.console import FIRST_PROCESS
from overpaint.core.errors import OverpaintError

LOCK = ".lock"
"""The name of the file that says which process writes into a folder."""


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Keeps a folder for this run while the block runs.

    The lock names host and process; that of a process which is no more is taken over. With several processes the first
    one holds it for all.

    Args:
        folder: The folder; it is made where there is none.

    Raises:
        OverpaintError: If another run has it.
    """
    if not FIRST_PROCESS:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = SoftFileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise OverpaintError(
            f"{folder} is in use{_holder(folder / LOCK)}; wait for it, or name another output="
        ) from error
    try:
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    """Says who has a lock."""
    try:
        process, host = path.read_text().split()[:2]
    except (OSError, ValueError):
        return f" by another run (if there is none, delete {path})"
    here = host == os.uname().nodename
    return f" by process {process} of {'this machine' if here else f'{host} (if it is no more, delete {path})'}"
