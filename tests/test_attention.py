"""Which rows deserve a look: the order, the reasons, and the pages on which they stand."""

from typing import Any

import pytest

from overpaint.report.attention import PLACES, Attention, Reason, attention, notices
from overpaint.report.html.paging import chapters, gallery_pages, numbered_links
from overpaint.report.tables.columns import as_columns
from overpaint.report.tables.run_numbers import RunNumbers

GOOD = {
    "label": "cat",
    "prediction": "cat",
    "confidence": 0.9,
    "acceptance_rate": 0.8,
    "flat_map": False,
    "fills": 9,
    "fills_left_out": 2,
}
MAPS = {"rise": {"flat_map": False}, "lime": {"flat_map": False, "agreement": 0.6}}

CASES: dict[Reason, dict[str, Any]] = {
    Reason.TROUBLE: {"trouble": "lime: 3 values are not finite"},
    Reason.FLAT: {"flat_map": True},
    Reason.NOT_DECISIVE: {"fills": 0, "fills_left_out": 9},
    Reason.FEW_ACCEPTED: {"acceptance_rate": 0.1},
    Reason.WRONG: {"prediction": "dog"},
    Reason.UNSURE: {"confidence": 0.3},
    Reason.NOTHING: {},
}


@pytest.mark.parametrize(("reason", "changes"), CASES.items())
def test_each_reason_is_found_alone(reason: Reason, changes: dict[str, Any]) -> None:
    assert [notice.reason for notice in notices(GOOD | changes, MAPS, "rise")] == [reason]


def test_maps_disagree_where_their_ranks_do_and_flat_ones_are_flat() -> None:
    apart: dict[str, dict[str, Any]] = {"rise": {}, "lime": {"agreement": 0.4}, "edgy": {"agreement": -0.2}}
    (notice,) = notices(GOOD, apart, "rise")
    assert notice.text == "methods disagree: the ranks of rise and edgy correlate only to -0.2"
    (notice,) = notices(GOOD, apart | {"edgy": {"agreement": None, "flat_map": True}}, "rise")
    assert (notice.reason, notice.text) == (Reason.FLAT, "flat map: edgy")


def test_the_most_urgent_reason_comes_first_and_the_others_are_said_too() -> None:
    found = notices(GOOD | CASES[Reason.UNSURE] | CASES[Reason.WRONG] | CASES[Reason.FLAT], MAPS, "rise")
    assert [notice.reason for notice in found] == [Reason.FLAT, Reason.WRONG, Reason.UNSURE]


def _numbers(images: list[dict[str, Any]], agreements: list[float]) -> RunNumbers:
    maps = {"rise": [{"flat_map": False}] * len(images), "random": [{"agreement": value} for value in agreements]}
    return RunNumbers(images=as_columns(images), methods={name: as_columns(own) for name, own in maps.items()})


def test_rows_stand_by_reason_then_severity_then_as_they_were_given() -> None:
    images = [GOOD, GOOD | {"acceptance_rate": 0.2}, GOOD, GOOD | {"acceptance_rate": 0.1}, GOOD | {"flat_map": True}]
    numbers = _numbers(images, [0.5, 0.5, -0.5, 0.5, 0.5])
    found = attention(numbers, controls=["random"])
    assert found.order == [4, 3, 1, 0, 2]  # what a control shows is no reason
    assert attention(numbers, controls=[]).order == [4, 2, 3, 1, 0]
    assert [PLACES[reason] for reason in found.reasons] == sorted(PLACES[reason] for reason in found.reasons)


def test_pages_hold_every_row_once_and_chapters_say_where_they_begin() -> None:
    reasons = [Reason.FLAT] * 3 + [Reason.WRONG] * 1 + [Reason.NOTHING] * 7
    pages = gallery_pages(list(range(11)), 4)
    assert [list(page.rows) for page in pages] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    assert [page.file for page in pages] == ["report.html", "gallery-0002.html", "gallery-0003.html"]
    found = chapters(Attention(list(range(11)), reasons), 4)
    assert [(own.name, own.rows, own.page) for own in found] == [
        ("flat map", 3, 1),
        ("wrong prediction", 1, 1),
        ("nothing unusual", 7, 2),
    ]
    assert [list(page.rows) for page in gallery_pages([], 4)] == [[]]
    assert chapters(Attention([], []), 4) == []


@pytest.mark.parametrize("count", [1, 2, 30, 5000])
def test_a_page_links_to_its_neighbours_and_both_ends_in_a_short_list(count: int) -> None:
    for number in {1, min(2, count), (count + 1) // 2, count}:
        links = numbered_links(number, count)
        assert {1, number, max(1, number - 1), min(count, number + 1), count} <= set(links) <= set(range(1, count + 1))
        assert links == sorted(links)
        assert len(links) <= 16
