"""What is shown of variants: kinds of the accepted, classes of the flipped, the way to one of them."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from overpaint.report.plots.acceptance import acceptance_chart
from overpaint.report.plots.morph import FRAMES, morph
from overpaint.report.plots.variant_kinds import accepted_kinds, flipped_by_class

SIDE = 8
REGION = np.zeros((SIDE, SIDE), dtype=bool)
REGION[2:5, 2:6] = True
NAMES = ["one", "two", "three"]


def _variants(levels: list[float], accepted: list[bool], answers: list[int], **more: Any) -> dict[str, NDArray[Any]]:
    images = np.full((len(levels), 3, SIDE, SIDE), 0.2)
    images[:, :, REGION] = np.array(levels)[:, None, None]
    return {
        "images": images,
        "accepted": np.array(accepted),
        "duplicate": np.zeros(len(levels), dtype=bool),
        "confidences": np.linspace(0.9, 0.1, len(levels)),
        "predictions": np.array(answers),
    } | more


def test_accepted_variants_are_shown_by_kind_the_most_different_first() -> None:
    levels = [0.20, 0.21, 0.19, 0.9, 0.91, 0.5]
    shown = accepted_kinds(np.full((3, SIDE, SIDE), 0.2), REGION, _variants(levels, [True] * 6, [0] * 6), NAMES, 3)
    assert [levels[one.index] for one in shown] in ([0.9, 0.5, 0.20], [0.91, 0.5, 0.20])  # 0.20 is its kind's medoid
    assert [one.share for one in shown] == [2 / 6, 1 / 6, 3 / 6]
    assert [one.members for one in shown] == [(3, 4), (5,), (0, 1, 2)]
    assert shown[-1].score == 0.9
    assert {one.answer for one in shown} == {"one"}


def test_duplicates_flipped_and_empty_regions_are_no_kind() -> None:
    duplicate = np.array([False, False, True, False])
    variants = _variants([0.2, 0.8, 0.9, 0.5], [True, True, True, False], [0, 0, 0, 1], duplicate=duplicate)
    image = np.full((3, SIDE, SIDE), 0.2)
    shown = accepted_kinds(image, REGION, variants, NAMES)
    assert [(one.index, one.share) for one in shown] == [(1, 1 / 3), (0, 1 / 3)]
    assert accepted_kinds(image, np.zeros_like(REGION), variants, NAMES) == []
    assert [one.index for one in accepted_kinds(image, REGION, _variants([0.5], [True], [0]), NAMES)] == [0]
    assert accepted_kinds(image, REGION, _variants([0.5], [False], [1]), NAMES) == []


def test_flipped_variants_are_shown_by_class_the_frequent_ones_first() -> None:
    variants = _variants([0.1] * 7, [False] * 6 + [True], [2, 1, 2, 2, 1, 2, 0])
    shown = flipped_by_class(variants, NAMES, 3)
    assert [one.answer for one in shown] == ["three", "three", "two"]
    assert [one.index for one in shown] == [5, 3, 4]  # the least score of the explained class first
    assert [one.share for one in shown] == [4 / 7, 4 / 7, 2 / 7]
    assert [one.members for one in shown] == [(5, 3, 2, 0), (5, 3, 2, 0), (4, 1)]
    assert flipped_by_class(_variants([0.1], [True], [0]), NAMES) == []


def test_the_morph_begins_half_way_and_passes_both_ends() -> None:
    image, variant = np.zeros((3, 64, 64)), np.ones((3, 64, 64))
    with Image.open(io.BytesIO(morph(image, variant))) as opened:
        assert opened.n_frames == 2 * FRAMES
        width, height = opened.size
        middles = []
        for frame in range(opened.n_frames):
            opened.seek(frame)
            picture = opened.convert("L")
            assert picture.getpixel((5, height // 2)) == 0
            assert picture.getpixel((width - 5, height // 2)) == 255
            middles.append(picture.getpixel((width // 2, height // 2)))
    assert abs(middles[0] - 128) <= 1
    assert (max(middles), min(middles)) == (255, 0)


def test_the_acceptance_chart_is_a_picture() -> None:
    curve = (np.arange(1, 21) / 20, np.linspace(1, 0, 20))
    for more, width in (({"fraction": 0.3}, 1080), ({"band": (curve[1] - 0.1, curve[1] + 0.1), "width": 5.0}, 600)):
        with Image.open(io.BytesIO(acceptance_chart(curve, "a title with $", **more))) as opened:
            assert opened.size[0] == width
