"""The mode of a W&B run, by the settings and the environment, without importing W&B."""

import os

from overpaint.core.choices import WandbMode
from overpaint.core.errors import OverpaintError

VARIABLE = "WANDB_MODE"
"""The variable of the environment that W&B itself obeys."""

MEANINGS: dict[str, WandbMode] = {
    "online": "online",
    "run": "online",
    "shared": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "none",
}
"""W&B's words, and what they mean here."""


def wandb_mode(said: WandbMode | None) -> WandbMode:
    """Returns where a run goes: as the settings say, else as ``WANDB_MODE`` says, else to disk.

    ``WANDB_MODE=disabled`` is obeyed in any case.

    Args:
        said: ``logger.mode``.

    Raises:
        OverpaintError: If ``WANDB_MODE`` is no word of W&B's, which would refuse it, too.
    """
    word = os.environ.get(VARIABLE) or "offline"
    if word not in MEANINGS:
        raise OverpaintError(
            f"the environment has {VARIABLE}={word}, which W&B does not know; it takes {', '.join(MEANINGS)}"
        )
    return "none" if MEANINGS[word] == "none" else said or MEANINGS[word]
