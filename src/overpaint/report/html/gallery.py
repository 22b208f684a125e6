"""The gallery of the page: a card for each explained image and class."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from overpaint.pipeline.cache import read_result
from overpaint.pipeline.row_numbers import NOT_DECISIVE
from overpaint.report.attention import notices_of
from overpaint.report.html.pictures import Picture, PictureSource
from overpaint.report.html.tables import Rows, card_id
from overpaint.report.image_plots import ACCEPTANCE_CURVE, MORPH, OBJECTS, OVERVIEW, metric_picture
from overpaint.report.probe_plots import probe_picture, sentences
from overpaint.report.tables.formatting import shown
from overpaint.report.tables.run_numbers import image_row
from overpaint.report.tables.scoreboard import Scoreboard


@dataclass(frozen=True)
class Card:
    """What the page shows of a row.

    Attributes:
        place: The name of its place on the page, for links.
        name: The row's name.
        why: Why it stands where it does: the reasons to look at it, the most urgent first.
        facts: The answer, the score, and what became of the variants.
        overview: Image, maps, region and variants.
        sentences: What the probes' numbers mean.
        pictures: Further pictures.
        methods: A heading, and a row of numbers for each method.
        numbers: The image's numbers, whatever the method.
    """

    place: str
    name: str
    why: str
    facts: str
    overview: Picture
    sentences: list[str]
    pictures: list[Picture]
    methods: Rows
    numbers: str


def cards_of(board: Scoreboard, source: PictureSource, rows: Sequence[int]) -> list[Card]:
    """Returns the cards of some rows.

    Args:
        board: All rows.
        source: Their pictures.
        rows: The numbers of those that are shown.
    """
    return [_card(board, row, source) for row in rows]


def _card(board: Scoreboard, row: int, source: PictureSource) -> Card:
    folder = board.folders[row]
    result = read_result(folder)
    name = result["name"]
    text = f"image, maps, salient region{' and variants' if 'accepted' in result else ''} of {name}"
    return Card(
        place=card_id(row),
        name=name,
        why=" · ".join(notice.text for notice in notices_of(board.numbers, board.controls, row) if notice.text),
        facts=_facts(result),
        overview=source.picture(folder / OVERVIEW, text),
        sentences=sentences(board.probes, result["probes"]),
        pictures=[
            source.picture(folder / file, f"{text} of {name}")
            for file, text in _further_pictures(board)
            if (folder / file).is_file()
        ],
        methods=_method_rows(result, board),
        numbers=" · ".join(f"{k.replace('_', ' ')} {shown(v)}" for k, v in image_row(result).items() if k != "name"),
    )


def _facts(result: Mapping[str, Any]) -> str:
    """Says in a line what the classifier answers, and what became of the variants."""
    facts = [f"{result['target']}, score {shown(result['confidence'])}"]
    if result["prediction"] != result["target"]:
        facts.append(f"predicted {result['prediction']}")
    if result["label"] not in ("", result["prediction"]):
        facts.append(f"labelled {result['label']}")
    if result["flat_map"]:
        facts.append("the map is flat: nothing in it is salient")
    elif result["fills_left_out"] and not result["fills"]:
        facts.append(NOT_DECISIVE)
    if result["fills"] and result["fills_left_out"]:
        facts.append(f"{result['fills_left_out']} fills left out, which keep the class over the whole image, too")
    if result["necessity"] is not None:
        facts.append(f"necessity {_share(result, 'necessity', 'necessity')}")
    if not result["flat_map"] and "accepted" in result and result["acceptance_rate"] is not None:
        facts.append(f"sufficiency of the surroundings {_share(result, 'acceptance_rate', 'acceptance')}")
    if not result["flat_map"] and "accepted" in result:
        facts.append(f"{result['accepted']} of {result['different_variants']} different variants accepted")
    return " · ".join(facts)


def _share(result: Mapping[str, Any], name: str, interval: str) -> str:
    """Returns a share with its interval, in percent."""
    return f"{result[name]:.0%} [{result[f'{interval}_low']:.0%}, {result[f'{interval}_high']:.0%}]"


def _further_pictures(board: Scoreboard) -> Iterator[tuple[str, str]]:
    """Yields the files that there may be of a row beside its overview, and what each shows."""
    yield MORPH, "image, and the way to its most different accepted variant"
    yield ACCEPTANCE_CURVE, "where along the map the class is lost"
    yield OBJECTS, "annotated objects"
    for name in board.metrics:
        yield metric_picture(name), name
    for name in board.probes:
        yield probe_picture(name), name


def _method_rows(result: Mapping[str, Any], board: Scoreboard) -> Rows:
    rows = [["method", "queries", "relative error", *board.scores]]
    for method in board.methods:
        own, metrics = result["methods"][method], result["metrics"].get(method, {})
        numbers = [own["queries"], own.get("relative_error"), *(metrics.get(name) for name in board.scores)]
        rows.append([method + (" (flat)" if own["flat"] else ""), *(shown(number) for number in numbers)])
    return rows
