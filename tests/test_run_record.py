"""What a folder's results were made with: other settings are not mixed among them, additions are."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from overpaint.configuration.run_record import (
    RECORD,
    RunRecord,
    check_earlier,
    explanation_record,
    read_record,
    training_record,
    write_record,
)
from overpaint.configuration.settings import load_settings
from overpaint.core.errors import OverpaintError

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def _explain(*words: str) -> dict[str, Any]:
    return load_settings(CONFIGS, "explain", ["output=nowhere", *words])


def _used(folder: Path, before: RunRecord) -> None:
    """Makes a folder hold a result of a run."""
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "result.json").write_text("{}")
    before.write(folder)


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        ([], ["seed=1"], r"seed: 0 -> 1; .* and \d+ more\): repeat those, name another output=, or let overwrite=true"),
        ([], ["region.fraction=0.2"], r"region.fraction: 0.1 -> 0.2\)"),
        ([], ["search.steps=9"], r"search.steps: null -> 9\)"),
        ([], ["saliency.rise.queries=9"], r"saliency.rise.queries: \d+ -> 9\)"),
        ([], ["methods=[rise,mask_estimation,grad_cam]"], r'first method: "mask_estimation" -> "rise"\)'),
        ([], ["generator=null"], r"generator.source: .* -> null\)"),
        ([], ["engine.precision=bfloat16"], r'engine.precision: "auto" -> "bfloat16"\)'),
        ([], ["classifier=m:f"], r'classifier.source: "nowhere/classifier.ckpt" -> "m:f"\)'),
        ([], ["data=mnist"], r'data.name: "digits" -> "mnist"'),
        (["oracle=m:f"], ["oracle=m:g"], r'oracle.source: "m:f" -> "m:g"\)'),
        (["annotations=a.csv"], ["annotations=b.csv"], r"annotations.source"),
    ],
)
def test_other_settings_are_refused(first: list[str], then: list[str], said: str, tmp_path: Path) -> None:
    _used(tmp_path, explanation_record(_explain(*first), {}))
    later = _explain(*then)
    with pytest.raises(OverpaintError, match=said):
        check_earlier(later, tmp_path, explanation_record(later, {}))
    check_earlier(later | {"overwrite": True}, tmp_path, explanation_record(later, {}))


@pytest.mark.parametrize(
    "words",
    [
        ["methods=[mask_estimation,center]"],
        ["metrics=[iou]"],
        ["probes=[controls]"],
        ["limit=3", "batch_size=4", "engine.batch_size=2", "target=top3", "logger.mode=none"],
        ["images='*.png'"],
        ["oracle=m:f"],
        ["annotations=a.csv"],
        ["seeds=3"],
    ],
)
def test_what_adds_results_is_no_other_setting(words: list[str], tmp_path: Path) -> None:
    _used(tmp_path, explanation_record(_explain(), {}))
    later = _explain(*words)
    check_earlier(later, tmp_path, explanation_record(later, {}))
    write_record(later, tmp_path, explanation_record(later, {}))
    joined = read_record(tmp_path)
    assert joined is not None
    assert {"mask_estimation", "rise", "grad_cam"} <= set(joined.settings["saliency"])
    again = _explain("saliency.rise.queries=7")  # what the first run had still counts
    with pytest.raises(OverpaintError, match=r"saliency.rise.queries"):
        check_earlier(again, tmp_path, explanation_record(again, {}))


def test_a_file_is_told_by_its_content_and_not_by_its_path(tmp_path: Path) -> None:
    for name in ("one.ckpt", "two.ckpt"):
        (tmp_path / name).touch()
    first, then = (_explain(f"classifier={tmp_path / name}") for name in ("one.ckpt", "two.ckpt"))
    folder = tmp_path / "out"
    _used(folder, explanation_record(first, {"classifier": "a"}))
    check_earlier(then, folder, explanation_record(then, {"classifier": "a"}))
    with pytest.raises(OverpaintError, match=r"\(the file of classifier= has other content\)"):
        check_earlier(then, folder, explanation_record(then, {"classifier": "b"}))


def test_a_baselines_content_counts(tmp_path: Path) -> None:
    grey, folder = tmp_path / "grey.png", tmp_path / "out"
    grey.write_bytes(b"1")
    settings = _explain(f"saliency.rise.baseline={grey}")
    _used(folder, explanation_record(settings, {}))
    check_earlier(settings, folder, explanation_record(settings, {}))
    grey.write_bytes(b"2")
    with pytest.raises(OverpaintError, match=r"saliency.rise.baseline: \"a file of content"):
        check_earlier(settings, folder, explanation_record(settings, {}))


def test_a_folder_without_results_takes_any_settings(tmp_path: Path) -> None:
    explanation_record(_explain(), {}).write(tmp_path)
    later = _explain("seed=1")
    check_earlier(later, tmp_path, explanation_record(later, {}))
    write_record(later, tmp_path, explanation_record(later, {}))
    record = read_record(tmp_path)
    assert record is not None
    assert record.settings["seed"] == 1


def test_overwriting_keeps_what_other_members_hold(tmp_path: Path) -> None:
    first = explanation_record(_explain(), {})
    _used(tmp_path, first)
    later = _explain("methods=[mask_estimation,rise]", "saliency.rise.queries=7", "overwrite=true")
    assert not write_record(later, tmp_path, explanation_record(later, {}))
    record = read_record(tmp_path)
    assert record is not None
    assert record.settings["saliency"]["rise"]["queries"] == 7
    assert record.settings["saliency"]["grad_cam"] == first.settings["saliency"]["grad_cam"]
    other = _explain("methods=[mask_estimation]", "search.steps=3", "overwrite=true")
    assert write_record(other, tmp_path, explanation_record(other, {}))  # nothing of before stays
    record = read_record(tmp_path)
    assert record is not None
    assert list(record.settings["saliency"]) == ["mask_estimation"]


def test_training_adds_a_model_and_refuses_other_data(tmp_path: Path) -> None:
    settings = load_settings(CONFIGS, "train", ["model=classifier", f"output={tmp_path}"])
    (tmp_path / "classifier.ckpt").touch()
    write_record(settings, tmp_path, RunRecord(training_record(settings).settings, finished=["classifier"]))
    more = load_settings(CONFIGS, "train", ["model=dcgan", f"output={tmp_path}"])
    check_earlier(more, tmp_path, training_record(more))
    write_record(more, tmp_path, training_record(more))
    record = read_record(tmp_path)
    assert record is not None
    assert (list(record.settings["model"]), record.finished) == (["classifier", "dcgan"], ["classifier"])
    other = load_settings(CONFIGS, "train", ["model=dcgan", "data.train_count=9", f"output={tmp_path}"])
    with pytest.raises(OverpaintError, match=r"data.train_count: \d+ -> 9\)"):
        check_earlier(other, tmp_path, training_record(other))


def test_a_damaged_record_is_said_and_may_be_overwritten(tmp_path: Path) -> None:
    settings = _explain()
    now = explanation_record(settings, {})
    _used(tmp_path, now)
    for content in ("", "[]", "{", json.dumps({"settings": {}})):
        (tmp_path / RECORD).write_text(content)
        with pytest.raises(
            OverpaintError, match=r"record.json, which says what .* is damaged .*; overwrite=true makes"
        ):
            check_earlier(settings, tmp_path, now)
    write_record(copy.deepcopy(settings) | {"overwrite": True}, tmp_path, now)
    assert read_record(tmp_path) is not None
