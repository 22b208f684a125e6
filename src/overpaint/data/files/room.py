"""Room that threads share, so that what they hold at once is bounded."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class Room:
    """An amount of something of which each thread takes what it needs, and waits until that is free.

    Args:
        size: How much there is; one that needs more waits until nothing is taken.
    """

    def __init__(self, size: float) -> None:
        self.size = size
        self._free, self._changed = size, Condition()

    @contextmanager
    def taken(self, amount: float) -> Iterator[None]:
        """Holds an amount while the block runs."""
        amount = min(amount, self.size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify_all()
