"""Sizes along spatial dimensions, in settings and in messages."""

from collections.abc import Sequence

from overpaint.core.errors import OverpaintError


def as_size(given: int | Sequence[int], dimensions: int | None = 2, name: str = "image_size") -> tuple[int, ...]:
    """Returns the size along each spatial dimension that a setting says.

    Args:
        given: One number for every dimension (the side of a square), or one for each.
        dimensions: How many there are; None: as many as are given, two for a single number.
        name: The setting's name, for errors.

    Raises:
        OverpaintError: If there are fewer or more numbers, or one is below 1.
    """
    size = tuple(given) if isinstance(given, Sequence) else (given,) * (dimensions or 2)
    if not size or len(size) != (dimensions or len(size)):
        raise OverpaintError(f"{name}={list(size)} must be one number, or {dimensions or 2} of them")
    if min(size) < 1:
        raise OverpaintError(f"{name}={plain_size(size)} must be at least 1")
    return size


def plain_size(size: Sequence[int]) -> int | list[int]:
    """Returns a size as settings and checkpoints have it: one number where all are alike, else the list."""
    return size[0] if len(size) > 1 and len(set(size)) == 1 else list(size)


def format_size(size: Sequence[int | None]) -> str:
    """Returns a size as it is written in a message, such as ``96x160``; a side that is free is ``any``."""
    return "x".join("any" if side is None else str(side) for side in size)
