"""The console of the entry points, on which the first process alone speaks."""

import os

from rich.console import Console

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables of the environment in which a launcher says which process this is, the first that is set."""

FIRST_PROCESS = next((int(os.environ[name]) for name in RANKS if name in os.environ), 0) == 0
"""Whether this is the process that speaks and prepares folders; with several devices there are others."""

console = Console(highlight=False, soft_wrap=True, quiet=not FIRST_PROCESS)
"""Where the entry points speak."""
