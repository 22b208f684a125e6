"""The console of the entry points; it is quiet in all processes but the first."""

import os

from rich.console import Console

from overpaint.cli.processes import is_first

FIRST_PROCESS = is_first(os.environ)
"""Whether this is the process that speaks and prepares folders; with several devices there are others."""

console = Console(highlight=False, soft_wrap=True, quiet=not FIRST_PROCESS)
"""Where the entry points speak."""
