"""Types of settings with bounds: a field says its own, ``queries: Count``, and every check of it reads them there."""

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

MOST = 2**31 - 1
"""No count is larger."""


@dataclass(frozen=True)
class Bounds:
    """The numbers that a setting takes, beside that they are finite; of a list, how many entries it has.

    Attributes:
        least: The smallest number that is taken.
        above: A number below the smallest that is taken.
        most: The largest that is taken.
        below: A number above the largest that is taken.
        filled: Of a list: it has an entry.
        distinct: Of a list: no entry comes twice.
    """

    least: int | float | None = None
    above: int | float | None = None
    most: int | float | None = None
    below: int | float | None = None
    filled: bool = False
    distinct: bool = False

    def holds(self, value: int | float) -> bool:
        """Returns whether a number lies inside; NaN lies nowhere."""
        low = (self.least is None or value >= self.least) and (self.above is None or value > self.above)
        return low and (self.most is None or value <= self.most) and (self.below is None or value < self.below)

    @property
    def ends(self) -> tuple[int | float | None, int | float | None]:
        """The two ends, whether they are taken themselves or not; None: there is none."""
        return self.least if self.above is None else self.above, self.most if self.below is None else self.below

    @property
    def said(self) -> str:
        """What a number must do to lie inside, such as ``must lie in (0, 1]``."""
        low, high = self.ends
        if low is not None and high not in (None, MOST):
            return f"must lie in {'[' if self.above is None else '('}{low}, {high}{']' if self.below is None else ')'}"
        if self.above is not None:
            return f"must be above {low}"
        return f"must be at least {low}" if low else "must not be negative"


FILLED = Bounds(filled=True)
"""A list that has an entry."""

DISTINCT = Bounds(filled=True, distinct=True)
"""A list that has an entry, and none twice."""

Count = Annotated[int, Bounds(least=1, most=MOST)]
"""How many of something there are, at least one."""

CountOrNone = Annotated[int, Bounds(least=0, most=MOST)]
"""How many of something there are, perhaps none."""

Several = Annotated[int, Bounds(least=2, most=MOST)]
"""How many of something there are, at least two."""

Seed = Annotated[int, Bounds(least=0, most=2**32 - 1)]
"""A seed that every library takes, numpy's being the narrowest."""

ImageSize = Count | Annotated[Sequence[Count], FILLED]
"""The side of a square in pixels, or the size along each spatial dimension."""

Positive = Annotated[float, Bounds(above=0)]
"""A number above 0."""

NotNegative = Annotated[float, Bounds(least=0)]
"""A number of at least 0."""

Share = Annotated[float, Bounds(above=0, most=1)]
"""A share of something, not nothing and at most all."""

ShareOrNone = Annotated[float, Bounds(least=0, most=1)]
"""A share of something, perhaps nothing or all."""

ShareBelowAll = Annotated[float, Bounds(least=0, below=1)]
"""A share of something, perhaps nothing and not all."""

Inside = Annotated[float, Bounds(above=0, below=1)]
"""A number between 0 and 1."""


def fault(value: Any, hint: Any) -> str | None:
    """Returns what is wrong with a value's size by the bounds of its type: the end of a sentence; None if nothing.

    Numbers of any kind must be finite. Whether the value is of the type at all is not looked at.

    Args:
        value: The value.
        hint: The type, with or without bounds.
    """
    if isinstance(value, bool | str) or value is None:
        return None
    if get_origin(hint) is Annotated:
        kind, *more = get_args(hint)
        found = [_outside(value, bounds) for bounds in more if isinstance(bounds, Bounds)]
        return fault(value, kind) or next((said for said in found if said), None)
    if get_origin(hint) in (Union, UnionType):
        found = [fault(value, kind) for kind in get_args(hint) if _may_hold(kind, value)]
        return None if None in found else next(iter(found), None)
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    if isinstance(value, Mapping):
        return next((said for each in value.values() if (said := fault(each, Any))), None)
    if isinstance(value, list | tuple):
        kinds = [kind for kind in get_args(hint) if kind is not Ellipsis] or [Any]
        kinds = kinds * len(value) if len(kinds) == 1 else kinds
        return next((said for each, kind in zip(value, kinds, strict=False) if (said := fault(each, kind))), None)
    return None


def _outside(value: Any, bounds: Bounds) -> str | None:
    if isinstance(value, list | tuple):
        if bounds.filled and not value:
            return "must hold at least one entry"
        return "must not hold an entry twice" if bounds.distinct and len({*map(str, value)}) < len(value) else None
    if not isinstance(value, int | float) or bounds.holds(value):
        return None
    return f"must be at most {MOST}" if bounds.most == MOST < value else bounds.said


def _may_hold(kind: Any, value: Any) -> bool:
    """Returns whether a member of a union may be meant by a value: numbers are not lists."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(bare) in (Union, UnionType):
        return any(_may_hold(each, value) for each in get_args(bare))
    if isinstance(value, list | tuple):
        return get_origin(bare) in (list, tuple, Sequence)
    if isinstance(value, int):
        return bare in (int, float)
    return bare is float if isinstance(value, float) else True


def bounds_of(hint: Any) -> Bounds:
    """Returns the bounds of the numbers that a type takes; of a union, of its first member that has any.

    Args:
        hint: The type, with or without bounds.
    """
    if get_origin(hint) is Annotated:
        kind, *more = get_args(hint)
        own = [bounds for bounds in more if isinstance(bounds, Bounds) and not bounds.filled]
        return own[0] if own else bounds_of(kind)
    if get_origin(hint) in (Union, UnionType):
        return next((found for kind in get_args(hint) if (found := bounds_of(kind)) != Bounds()), Bounds())
    return Bounds()


def without_bounds(hint: Any) -> Any:
    """Returns a type as it is called in a sentence: without its bounds."""
    if get_origin(hint) is Annotated:
        return without_bounds(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return functools.reduce(operator.or_, [without_bounds(kind) for kind in get_args(hint)])
    if get_origin(hint) in (list, tuple, Sequence):
        return get_origin(hint)[tuple(without_bounds(kind) for kind in get_args(hint))]
    return hint
