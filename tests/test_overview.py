"""The overview of an image of any height and width."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from overpaint.pipeline.artifacts import error_array, map_artifact
from overpaint.report.plots.overview import overview_figure


@pytest.mark.parametrize("size", [(32, 32), (24, 40), (20, 100), (60, 24)])
def test_pictures_keep_their_shape_and_fill_their_rows(size: tuple[int, int]) -> None:
    height, width = size
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.random((3, *size)),
        "region": np.arange(width)[None] < np.full((height, 1), width // 2),
        map_artifact("rise"): rng.standard_normal(size),
        error_array("rise"): rng.random(size),
    }
    variants = {
        "images": rng.random((16, 3, *size)),
        "accepted": np.arange(16) < 16,
        "duplicate": np.arange(16) < 0,
        "confidences": rng.random(16),
        "predictions": np.zeros(16, dtype=np.int64),
    }
    figure = overview_figure(arrays, ["rise"], "an image", variants, ["cat"], "cat")
    FigureCanvasAgg(figure).draw()
    drawn = {axes.get_title(): axes for axes in figure.axes}
    for title in ("image", "rise", "standard error", "salient region (50%)"):
        place = drawn[title].get_window_extent()
        assert place.width / place.height == pytest.approx(width / height, rel=0.02)
        assert max(place.width / (2.1 * 110), place.height / (2.2 * 110)) > 0.6
        row = drawn[title].get_subplotspec()
        assert row is not None
        cell = row.get_position(figure).height * figure.bbox.height
        assert place.height / cell > (0.5 if height >= width / 2 else 0.3)  # the title has its place, too
    for title in ("rise", "standard error"):
        (bar,) = drawn[title].child_axes
        assert bar.get_window_extent().height == pytest.approx(drawn[title].get_window_extent().height)
    if height == width:
        assert figure.get_size_inches()[1] == pytest.approx(2 * 2.2 + 0.3 + (0.45 + 2.1 * 3 / 8) + 0.3 + 0.4)


def test_a_flipped_variant_is_not_called_by_the_explained_class() -> None:
    """A class that is a question of its own can be lost while its score is the highest."""
    arrays = {"image": np.zeros((3, 8, 8)), "region": np.eye(8) > 0, map_artifact("rise"): np.eye(8)}
    variants = {
        "images": np.random.default_rng(0).random((3, 3, 8, 8)),
        "accepted": np.array([True, False, False]),
        "duplicate": np.zeros(3, dtype=bool),
        "confidences": np.array([0.9, 0.4, 0.3]),
        "predictions": np.array([0, 0, 1]),
    }
    figure = overview_figure(arrays, ["rise"], "an image", variants, ["cat", "dog"], "cat")
    titles = [axes.get_title() for axes in figure.axes]
    assert [title for title in titles if "·" in title] == [
        "cat\n33% · 0.90",
        "not cat\n33% · 0.40",
        "dog\n33% · 0.30",
    ]
