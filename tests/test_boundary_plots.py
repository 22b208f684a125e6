"""Charts of flips; what they draw is read back from matplotlib's objects and from the pictures."""

import numpy as np
import pytest
from conftest import pixels_of
from matplotlib.figure import Figure

from overpaint.probes.flip_taxonomy import KINDS
from overpaint.report.plots.boundary import SOURCES, flip_chart, flip_picture
from overpaint.report.plots.intervals import Numbers


def test_the_picture_of_flips_shows_what_there_is(drawn: list[Figure]) -> None:
    image = np.full((1, 8, 8), 0.5)
    arrays = {"image": image}
    for kind, level in (("natural", 0.0), ("pgd", 0.4)):
        darker = image.copy()
        darker[:, 2:4, 2:4] = level
        arrays |= {f"accepted_{kind}": image[None], f"flipped_{kind}": darker[None]}
        arrays |= {f"predictions_{kind}": np.array([1])}
    numbers = {"success_rate": 0.5, "boundary_rate": None, "flips_boundary": 1.0, "natural_boundary": 1.0}
    two = len(pixels_of(flip_picture(arrays, numbers, "an image", ["a", "$b"])))
    one = len(pixels_of(flip_picture({k: v for k, v in arrays.items() if "pgd" not in k}, numbers, "an image")))
    none = len(pixels_of(flip_picture({}, dict.fromkeys(numbers), "an image")))
    assert none <= one < two
    scales = [
        axes.images[0].get_clim()
        for axes in drawn[0].axes
        if axes.images and axes.images[0].get_cmap().name == "RdBu_r"
    ]
    assert scales == [pytest.approx((-0.5, 0.5)), pytest.approx((-0.1, 0.1))]  # each row has its own
    assert [axes.get_xlabel() for axes in drawn[0].axes if axes.get_xlabel().startswith("now")] == [r"now: \$b"] * 2


def _numbers(searched: tuple[float, ...], rate: float) -> dict[str, float | None]:
    """Numbers of a row whose searched latents flip at that rate, so many of each kind; no PGD."""
    numbers: dict[str, float | None] = {rate_name: None for _, rate_name in SOURCES.values()} | {"pgd_distance": None}
    for source in SOURCES:
        numbers |= {f"{kind}_{source}": 0.0 for kind in KINDS}
    numbers |= {f"{kind}_searched": n for kind, n in zip(KINDS, searched, strict=True)}
    return numbers | {"success_rate": rate, "boundary_rate": 1.0, "unrealistic_boundary": 4.0, "picture_distance": 0.2}


def test_the_chart_of_all_images_divides_the_flips(drawn: list[Figure]) -> None:
    rows: list[Numbers] = [_numbers((1, 0, 3, 0), 0.5), _numbers((0, 4, 0, 0), 1.0)]
    rows.append(dict.fromkeys(rows[0]))
    pixels_of(flip_chart(rows, "images at $5"))
    left, right = drawn[0].axes
    widths = np.array([float(bar.get_width()) for bar in left.patches]).reshape(len(KINDS), len(SOURCES))
    np.testing.assert_allclose(widths[:, 0], 0.75 * np.array([1, 4, 3, 0]) / 8)  # the mean rate, all images' shares
    np.testing.assert_allclose(widths[:, 1], [0, 0, 1, 0])
    np.testing.assert_allclose(widths[:, 2], 0)
    assert [text.get_text() for text in left.texts] == ["not measured"]
    assert right.lines[0].get_xdata()[0] == pytest.approx(0.2)


@pytest.mark.parametrize("rows", [[], [dict.fromkeys(_numbers((0, 0, 0, 0), 0.0))]])
def test_a_chart_of_nothing(rows: list[Numbers], drawn: list[Figure]) -> None:
    pixels_of(flip_chart(rows, "nothing"))
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["not measured"] * 3
