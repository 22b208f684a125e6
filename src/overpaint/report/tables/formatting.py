"""Numbers as text."""

import math
from typing import Any


def shown(value: Any, absent: str = "–") -> str:
    """Writes a number to three digits, and ``absent`` for None."""
    if value is None:
        return absent
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def value_with_error(mean: float, low: float, high: float) -> str:
    """Writes a mean and half of its interval, to two digits of that half; without an interval, to three digits."""
    half = (high - low) / 2
    if not math.isfinite(mean):
        return "–"
    if not half > 0 or not math.isfinite(half):
        return f"{mean:.3g}"
    decimals = min(6, max(0, 1 - math.floor(math.log10(half))))
    return f"{mean:.{decimals}f} ±{half:.{decimals}f}"
