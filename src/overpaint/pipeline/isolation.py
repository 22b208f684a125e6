"""Keeps numerical trouble where it is: what met it has no result, and everything else is computed."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from overpaint.core.errors import NumericalError
from overpaint.core.results import SaliencyMaps, SeededName, Variants

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Isolation:
    """Computes results so that numerical trouble of one leaves the others alone, and notes what happened.

    Attributes:
        troubles: What happened to each row, in the order in which it was met.
    """

    troubles: list[list[str]] = field(default_factory=list)

    @classmethod
    def of(cls, rows: int) -> "Isolation":
        """Makes one for so many rows."""
        return cls([[] for _ in range(rows)])

    def note(self, rows: Iterable[int], text: str) -> None:
        """Notes a trouble of some rows, once."""
        for row in rows:
            if text not in self.troubles[row]:
                self.troubles[row].append(text)

    def compute(
        self,
        keys: Sequence[Key],
        compute: Callable[[list[Key]], Sequence[Result]],
        about: Callable[[Key], tuple[str, Iterable[int]]],
    ) -> list[Result | None]:
        """Computes all results at once; where that meets numerical trouble, each alone.

        Args:
            keys: What is computed.
            compute: Computes the results of some of the keys.
            about: Says what a key is, for the note, and to which rows it belongs.

        Returns:
            A result for each key; None where it met trouble.
        """
        try:
            return list(compute(list(keys)))
        except NumericalError as trouble:
            if len(keys) == 1:
                what, rows = about(keys[0])
                self.note(rows, f"{what}: {trouble}")
                return [None]
        return [result for key in keys for result in self.compute([key], compute, about)]


def called(name: SeededName) -> str:
    """Returns how a method with one of its seeds is called in a sentence."""
    method, seed = name
    return f"map of {method}" if seed == 0 else f"map of {method} with seed {seed}"


def note_results(maps: Mapping[SeededName, SaliencyMaps], variants: Variants | None, isolation: Isolation) -> None:
    """Notes what is wrong in results that were computed: maps that are not finite, searches that went nowhere."""
    for name, own in maps.items():
        values = own.maps.flatten(1)
        for row, broken in enumerate((~values.isfinite()).sum(1).tolist()):
            if broken and not any(text.startswith(f"{called(name)}:") for text in isolation.troubles[row]):
                text = f"{called(name)}: {broken} of its {values.shape[1]} values are not finite numbers"
                isolation.note([row], text)
    if variants is None:
        return
    is_searched = ~variants.acceptance_rates.isnan() & (variants.contextual_losses > 0).any(1)
    for row in is_searched.nonzero().flatten().tolist():
        steps, improved = int(variants.steps[row]), variants.improved[row]
        if steps and not bool(improved.any()):
            text = (
                f"variants: the search diverged or stood still: none of its {steps} steps improved any of "
                f"{len(improved)} latents, which are those that it started from"
            )
            isolation.note([row], text)
