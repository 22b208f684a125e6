"""The user's word for a target."""

import pytest
import torch

from overpaint.classifiers.targets import choose_targets
from overpaint.errors import OverpaintError

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
