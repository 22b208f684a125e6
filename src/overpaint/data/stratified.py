"""Splits at random, each class by itself, so that every part has its share of every class."""

from collections.abc import Hashable, Sequence

import torch


def stratified_parts(classes: Sequence[Hashable], parts: Sequence[str], rest: str, seed: int) -> dict[str, list[int]]:
    """Splits items into parts of a tenth of each class, and the rest.

    A class gives a tenth of its items, rounded down, to each part, and one at least where it then keeps one for the
    rest. A part that no class could serve takes one of the class that has most left.

    Args:
        classes: The class of each item; items without one share a class of their own.
        parts: The names of the parts.
        rest: The name of the rest.
        seed: Seed of the order, in which the items of each part are.

    Returns:
        The indices of the items of each part and of the rest; each item is in one of them. There must be more items
        than parts, so that none is empty.

    Raises:
        ValueError: If there are not.
    """
    if len(classes) <= len(parts):
        raise ValueError(f"{len(classes)} items are too few for {len(parts) + 1} parts")
    order: list[int] = torch.randperm(len(classes), generator=torch.Generator().manual_seed(seed)).tolist()
    left: dict[Hashable, list[int]] = {}
    for index in order:
        left.setdefault(classes[index], []).append(index)
    tenths = {name: max(1, len(own) // 10) for name, own in left.items()}
    taken: dict[str, list[int]] = {}
    for part in parts:
        chosen: list[int] = []
        for name, own in left.items():
            count = min(tenths[name], len(own) - 1)
            chosen += own[:count]
            left[name] = own[count:]
        if not chosen:
            most = max(left, key=lambda name: len(left[name]))
            chosen, left[most] = left[most][:1], left[most][1:]
        taken[part] = chosen
    place = {index: at for at, index in enumerate(order)}
    taken[rest] = [index for own in left.values() for index in own]
    return {name: sorted(indices, key=place.__getitem__) for name, indices in taken.items()}
