"""Matches the classes of annotations with those of the classifier."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Literal

from overpaint.core.errors import OverpaintError

Unknown = Literal["error", "skip"]
"""What is done with an object whose class the classifier does not know."""


class ClassFinder:
    """Finds the classifier's class by its name: written alike, else alike but for case and ``_`` for a blank.

    Args:
        class_names: The classifier's classes.
        unknown: ``error``, or ``skip`` to leave out what the classifier does not know.
    """

    def __init__(self, class_names: Sequence[str], unknown: Unknown) -> None:
        self.class_names, self.unknown = class_names, unknown
        self.exact: dict[str, list[int]] = {}
        self.loose: dict[str, list[int]] = {}
        for index, name in enumerate(class_names):
            self.exact.setdefault(name, []).append(index)
            self.loose.setdefault(_loosely(name), []).append(index)

    def find(self, name: str, number: int | None, where: str) -> int | None:
        """Returns the index of a class; None for one that is unknown and to be left out.

        Args:
            name: Its name in the annotations.
            number: Its number there, which decides between classes of one name (ImageNet has two ``crane``).
            where: The object's place, for errors.

        Raises:
            OverpaintError: If the class is unknown and not to be left out, or several have its name.
        """
        found = self.exact.get(name) or self.loose.get(_loosely(name))
        if found is None and self.unknown == "skip":
            return None
        if found is None:
            raise OverpaintError(
                f"{where}: the classifier has no class '{name}'; {self._hint(name)} (annotations.unknown=skip leaves "
                "such objects out)"
            )
        if len(found) > 1 and number not in found:
            raise OverpaintError(
                f"{where}: classes {' and '.join(map(str, found))} of the classifier are both called '{name}', and the "
                "number of the class in the annotations is neither; give them names of their own in "
                "classifier.class_names and here"
            )
        return number if number in found else found[0]

    def _hint(self, name: str) -> str:
        if near := get_close_matches(_loosely(name), self.loose, 3):
            return f"did you mean {' or '.join(self.class_names[self.loose[key][0]] for key in near)}?"
        return f"it knows {', '.join(self.class_names[:5])}{', ...' if len(self.class_names) > 5 else ''}"


def _loosely(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())
