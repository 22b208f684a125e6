"""The words of ``overpaint web``."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOCAL = "127.0.0.1"
"""The address on which only this machine can reach the page."""


@dataclass(frozen=True)
class PageOptions:
    """How the page is started.

    Attributes:
        outputs: The folder of the runs that it offers.
        allow_code: Whether classifiers may be opened that run code of their own: ``package.module:factory``,
            TorchScript and torch.export files.
        port: Where it listens; None: at 8501, or the next free port.
        address: Who can reach it: by default this machine alone.
    """

    outputs: Path
    allow_code: bool = False
    port: int | None = None
    address: str = LOCAL


def read_options(words: Sequence[str]) -> PageOptions:
    """Reads the words; prints help or an error of one line, and exits, where they ask for it.

    Args:
        words: What stands behind ``overpaint web``.
    """
    parser = argparse.ArgumentParser("overpaint web", description="opens the local web page of Overpaint")
    parser.add_argument("--port", type=int, help="where it listens; default: 8501, or the next free port")
    parser.add_argument("--address", default=LOCAL, help=f"default {LOCAL}: only this machine can reach it")
    parser.add_argument(
        "--outputs", type=Path, default=Path("outputs"), help="the folder of the runs; default: outputs"
    )
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="also open classifiers that run code: package.module:factory, .pt and .pt2 files",
    )
    read = parser.parse_args(list(words))
    if read.port is not None and not 1 <= read.port <= 65535:
        parser.error(f"--port {read.port} must be a number from 1 to 65535")
    return PageOptions(read.outputs, read.allow_code, read.port, read.address)
