"""Reductions of a signed attribution to a map."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from overpaint.core.types import Images, Maps

Sign = Literal["signed", "positive", "absolute"]
"""``signed``: as computed; ``positive``: evidence for the class alone, ``max(x, 0)``; ``absolute``: ``|x|``."""


def reduce_sign(values: Float[Tensor, "*shape"], sign: Sign) -> Float[Tensor, "*shape"]:
    """Returns ``values`` with the chosen sign."""
    if sign == "signed":
        return values
    return values.clamp(min=0) if sign == "positive" else values.abs()


def reduce_channels(gradients: Images, sign: Sign) -> Maps:
    """Reduces gradients to a map.

    - ``absolute``: ``max_c |g_c|`` (Simonyan et al., 2014, section 3.1);
    - ``signed``: ``Σ_c g_c``, the derivative with respect to the same change of every channel;
    - ``positive``: ``max(Σ_c g_c, 0)``.
    """
    if sign == "absolute":
        return gradients.abs().amax(1)
    return reduce_sign(gradients.sum(1), sign)
