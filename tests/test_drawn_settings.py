"""Settings of every yaml, drawn at random: either they are taken, or a sentence says why not."""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from overpaint.configuration.sections import CLASSES, FROM_FILE, check_sections
from overpaint.configuration.settings import Settings, load_settings
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import instantiate

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

EXPLAIN = load_settings(CONFIGS, "explain", ["methods=all", "metrics=all", "probes=all", "output=none"])
TRAIN = load_settings(CONFIGS, "train", ["output=none"])
DATA = [
    load_settings(
        CONFIGS, "train", [f"data={path.stem}", *(["data.root=photos"] if "root:" in path.read_text() else [])]
    )
    for path in sorted((CONFIGS / "data").glob("*.yaml"))
]

PATHS: list[tuple[Settings, tuple[str, ...]]] = [
    *((EXPLAIN, (group, name)) for group in ("saliency", "metrics", "probes") for name in EXPLAIN[group]),
    *((EXPLAIN, (name,)) for name in (*CLASSES, "trainer", "logger", "report")),
    *((TRAIN, path) for path in [("model", "classifier"), ("model", "dcgan"), ("trainer",)]),
    *((one, ("data",)) for one in DATA),
]
"""Whole settings, and where a section is among them."""

CONSTRUCTED = ("annotations", "region", "search", "saliency", "metrics", "probes", "data")
"""Sections whose class is built here; the others need networks."""

numbers = st.one_of(
    st.sampled_from([0, -1, 1, 2, 3, 2**31, 2**32, 10**30, 0.0, -0.5, 0.5, 1.0, 1.5, 1e300]),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.integers(-5, 5000),
    st.floats(-2, 2),
)
values = st.one_of(
    numbers, st.lists(numbers, max_size=3), st.none(), st.booleans(), st.text(max_size=5), st.lists(st.text(max_size=3))
)


def _numbers(value: Any) -> Iterator[float]:
    """Yields the numbers in a setting."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    for each in value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else ():
        yield from _numbers(each)


def _refusal(whole: Settings) -> str | None:
    try:
        check_sections(whole)
    except OverpaintError as error:
        return str(error)
    return None


@pytest.mark.filterwarnings("ignore::overpaint.core.errors.OverpaintWarning")
@pytest.mark.parametrize("index", range(len(PATHS)), ids=[".".join(path) for _, path in PATHS])
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_drawn_settings_are_taken_or_refused_in_a_sentence(index: int, data: st.DataObject) -> None:
    whole, path = copy.deepcopy(PATHS[index][0]), PATHS[index][1]
    section = whole
    for name in path:
        section = section[name]
    keys = [key for key in section if key not in ("target", "name", *FROM_FILE)]
    if not keys:
        return
    for key in data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=2, unique=True)):
        section[key] = data.draw(values)
    said = _refusal(whole)
    if said is not None:
        assert said.count("\n") == 0
        assert len(said) < 900
    else:
        assert all(math.isfinite(number) for number in _numbers(section))
    if path[0] not in CONSTRUCTED:
        return
    try:
        instantiate(section | {"target": section.get("target", CLASSES.get(path[0]))}, ".".join(path))
    except OverpaintError:
        return
    assert said is None, f"the class takes what the command line refuses: {said}"
