"""The names of a classifier's classes."""

from collections.abc import Sequence
from pathlib import Path

from overpaint.classifiers.options import ClassifierOptions
from overpaint.classifiers.trial import Trial
from overpaint.core.errors import OverpaintError


def name_classes(options: ClassifierOptions, own: Sequence[str] | None, trial: Trial) -> list[str]:
    """Returns a name for each class: given, the source's own, or numbers; of a name that comes twice, with its number.

    The classes of a binary classifier are ``not`` and ``is``; one given name ``x`` makes them ``not x`` and ``x``.

    Raises:
        OverpaintError: If another number of names is given.
    """
    classes = trial.classes
    if options.class_names is not None:
        names = read_class_names(options.class_names)
    elif own is not None and len(own) == classes:
        names = list(own)
    else:
        names = ["not", "is"] if trial.form.binary else [str(index) for index in range(classes)]
    if trial.form.binary and len(names) == 1:
        names = [f"not {names[0]}", names[0]]
    if len(names) != classes:
        gives = "one score, that of the second of two classes" if trial.form.binary else f"{classes} scores"
        raise OverpaintError(
            f"classifier.class_names has {len(names)} names, but classifier={options.source} gives {gives}"
        )
    return [f"{name} ({index})" if names.count(name) > 1 else name for index, name in enumerate(names)]


def count_class_names(options: ClassifierOptions) -> int | None:
    """Returns how many class names are given; None where none are."""
    return None if options.class_names is None else len(read_class_names(options.class_names))


def read_class_names(given: str | Sequence[str | int]) -> list[str]:
    """Returns the class names that are given as a list or as a text file of one name a line.

    Raises:
        OverpaintError: If the file is absent or no text, or a name is missing.
    """
    lines: Sequence[str | int] = given
    if isinstance(given, str):
        try:
            lines = Path(given).read_text(encoding="utf-8-sig").rstrip().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise OverpaintError(f"classifier.class_names={given} can't be read as a text file: {error}") from error
    names = [str(line).strip() for line in lines]
    if not all(names):
        raise OverpaintError(f"classifier.class_names has no name for class {names.index('')}")
    return names
