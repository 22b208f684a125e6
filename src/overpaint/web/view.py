"""How the page shows inputs of a kind: the one place where images and series differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from overpaint.core.choices import ChannelMode
from overpaint.core.protocols import Classifier
from overpaint.web.chosen import ChosenInput

Arrays = Mapping[str, NDArray[Any]]

Region = Bool[np.ndarray, "*space"]

Box = tuple[tuple[int, int], ...]
"""Along each spatial dimension the first place and the one behind the last."""


@dataclass(frozen=True)
class ShownMap:
    """A map as it is shown.

    Attributes:
        method: The method.
        values: The map.
        errors: Its standard errors; None: the method has none.
        region: Its region.
        largest: The value of full colour, for maps on one scale; None: the greatest of this map.
        opacity: How much the map hides, from 0 to 1.
        by_channel: The map of each channel; None: they were explained together.
        about: What it is, for those who don't see it.
    """

    method: str
    values: Float[np.ndarray, "*space"]
    errors: Float[np.ndarray, "*space"] | None
    region: Region
    largest: float | None
    opacity: float
    by_channel: Float[np.ndarray, "channel *space"] | None
    about: str


@dataclass(frozen=True)
class InputFile:
    """An input as a file to be downloaded.

    Attributes:
        label: Of the button.
        name: The file's.
        mime: Its kind.
        encode: Makes what it holds; the page is drawn far more often than it is downloaded.
    """

    label: str
    name: str
    mime: str
    encode: Callable[[], bytes]

    @property
    def content(self) -> bytes:
        """What it holds."""
        return self.encode()


@runtime_checkable
class InputView(Protocol):
    """How the page takes, shows and marks inputs of a kind."""

    @property
    def word(self) -> str:
        """What an input is called."""
        ...

    @property
    def places(self) -> str:
        """What it is made of."""
        ...

    @property
    def ways(self) -> Sequence[str]:
        """Where it may come from."""
        ...

    @property
    def axes(self) -> Sequence[str]:
        """What is counted along each spatial dimension."""
        ...

    @property
    def of_object(self) -> str:
        """What a visitor says who marks the object by a `Box`."""
        ...

    @property
    def legend(self) -> str:
        """What the marks of a map mean, beside its colours."""
        ...

    @property
    def thumbnail_width(self) -> int:
        """Pixels in width of a small picture, at least."""
        ...

    @property
    def map_width(self) -> int:
        """Pixels in width of a map, at least."""
        ...

    def chosen(self, name: str, pixels: Float[Tensor, "1 channel *space"], classifier: Classifier) -> ChosenInput:
        """Takes what a data set or an earlier run holds, in ``[0, 1]`` or scaled."""
        ...

    def ask_upload(self, way: str) -> tuple[str, bytes] | None:
        """Asks for a file; returns its name and content, None where nothing was sent yet."""
        ...

    def read_upload(self, path: Path, name: str, classifier: Classifier) -> ChosenInput:
        """Reads an uploaded file, and asks which of its inputs is meant where it holds several.

        Raises:
            OverpaintError: If it can't be read.
        """
        ...

    def thumbnail(
        self,
        pixels: Float[np.ndarray, "channel *space"],
        behind: Float[np.ndarray, "channel *space"] | None = None,
        region: Region | None = None,
    ) -> bytes:
        """Returns a small picture; ``behind`` is what ``pixels`` are a variant of, by its region."""
        ...

    def show(self, chosen: ChosenInput, caption: str, width: int) -> None:
        """Shows an input."""
        ...

    def show_region(self, chosen: ChosenInput, region: Region, about: str, caption: str | None = None) -> None:
        """Shows an input with a region marked."""
        ...

    def ask_opacity(self, place: Any) -> float:
        """Asks in a container how much a map hides, where it lies over the input."""
        ...

    def ask_channels(self, classifier: Classifier) -> ChannelMode:
        """Asks whether channels are explained together or apart, where a classifier has several that can be."""
        ...

    def show_map(self, chosen: ChosenInput, shown: ShownMap) -> None:
        """Shows a map, its region and its standard errors."""
        ...

    def ask_region(self, chosen: ChosenInput, key: str) -> Region:
        """Shows the ways to mark a region by hand, and returns it; empty while nothing is marked."""
        ...

    def show_together(
        self, chosen: ChosenInput, variants: Arrays, region: Region, names: Sequence[str], said: tuple[str, str]
    ) -> None:
        """Shows the accepted variants in one picture and the flipped ones in another, where none hides the others."""
        ...

    def show_closely(
        self, chosen: ChosenInput, variant: NDArray[np.floating[Any]], region: Region, way: float, number: int
    ) -> None:
        """Shows what lies on the way from an input (0) to a variant of it (1), and how the variant differs."""
        ...

    def file_of(self, chosen: ChosenInput) -> InputFile:
        """Returns an input as a file that `read_upload` and the command line read as the same input."""
        ...
