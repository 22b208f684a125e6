"""The base class of probes of the variants, and their inputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from overpaint.core.protocols import Classifier, Requirement
from overpaint.core.results import ProbeResult, Variants
from overpaint.core.rows import select_rows
from overpaint.core.types import Images, Maps, Regions, StoredInputs, Targets
from overpaint.inpainting.inpainter import Inpainter


@dataclass(frozen=True)
class ProbeInputs:
    """The inputs of a probe: a row for each image and class.

    Attributes:
        classifier: The classifier.
        oracle: A second classifier of the same classes, trained apart; None where there is none.
        other_images: Images or series among which a probe may look for others; None where there are none.
        inpainter: Made the variants.
        images: The image of each row.
        targets: The explained class of each row.
        maps: The first method's maps.
        regions: The region in each map.
        variants: The variants.
    """

    classifier: Classifier
    oracle: Classifier | None
    other_images: StoredInputs | None
    inpainter: Inpainter
    images: Images
    targets: Targets
    maps: Maps
    regions: Regions
    variants: Variants

    def rows(self, chosen: Sequence[int]) -> "ProbeInputs":
        """Returns some of the rows."""
        index = list(chosen)
        own = {name: getattr(self, name)[index] for name in ("images", "targets", "maps", "regions")}
        return replace(self, **own, variants=select_rows(self.variants, index))


class Probe(ABC):
    """Asks a question about the variants: a final, frozen dataclass whose fields are its settings.

    Attributes:
        uses_oracle: Whether it asks the second classifier.
        uses_other_images: Whether it looks at the other images.
        requires: What of the classifier it needs.
        pictures_only: Whether it can ask about images and no series.
    """

    uses_oracle: ClassVar[bool] = False
    requires: ClassVar[Requirement] = "scores"
    uses_other_images: ClassVar[bool] = False
    pictures_only: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, inputs: ProbeInputs) -> Sequence[ProbeResult]:
        """Returns what was found out about each row; it depends on the row alone, not on the others."""


def number_name(name: str, setting: str) -> str:
    """Returns how a number, or an array, of one setting is called among those of several."""
    return f"{name}_{setting}"


def merge_settings(found: Mapping[str, Sequence[ProbeResult]]) -> list[ProbeResult]:
    """Merges the results of several settings into one for each row, under `number_name`."""
    return [
        ProbeResult(
            {number_name(name, key): n for key, one in zip(found, row, strict=True) for name, n in one.numbers.items()},
            {number_name(name, key): a for key, one in zip(found, row, strict=True) for name, a in one.arrays.items()},
        )
        for row in zip(*found.values(), strict=True)
    ]
