"""Which rows deserve a look: the order of the gallery, and the word on each card that says why it stands there."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from overpaint.pipeline.row_numbers import NOT_DECISIVE
from overpaint.report.tables.columns import Cell
from overpaint.report.tables.formatting import shown
from overpaint.report.tables.run_numbers import RunNumbers

UNRELATED = 0.1
"""Maps of two methods whose ranks correlate less than this disagree."""

FEW_ACCEPTED = 0.25
"""An acceptance rate below this is low."""

UNSURE = 0.5
"""A score of the explained class below this is low."""


class Reason(Enum):
    """Why a row deserves a look, the most urgent first; its value is how the report calls it."""

    TROUBLE = "numerical trouble"
    FLAT = "flat map"
    DISAGREEMENT = "methods disagree"
    NOT_DECISIVE = "no decisive region"
    FEW_ACCEPTED = "few variants accepted"
    WRONG = "wrong prediction"
    UNSURE = "low score"
    NOTHING = "nothing unusual"


PLACES = {reason: place for place, reason in enumerate(Reason)}


@dataclass(frozen=True)
class Notice:
    """Why a row deserves a look.

    Attributes:
        reason: The kind.
        severity: Rows with the same reason stand in the order of this, the smallest first.
        text: What the card says.
    """

    reason: Reason
    severity: float
    text: str


def notices(image: Mapping[str, Cell], methods: Mapping[str, Mapping[str, Cell]], first: str) -> list[Notice]:
    """Returns all reasons to look at a row, the most urgent first; `Reason.NOTHING` where there is no other.

    Args:
        image: What was found out about the image, see `RunNumbers.images`.
        methods: What was found out about the map of each method that is no control.
        first: The method whose region was repainted.
    """
    found = [*_trouble(image), *_of_maps(image, methods, first), *_of_answers(image)]
    return sorted(found, key=lambda notice: PLACES[notice.reason]) or [Notice(Reason.NOTHING, 0.0, "")]


def _trouble(image: Mapping[str, Cell]) -> Iterable[Notice]:
    if text := image.get("trouble"):
        yield Notice(Reason.TROUBLE, 0.0, str(text))


def _of_maps(image: Mapping[str, Cell], methods: Mapping[str, Mapping[str, Cell]], first: str) -> Iterable[Notice]:
    flat = [name for name, own in methods.items() if own.get("flat_map")]
    if image.get("flat_map") or flat:
        named = ", ".join(flat) or first
        yield Notice(Reason.FLAT, 0.0 if image.get("flat_map") else 1.0, f"flat map: {named}")
    known = [(value, name) for name, own in methods.items() if (value := _number(own, "agreement")) is not None]
    lowest, name = min(known, default=(math.inf, ""))
    if lowest < UNRELATED and first not in flat and name not in flat:
        text = f"methods disagree: the ranks of {first} and {name} correlate only to {shown(lowest)}"
        yield Notice(Reason.DISAGREEMENT, lowest, text)
    if image.get("fills_left_out") and not image.get("fills"):
        yield Notice(Reason.NOT_DECISIVE, 0.0, NOT_DECISIVE)


def _of_answers(image: Mapping[str, Cell]) -> Iterable[Notice]:
    rate, score = _number(image, "acceptance_rate"), _number(image, "confidence")
    if rate is not None and rate < FEW_ACCEPTED:
        yield Notice(Reason.FEW_ACCEPTED, rate, f"few variants accepted: {rate:.0%}")
    if image.get("label") not in (None, "", image.get("prediction")):
        text = f"wrong prediction: {image.get('prediction')} instead of {image['label']}"
        yield Notice(Reason.WRONG, -(score or 0.0), text)
    if score is not None and score < UNSURE:
        yield Notice(Reason.UNSURE, score, f"low score: {shown(score)}")


def _number(row: Mapping[str, Cell], name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True)
class Attention:
    """The order in which rows deserve a look.

    Attributes:
        order: The rows' numbers: by their most urgent reason, among these by its severity, then as they were given.
        reasons: The most urgent reason of each, in that order.
    """

    order: list[int]
    reasons: list[Reason]


def notices_of(numbers: RunNumbers, controls: Iterable[str], row: int) -> list[Notice]:
    """Returns the reasons to look at a row of a run."""
    names = [name for name in numbers.methods if name not in set(controls)]
    methods = {name: numbers.methods[name].row(row) for name in names}
    return notices(numbers.images.row(row), methods, next(iter(numbers.methods)))


def attention(numbers: RunNumbers, controls: Iterable[str]) -> Attention:
    """Orders the rows of a run by how much they deserve a look.

    Args:
        numbers: The numbers of all rows.
        controls: Methods that know nothing of the classifier; what they show is no reason.
    """
    controls = set(controls)
    first = [notices_of(numbers, controls, row)[0] for row in range(len(numbers.images))]
    order = sorted(range(len(first)), key=lambda row: (PLACES[first[row].reason], first[row].severity, row))
    return Attention(order, [first[row].reason for row in order])
