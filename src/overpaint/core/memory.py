"""Memory: what settings ask for, compared with what there is before it is taken, and what is given back."""

import ctypes
import os
import platform
from pathlib import Path

from overpaint.core.errors import OverpaintError

MEMINFO, GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
"""Where Linux says what is free, and what a container may take."""

FLOAT = 4
"""Bytes of a number in single precision."""


def free_memory() -> int | None:
    """Returns the bytes that this process can still take; None where the system does not say it."""
    found = []
    if MEMINFO.is_file():
        lines = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
        found += [int(lines["MemAvailable"].split()[0]) * 1024] if "MemAvailable" in lines else []
    elif "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    limit, used = GROUP / "memory.max", GROUP / "memory.current"
    if limit.is_file() and used.is_file() and (most := limit.read_text().strip()).isdigit():
        found.append(int(most) - int(used.read_text()))
    return min(found) if found else None


def give_back_freed_memory() -> None:
    """Gives memory that was freed back to the system, where the C library is glibc, which may else keep it."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def check_memory(what: str, needed: int) -> None:
    """Checks that something fits into the memory that is free.

    Args:
        what: The settings that ask for it, for errors.
        needed: Bytes, a low estimate: what is refused could not have run.

    Raises:
        OverpaintError: If it does not.
    """
    free = free_memory()
    if free is not None and needed > free:
        raise OverpaintError(
            f"{what} needs about {needed / 1e9:.3g} GB of memory, and {free / 1e9:.3g} GB are free; a smaller number "
            "needs less"
        )
