"""A few of many, evenly over all of them."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """Returns at most ``most`` of the items, in their order and evenly over all; all where there are no more."""
    count = len(items)
    if count <= most:
        return list(items)
    return [items[i * count // most] for i in range(most)]
