"""Random streams that belong to an image, not to the run.

A stream is keyed by the seed, the image's content and what it is used for. So the result of an image does not depend
on its batch, its place in the order, the number of devices or what was drawn before.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from jaxtyping import Float
from torch import Tensor

_drawn_as: ContextVar[Tensor | None] = ContextVar("drawn_as", default=None)


@contextmanager
def drawing_as(image: Float[Tensor, "channel *space"]) -> Iterator[None]:
    """Within it the streams of every image are those of ``image``: common random numbers.

    Who compares a method's maps of an image and of slightly changed ones measures the change alone, and no sampling
    noise, if all are drawn alike. It holds for what this thread runs, a dialogue that the engine leads included if
    it is led to its end here.

    Args:
        image: The image whose content keys the streams.
    """
    token = _drawn_as.set(image)
    try:
        yield
    finally:
        _drawn_as.reset(token)


def image_rng(image: Float[Tensor, "channel *space"], seed: int, *words: str) -> torch.Generator:
    """Makes the random stream of an image.

    Args:
        image: The image, in ``[0, 1]``; within `drawing_as` the image that was named there takes its place.
        seed: The run's seed.
        words: What the stream is for, such as the method's name.

    Returns:
        A generator on the CPU, so that every device sees the same draws.
    """
    named = _drawn_as.get()
    image = image if named is None else named
    digest = hashlib.blake2b(digest_size=8)
    digest.update(image.detach().float().cpu().contiguous().numpy().tobytes())
    digest.update("\0".join([str(seed), *words]).encode())
    return torch.Generator().manual_seed(int.from_bytes(digest.digest(), "big", signed=True))
