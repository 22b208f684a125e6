"""Runs an entry point: its errors become one sentence, its interruption a line that says how to go on."""

import errno
import shlex
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from rich.console import Console
from rich.markup import escape

from overpaint.cli.allocator import keep_freed_memory
from overpaint.cli.console import console
from overpaint.cli.faults import FAULT, WRONG, is_fault, sentence
from overpaint.cli.processes import end_with_parent
from overpaint.configuration.run_settings import explain_settings, train_settings
from overpaint.core.commands import command
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.names import printable

UNNEEDED = (
    ".*does not have many workers.*",  # the data is in memory
    ".*smaller than the logging interval.*",
    ".*`DistributedSampler` with the dataloaders.*",  # the test split is measured to the nearest batch
    ".*exists and is not empty.*",  # the output folder, by design
    ".*in eval mode at the start of training.*",  # the averaged generator, by design
    ".*LeafSpec.*",  # Lightning's own use of torch
)
"""Warnings of Lightning that ask nothing of a user here."""

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG)
"""Errors of the file system that a user can mend."""

Entry = Literal["train", "explain"]


def train(configs: Path, overrides: Sequence[str]) -> None:
    """Trains what ``model`` names.

    Torch and Lightning, which take seconds, are imported once the settings are found to be right.

    Args:
        configs: The folder of the configuration files.
        overrides: The ``key=value`` words of the command line.

    Raises:
        OverpaintError: For anything the user can mend.
    """
    settings = train_settings(configs, overrides)
    from overpaint.cli.train import train_models

    train_models(settings)


def explain(configs: Path, overrides: Sequence[str]) -> None:
    """Explains images with the checkpoints of a run; see `train`.

    Args:
        configs: The folder of the configuration files.
        overrides: The ``key=value`` words of the command line.

    Raises:
        OverpaintError: For anything the user can mend.
    """
    settings = explain_settings(configs, overrides)
    from overpaint.cli.explain import explain_images

    explain_images(settings, f"{command('explain')} {shlex.join(overrides)}".strip())


def run(entry: Entry, configs: Path, overrides: Sequence[str]) -> None:
    """Runs an entry point and exits.

    The status is 0 for success, 2 for wrong input, 1 for a fault of ours, 130 for Ctrl-C or SIGTERM.

    Args:
        entry: Its name.
        configs: The folder of the configuration files.
        overrides: The ``key=value`` words of the command line; ``--help`` shows the entry's settings.
    """
    keep_freed_memory()
    for unneeded in UNNEEDED:
        warnings.filterwarnings("ignore", unneeded)
    warnings.showwarning = _warning_shower(warnings.showwarning)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    end_with_parent()
    try:
        if {"-h", "--help"} & set(overrides):
            _print_settings(configs, entry)
            return
        (train if entry == "train" else explain)(configs, overrides)
    except OverpaintError as error:
        _end_with(str(error))
    except OSError as error:
        if error.errno not in UNWRITABLE:
            _end_with_unforeseen(error, overrides)
        where = "" if error.filename is None else f" {error.filename}"
        _end_with(f"{(error.strerror or str(error)).lower()}:{where or ' the output'}; what is complete is kept")
    except KeyboardInterrupt:
        how = "resume=true" if entry == "train" else "the same command"
        Console(stderr=True).print(f"stopped; what is complete is kept, and {how} goes on from there")
        sys.exit(130)
    except Exception as error:
        _end_with_unforeseen(error, overrides)


def _stop(_number: int, _frame: object) -> NoReturn:
    """Stops a run on SIGTERM, by which clusters and containers end it, as on Ctrl-C."""
    raise KeyboardInterrupt


def _end_with_unforeseen(error: Exception, overrides: Sequence[str]) -> NoReturn:
    """Says in one sentence what nothing has foreseen; ``debug=true`` shows where it happened."""
    if "debug=true" in overrides:
        traceback.print_exception(error)
    _end_with(sentence(error), FAULT if is_fault(error) else WRONG)


def _end_with(error: str, status: int = WRONG) -> NoReturn:
    """Prints the sentence of an error, and exits."""
    said = printable(" ".join(error.splitlines()))
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold red]error:[/] {escape(said)}")
    sys.exit(status)


def _print_settings(configs: Path, entry: Entry) -> None:
    """Prints the files that hold an entry point's settings; those of a folder are settings below its name."""
    folders = {"train": ("data", "model"), "explain": ("data", "saliency", "metrics", "probes")}[entry]
    for path in [configs / f"{entry}.yaml", *(p for name in folders for p in sorted((configs / name).glob("*.yaml")))]:
        console.print(f"[bold]# configs/{path.relative_to(configs)}[/]")
        console.print(path.read_text(), markup=False)


def _warning_shower(others: Callable[..., None]) -> Callable[..., None]:
    """Makes a ``warnings.showwarning`` that prints our own warnings as one line and leaves ``others`` as they are."""

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, OverpaintWarning):
            Console(stderr=True, highlight=False, soft_wrap=True).print(f"[yellow]warning:[/] {escape(str(message))}")
        else:
            others(message, category, *where, **more)

    return show
