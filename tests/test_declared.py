"""What is read of a class's source is what the class itself says, once it is imported."""

from pathlib import Path
from typing import Any, get_type_hints

import pytest

from overpaint.configuration.declared import check_declared, declared_types, read_source
from overpaint.configuration.sections import CLASSES, FROM_DATA, FROM_FILE, SCHEDULE
from overpaint.configuration.settings import load_settings
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import import_class, instantiate

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

EXPLAIN = load_settings(CONFIGS, "explain", ["methods=all", "metrics=all", "probes=all", "output=none"])
TRAIN = load_settings(CONFIGS, "train", ["output=none"])

SECTIONS: dict[str, dict[str, Any]] = {
    **{f"{g}.{n}": own for g in ("saliency", "metrics", "probes") for n, own in EXPLAIN[g].items()},
    **{f"model.{name}": own for name, own in TRAIN["model"].items()},
    **{name: {"target": target, **EXPLAIN[name]} for name, target in CLASSES.items()},
    "data": TRAIN["data"],
}


@pytest.mark.parametrize("where", SECTIONS)
def test_the_types_are_those_of_the_imported_class(where: str) -> None:
    section = SECTIONS[where]
    module, _, name = section["target"].rpartition(".")
    found = import_class(section["target"], ("overpaint",), where)
    expected = get_type_hints(found.__init__, include_extras=True)
    types = declared_types(list(read_source(module).lineage(name)))
    assert set(section) - {"target", "name", *FROM_FILE, *SCHEDULE} <= set(types)
    assert {key: types[key] for key in section if key in types} == {
        key: expected[key] for key in section if key in types
    }


@pytest.mark.parametrize("where", SECTIONS)
def test_the_files_settings_pass(where: str) -> None:
    section = SECTIONS[where]
    later = [*SCHEDULE, *FROM_FILE, *(key for key in FROM_DATA if section.get(key) is None)]
    check_declared(section, section["target"], where, later)


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        ("saliency.rise", {"queries": 1}),
        ("saliency.rise", {"keep": 1.0}),
        ("saliency.rise", {"estimator": "median"}),
        ("saliency.surrogate", {"queries": 4}),  # at least a multiple of a constant of its module
        ("saliency.occlusion", {"window": [0.2, 0]}),  # checked in a loop
        ("saliency.mask_estimation", {"chains": 1}),
        ("saliency.smooth_grad", {"noise": -0.1}),
        ("metrics.insertion", {"step": -1}),  # checked by its base class
        ("metrics.road", {"percentiles": [10, 100]}),
        ("probes.diversity", {"values": [1, 1]}),
        ("probes.region_size_sweep", {"fractions": []}),
        ("probes.stability", {"rotation": 190}),
    ],
)
def test_a_value_is_refused_in_the_words_of_the_class(where: str, wrong: dict[str, Any]) -> None:
    section = SECTIONS[where] | wrong
    with pytest.raises(OverpaintError) as early:
        check_declared(section, section["target"], where)
    with pytest.raises(OverpaintError) as late:
        instantiate(section, where)
    assert str(early.value) == str(late.value)


def test_what_can_not_be_read_is_left_to_the_class() -> None:
    check_declared({"queries": -1}, "some_package.module.Method", "saliency.mine")
    check_declared({"queries": -1}, "overpaint.saliency.absent.Method", "saliency.mine")
    check_declared({"queries": -1}, "overpaint.saliency.rise.Absent", "saliency.mine")
    check_declared({"attribution": "None"}, "overpaint.saliency.captum_method.CaptumMethod", "saliency.mine")
