"""A logger that keeps the metrics of a run's epochs in one CSV file."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from overpaint.core.choices import MODELS
from overpaint.core.files import read_csv, write_csv

OF_CLASS = re.compile(r"(accuracy|share|coverage)_of_")
"""What is before a class in the name of its measure."""


class CsvLogger(Logger):
    """Keeps ``metrics.csv``: a row for each epoch of each model.

    Lightning's CSVLogger deletes its file when a run starts, so a resumed run would lose its history; this one keeps
    the rows of the epochs before, and of the other models, which come in the order of `MODELS`. What is logged within
    an epoch is left to other loggers.

    Args:
        path: The file.
        model: The model's name, for the rows' first column.
    """

    def __init__(self, path: Path, model: str) -> None:
        super().__init__()
        self.path, self.model = path, model
        self._label: str | None = None
        self._row: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def version(self) -> str:
        """The model."""
        return self.model

    @contextmanager
    def row(self, label: str) -> Iterator[None]:
        """What is logged inside the ``with`` block goes into a row with this label instead of the epoch's number."""
        self._label = label
        try:
            yield
        finally:
            self._label = None

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds an epoch's metrics to its row, and writes the file; a step's metrics are left out."""
        named = [name for name in metrics if "/" in name and not (name.endswith("_step") and not OF_CLASS.search(name))]
        if not named:
            return
        found = {_without_epoch(name): f"{metrics[name]:.6g}" for name in named}
        own = {"model": self.model, "epoch": self._label or str(int(metrics["epoch"]))}
        logged_before = self._row if own.items() <= self._row.items() else own
        self._row = {**logged_before, **found}
        earlier = [{name: value for name, value in row.items() if value} for row in read_csv(self.path)]
        kept = [row for row in earlier if row["model"] != self.model or _is_before(row["epoch"], own["epoch"])]
        write_csv(self.path, sorted([*kept, self._row], key=lambda row: MODELS.index(row["model"])))

    @rank_zero_only
    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        """Leaves them out: the run's folder has its configuration."""


def _without_epoch(name: str) -> str:
    """Takes away what Lightning adds to the mean over an epoch, but nothing of the name of a class."""
    return name if OF_CLASS.search(name) else name.removesuffix("_epoch")


def _is_before(other: str, epoch: str) -> bool:
    """Tells whether a row stays when that of ``epoch`` is written: later epochs are of a run that was stopped."""
    if epoch.isdecimal():
        return other.isdecimal() and int(other) < int(epoch)
    return other != epoch
