"""Work in the background: a thread with its progress, its end and its error. It never touches Streamlit."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import torch

from overpaint.core.errors import OverpaintError

Found = TypeVar("Found")

UNWATCHED = 60.0
"""Seconds after which work ends that no page asks for: its tab was closed."""

MEMORY_SAID = (
    "memory ran out; what was found before is kept. A smaller image, fewer variants or fewer queries need less"
)

LOGGER = logging.getLogger(__name__)


class JobStopped(Exception):  # noqa: N818 - no error: somebody asked for it
    """Ends the work of a job."""


class Job(Generic[Found]):
    """Work that runs in a thread of its own.

    Args:
        name: What it does, for the page.
        work: The work; it calls `note` often, and sets ``found`` as soon as there is something to see.

    Attributes:
        found: What was found so far; None: nothing yet.
        share: How much of the work is done, from 0 to 1.
        said: What it does at the moment.
        error: Why it failed, in a sentence; None: it did not.
        running: Whether it still runs.
        stopped: Whether it was ended before it was done.
    """

    def __init__(self, name: str, work: Callable[["Job[Found]"], None]) -> None:
        self.name, self._work = name, work
        self.found: Found | None = None
        self.share, self.said = 0.0, f"{name}: waits for its turn"
        self.error: str | None = None
        self.running, self.stopped, self.enough = True, False, False
        self._end, self._visible, self._seen = threading.Event(), threading.Event(), time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"overpaint {name}", daemon=True)

    def start(self) -> "Job[Found]":
        """Begins the work."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Asks the work to end; what was found is kept."""
        self._end.set()

    def settle(self) -> None:
        """Asks sampling to end at the next round, with the map that it has."""
        self.enough = True

    def seen(self) -> None:
        """Says that a page looks at it; who is not seen for `UNWATCHED` seconds ends."""
        self._seen = time.monotonic()

    def note(self, share: float, said: str) -> None:
        """Notes how far the work is.

        Raises:
            JobStopped: If somebody asked it to end, or nobody looks any more.
        """
        self.share, self.said = min(max(share, 0.0), 1.0), said
        if self._end.is_set() or time.monotonic() - self._seen > UNWATCHED:
            raise JobStopped

    def reveal(self) -> None:
        """Says that there is something to see, and that more takes a while."""
        self._visible.set()

    def wait_to_see(self, seconds: float) -> None:
        """Waits until there is something to see, or the end."""
        self._visible.wait(seconds)

    def wait(self, seconds: float) -> bool:
        """Waits for the end; returns whether it has come."""
        self._thread.join(seconds)
        return not self.running

    def _run(self) -> None:
        try:
            self._work(self)
        except JobStopped:
            self.stopped = True
        except Exception as error:  # whatever happens, the page lives on and says it
            self.error = said_of(error)
        finally:
            self.running = False
            self._visible.set()


def said_of(error: Exception) -> str:
    """Returns the sentence in which a page tells an error; what we did not foresee is logged whole."""
    if isinstance(error, OverpaintError):
        return str(error)
    text = str(error).splitlines()[0] if str(error) else ""
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return MEMORY_SAID
    LOGGER.error("unforeseen", exc_info=error)
    return f"something went wrong ({type(error).__name__}{': ' if text else ''}{text}); the terminal has the details"
