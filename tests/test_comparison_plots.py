"""Charts with nothing, little and much in them; what they draw is read back from matplotlib's objects."""

import numpy as np
import pytest
from conftest import pixels_of
from matplotlib.figure import Figure
from numpy.typing import NDArray

from overpaint.metrics.statistics.ranking import Comparison, Standing, comparisons, standings
from overpaint.report.plots.comparison import bars_chart, best_first, leaderboard_chart, pairs_chart
from overpaint.report.plots.curves import Curve, area_under, convergence_chart, curves_chart, randomisation_chart
from overpaint.report.plots.objects import boxes_picture, intersection_over_union
from overpaint.report.plots.style import CONTROL_COLOUR, DPI, WIDTH, method_styles, plain, short

MANY = ["a_method_whose_name_does_not_want_to_end", "$x$", *[f"method_{i}" for i in range(15)]]
CONTROLS = ["random", "center", "edges"]
LABELS = {"metric_0": "a label that is long enough to need several lines in a narrow panel, in shares of 1"}


def _is_chart(content: bytes) -> None:
    height, width = pixels_of(content).shape[:2]
    assert width == WIDTH * DPI
    assert 150 < height < 4000
    assert len(content) < 200_000


def _found(methods: list[str], metrics: int, images: int) -> tuple[list[Standing], list[Comparison]]:
    rng = np.random.default_rng(0)
    scores = {
        f"metric_{j}": {m: rng.normal(0.5 + 0.1 * (m not in CONTROLS), 0.1, images) for m in methods}
        for j in range(metrics)
    }
    scores["metric_0"][methods[-1]][:] = np.nan
    better = {metric: (True, False, None)[j % 3] for j, metric in enumerate(scores)}
    return standings(scores, better, CONTROLS), comparisons(scores)


@pytest.mark.parametrize(("methods", "metrics", "images"), [(["rise"], 1, 1), ([*MANY, *CONTROLS], 4, 20)])
def test_charts_over_images(methods: list[str], metrics: int, images: int) -> None:
    found, pairs = _found(methods, metrics, images)
    _is_chart(leaderboard_chart(found, LABELS))
    _is_chart(bars_chart(found, LABELS, "agreement"))
    _is_chart(pairs_chart([c for c in pairs if c.metric == "metric_0"], LABELS["metric_0"], True))


def test_charts_of_nothing() -> None:
    pixels_of(leaderboard_chart([], {}))
    pixels_of(bars_chart([], {}, "agreement"))
    pixels_of(curves_chart({}, "share", "score", "nothing"))
    pixels_of(convergence_chart({}, "queries", "score", "nothing"))
    pixels_of(randomisation_chart({}, [], "correlation", "nothing"))


def test_the_leaderboard_is_drawn_best_first_and_hollow_where_a_control_is_as_good(drawn: list[Figure]) -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (4, 30))
    values = {"middle": 0.5 + noise[0], "best": 0.1 + noise[1], "none": np.full(30, np.nan)}
    values |= {"as_bad": 0.9 + noise[2], "random": 0.9 + noise[3]}
    found = standings({"deletion": values}, {"deletion": False}, ["random"])
    order = [s.method for s in best_first(found)]
    assert order[:2] == ["best", "middle"]
    assert order[-1] == "none"
    leaderboard_chart(found, {"deletion": "score"})
    axes = drawn[0].axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == order
    assert axes.yaxis_inverted()
    assert axes.get_title(loc="right") == "deletion\nlower is better"
    points = next(c for c in axes.collections if len(c.get_offsets()) == 5)
    hollow = [bool((colour[:3] == 1).all()) for colour in points.get_facecolors()]
    assert [name for name, empty in zip(order, hollow, strict=True) if empty] == ["as_bad"]
    assert [text.get_text() for text in axes.texts] == ["not measured"]


def test_without_ranks_the_largest_mean_comes_first() -> None:
    found = standings({"m": {"a": np.ones(2), "b": np.full(2, 2.0)}}, {"m": None})
    assert [s.method for s in best_first(found)] == ["b", "a"]


def test_pairs_are_row_minus_column_and_starred_where_sure(drawn: list[Figure]) -> None:
    pairs = [
        Comparison("m", "a", "b", 0.25, 0.1, 0.4, 9),
        Comparison("m", "a", "c", -0.001, -0.2, 0.2, 9),
        Comparison("m", "b", "c", float("nan"), float("nan"), float("nan"), 0),
    ]
    pairs_chart(pairs, "score")
    cells = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in drawn[0].axes[0].texts}
    assert cells == {(0, 1): "+0.250*", (1, 0): "-0.250*", (0, 2): "-0.001", (2, 0): "+0.001"}


def _curves(methods: list[str], points: int) -> dict[str, Curve]:
    places = np.linspace(0, 1, points)
    return {method: (places, places ** (1 + i)) for i, method in enumerate(methods)}


@pytest.mark.parametrize(("methods", "points"), [(["rise"], 1), ([*MANY, *CONTROLS], 65)])
def test_charts_of_curves(methods: list[str], points: int) -> None:
    curves = _curves(methods, points)
    bands = {method: (values - 0.1, values + 0.1) for method, (_, values) in curves.items()}
    styles = method_styles(methods, CONTROLS)
    _is_chart(curves_chart(curves, "share of pixels shown", "score", "image $7$.png: 猫", styles=styles))
    _is_chart(curves_chart(curves, "share of pixels shown", "score", "mean", bands))
    asked = {method: (250 * 2.0 ** np.arange(len(places)), values) for method, (places, values) in curves.items()}
    _is_chart(convergence_chart(asked, "queries", LABELS["metric_0"], "convergence", bands, True, styles))
    layers = ["none", *[f"features.{i}.conv" for i in range(points - 1)]]
    values = {method: 2 * values - 1 for method, (_, values) in curves.items()}
    both = {"cascading": values, "independent": values}
    _is_chart(randomisation_chart(both, layers, "rank correlation", "randomisation", {"cascading": bands}, styles))
    _is_chart(randomisation_chart({"cascading": values}, layers, "rank correlation", "randomisation"))


