"""Names of images and classes become names of files and folders that are safe and different."""

import itertools

import pytest

from overpaint.core.names import case_twins, distinct_names, row_folder, row_name, safe_file_name

AWKWARD = (
    *(".", "..", "...", "", " ", "/", "../..", "a/..", "..\\x", "/etc/passwd", "a/b", "a-b", "a_b", "a b", "-rf", "~"),
    *(
        ".hidden",
        "new\nline",
        "nul\0",
        "x@home",
        "x",
        "[red] card",
        "*?",
        "ü",
        "猫",
        "😀",
        "\udcff",
        "a" * 300,
        "猫" * 300,
    ),
    *(
        "report.html",
        "results.csv",
        "REPORT.HTML",
        "a.b",
        "photo.jpg",
        "chart_x.png",
        "C:",
        "left [/right]",
        "no",
        "null",
    ),
)


@pytest.mark.parametrize("name", AWKWARD)
def test_a_name_becomes_one_visible_component_of_a_path(name: str) -> None:
    safe = safe_file_name(name)
    assert safe
    assert not safe.startswith((".", "-"))
    assert not set("/\\\0\n@*?[] ") & set(safe)
    assert ".." not in safe
    assert len(safe.encode()) <= 200
    assert not safe.endswith((".html", ".csv", ".png", ".json"))


def test_different_names_have_different_files() -> None:
    for one, other in itertools.combinations(AWKWARD, 2):
        assert safe_file_name(one) != safe_file_name(other)
    folders = {row_folder(image, name) for image in AWKWARD for name in (None, *AWKWARD)}
    assert len(folders) == len(AWKWARD) * (1 + len(AWKWARD))


@pytest.mark.parametrize("name", ["test-00007", "ü", "猫", "IMG_0001", "a.b", "photo.jpg"])
def test_plain_names_stay(name: str) -> None:
    assert safe_file_name(name) == name


def test_rows_are_named_as_their_image_and_class() -> None:
    assert row_name("cat/1.jpg", None) == "cat/1.jpg"
    assert row_name("cat/1.jpg", "a/b") == "cat/1.jpg@a/b"
    assert row_folder("x", "dog") == "x@dog"


def test_names_that_differ_in_case_alone_are_found() -> None:
    assert case_twins(["a", "b", "a/b", "A-b"]) is None  # the hash of a changed name tells it apart
    assert case_twins(["Cat", "dog", "cat"]) == ("Cat", "cat")
    assert distinct_names(["Cat", "dog", "cat"]) == ["Cat (0)", "dog", "cat (2)"]
