"""The user's word for a target."""

import pytest
import torch

from overpaint.classifiers.targets import choose_targets
from overpaint.core.errors import OverpaintError

SCORES = torch.tensor([[0.1, 0.6, 0.05, 0.25], [0.4, 0.1, 0.3, 0.2]])
NAMES = ["cat", "dog", "0", "top2"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("predicted", [[1], [0]]),
        ("top1", [[1], [0]]),
        ("top3", [[1, 3, 0], [0, 2, 3]]),
        ("top4", [[1, 3, 0, 2], [0, 2, 3, 1]]),
        ("dog", [[1], [1]]),
        (1, [[1], [1]]),
        ("3", [[3], [3]]),
        (0, [[2], [2]]),  # the class named "0", not the first class
        ("top2", [[3], [3]]),  # the class of that name, not the two best
    ],
)
def test_words_and_indices(target: str | int, expected: list[list[int]]) -> None:
    assert choose_targets(target, SCORES, NAMES).tolist() == expected


@pytest.mark.parametrize("target", [4, -1, "5", "Dog", "top0", "top5", "top", "", "1.0"])
def test_what_is_no_class_is_named(target: str | int) -> None:
    message = (
        rf"^target={target} is neither 'predicted', 'top1' to 'top4', an index below 4, nor a class name "
        r"\(cat, dog, 0, top2\)$"
    )
    with pytest.raises(OverpaintError, match=message):
        choose_targets(target, SCORES, NAMES)


def test_of_many_classes_a_few_are_named() -> None:
    with pytest.raises(OverpaintError, match=r"\(c0, c1, c2, c3, c4, c5, c6, c7, \.\.\.\)$"):
        choose_targets("c99", torch.zeros(1, 12), [f"c{index}" for index in range(12)])


@pytest.mark.parametrize(
    ("target", "expected"), [([3, 1], [3, 1]), (["dog", "cat"], [1, 0]), (["dog", 3, "0"], [1, 3, 2]), ([1], [1])]
)
def test_a_list_explains_the_same_classes_of_every_image(target: list[str | int], expected: list[int]) -> None:
    assert choose_targets(target, SCORES, NAMES).tolist() == [expected, expected]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([3, 4], r"^target=\[3, 4\]: 4 is neither an index below 4 nor a class name \(cat, dog, 0, top2\)$"),
        (["cat", "cow"], r"^target=\['cat', 'cow'\]: cow is neither"),
        (["predicted"], r"predicted is neither"),
        (["top3"], r"top3 is neither"),
        ([], r"^target=\[\] must name at least one class"),
        ([1, "dog"], r"^target=\[1, 'dog'\] must name .* and none of them twice$"),
    ],
)
def test_a_wrong_list_is_named(target: list[str | int], message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        choose_targets(target, SCORES, NAMES)