def test_curves_with_gaps_are_drawn_and_have_no_area(drawn: list[Figure]) -> None:
    curves = _curves(["whole", "nothing", "gap"], 11)
    curves["nothing"][1][:] = np.nan
    curves["gap"][1][4] = np.nan
    _is_chart(curves_chart(curves, "share", "score", "title"))
    curves_chart(curves, "share", "score", "title", values={"gap": 0.75})
    legends = [[text.get_text() for text in figure.legends[0].get_texts()] for figure in drawn]
    assert legends == [["whole  0.500", "nothing  –", "gap  –"], ["gap  0.750", "whole  –", "nothing  –"]]


def test_area_is_that_of_the_trapezoids() -> None:
    places = np.array([0.0, 0.1, 0.4, 1.0])
    values = np.array([1.0, 0.5, 0.5, 0.0])
    assert area_under((places, values)) == pytest.approx(np.trapezoid(values, places)) == pytest.approx(0.375)
    assert np.isnan(area_under((places[:1], values[:1])))


def test_queries_are_on_a_logarithmic_axis_and_named(drawn: list[Figure]) -> None:
    convergence_chart(
        {"rise": (np.array([250, 1000, 8000.0]), np.arange(3.0))}, "queries", "score", "title", None, False
    )
    axes = drawn[0].axes[0]
    assert axes.get_xscale() == "log"
    named = [label.get_text() for label in axes.get_xticklabels() if label.get_text()]
    assert [name.replace("\u202f", "") for name in named] == ["250", "1000", "8000"]
    assert axes.get_title() == "title (lower is better)"


def test_similarity_below_zero_is_in_the_picture(drawn: list[Figure]) -> None:
    for low in (0.2, -0.2, -0.9):
        randomisation_chart({"cascading": {"a": np.array([1.0, low])}}, ["none", "fc"], "correlation", "title")
    limits = [figure.axes[0].get_ylim() for figure in drawn]
    assert [bottom for bottom, _ in limits] == pytest.approx([-0.05, -0.25, -1.05])
    assert all(top > 1 for _, top in limits)


def test_methods_are_told_apart_and_keep_their_style() -> None:
    names = [f"method_{i}" for i in range(25)]
    styles = method_styles([*names[:10], *CONTROLS, *names[10:]], CONTROLS)
    assert len({(s.color, str(s.linestyle)) for s in styles.values()}) == 28
    assert {styles[name].color for name in CONTROLS} == {CONTROL_COLOUR}
    assert all(styles[name].color != CONTROL_COLOUR for name in names)
    assert {name: styles[name] for name in names} == method_styles(names)


def test_names_are_cut_in_the_middle_and_hold_no_formula() -> None:
    assert short("rise") == "rise"
    assert short("features.12.block.3.conv", 11) == "featu….conv"
    assert plain("$5 or $6") == r"\$5 or \$6"


def _objects() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    objects, region = np.zeros((2, 20, 30), dtype=bool)
    objects[5:15, 10:20] = True
    region[10:20, 10:20] = True
    return objects, region


def test_overlap_of_two_regions() -> None:
    objects, region = _objects()
    assert intersection_over_union(objects, region) == pytest.approx(50 / 150)
    assert intersection_over_union(objects, ~objects) == 0
    assert intersection_over_union(objects, objects) == 1
    assert np.isnan(intersection_over_union(objects & False, objects & False))


@pytest.mark.parametrize("channels", [1, 3])
def test_picture_of_objects_shows_the_overlap_and_the_most_salient_point(channels: int, drawn: list[Figure]) -> None:
    objects, region = _objects()
    image = np.random.default_rng(0).random((channels, 20, 30))
    saliency_map = np.random.default_rng(1).normal(size=(20, 30))
    saliency_map[12, 17] = 9
    pixels_of(boxes_picture(image, saliency_map, objects, region, "cat_$1$.png: cat", [(10.0, 5.0, 20.0, 15.0)]))
    pixels_of(boxes_picture(image, saliency_map, objects, region, "mask"))
    assert drawn[0].get_suptitle() == r"cat_\$1\$.png: cat · IoU 0.33"
    (point,) = drawn[0].axes[0].lines
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (17.5, 12.5)
    (box,) = drawn[0].axes[0].patches
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((10, 5), 10, 10)
    assert not drawn[1].axes[0].patches
    sides = drawn[1].axes[0].collections[0].get_segments()
    assert len(sides) == 40  # once around the object
    corners = np.concatenate(sides)
    assert (corners.min(0).tolist(), corners.max(0).tolist()) == ([10, 5], [20, 15])


def test_a_flat_or_broken_map_has_no_most_salient_point(drawn: list[Figure]) -> None:
    objects, region = _objects()
    for value in (0.0, np.nan):
        pixels_of(
            boxes_picture(np.zeros((1, 20, 30)), np.full((20, 30), value), objects & False, region & False, "flat")
        )
    assert [len(figure.axes[0].lines) for figure in drawn] == [0, 0]
    assert drawn[0].get_suptitle() == "flat · no object and no region"
