"""Whose turn it is to use a model that all visitors share."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that long work gives to others for a moment when it can."""

    def __init__(self) -> None:
        self._lock, self._count = threading.Lock(), threading.Lock()
        self._waiting = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits until the model is free, and has it within the ``with`` block."""
        self._acquire()
        try:
            yield
        finally:
            self._lock.release()

    def give_way(self) -> None:
        """Lets those who wait have their turn; called by who has it, while nothing of the model is changed."""
        if self._waiting:
            self._lock.release()
            time.sleep(0.001)
            self._acquire()

    def _acquire(self) -> None:
        with self._count:
            self._waiting += 1
        try:
            self._lock.acquire()
        finally:
            with self._count:
                self._waiting -= 1
