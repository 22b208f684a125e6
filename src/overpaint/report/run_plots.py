"""Plots of a whole run, and how they become files."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from overpaint.core.files import write_bytes


class Topic(Enum):
    """What a plot is about; plots of one topic stand together in the report."""

    MAPS = "maps"
    VARIANTS = "variants"


@dataclass(frozen=True)
class RunPlot:
    """A chart of all images.

    Attributes:
        name: Of its file, without suffix.
        caption: What it shows.
        picture: The PNG file's content.
        topic: What it is about.
        fold: Under which heading the report folds it away; empty: it does not.
        description: What the metric or the probe behind it does.
    """

    name: str
    caption: str
    picture: bytes
    topic: Topic
    fold: str = ""
    description: str = ""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"chart_{self.name}.png"


def write_plots(folder: Path, plots: Sequence[RunPlot]) -> None:
    """Writes the file of each plot, in place of those of an earlier run."""
    for path in folder.glob("chart_*.png"):
        path.unlink()
    for plot in plots:
        write_bytes(folder / plot.file, plot.picture)
