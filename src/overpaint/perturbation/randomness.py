"""Random streams that belong to an image, not to the run.

A stream is keyed by the seed, the image's content and what it is used for. So the result of an image does not depend
on its batch, its place in the order, the number of devices or what was drawn before.
"""

import hashlib

import torch
from jaxtyping import Float
from torch import Tensor


def image_rng(image: Float[Tensor, "channel *space"], seed: int, *words: str) -> torch.Generator:
    """Makes the random stream of an image.

    Args:
        image: The image, in ``[0, 1]``.
        seed: The run's seed.
        words: What the stream is for, such as the method's name.

    Returns:
        A generator on the CPU, so that every device sees the same draws.
    """
    digest = hashlib.blake2b(digest_size=8)
    digest.update(image.detach().float().cpu().contiguous().numpy().tobytes())
    digest.update("\0".join([str(seed), *words]).encode())
    return torch.Generator().manual_seed(int.from_bytes(digest.digest(), "big", signed=True))
