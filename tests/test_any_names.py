"""Class names of any kind are kept and shown as they are: settings, terminal, charts, page, files."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier, pixels_of
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console

import overpaint as op
from overpaint.cli.entry import explain, train
from overpaint.configuration.settings import load_settings, read_settings, save_settings
from overpaint.core.names import distinct_names, safe_file_name
from overpaint.report.plots import letters
from overpaint.report.plots.images import figure_png
from overpaint.report.tables.terminal import images_table

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

FOLDERS = ("no", "on", "null", "[red] card", "ü", "猫", "😀", "$x_{", "<b>", "1", "n" * 200, "a b")
"""Names that a folder may have."""


@pytest.mark.parametrize("key", ["classifier.class_names", "target", "oracle.class_names"])
def test_names_of_classes_are_no_yaml(tmp_path: Path, key: str) -> None:
    names = ["no", "on", "null", "1.0", "~", "yes", "2024-01-01", "a/b", "[red] card", "#1"]
    word = f"{key}=[no,on,null,1.0,~,yes,2024-01-01,a/b,'[red] card','#1']"
    settings = load_settings(CONFIGS, "explain", [word, f"output={tmp_path}"])
    section, _, entry = key.partition(".")
    assert (settings[section][entry] if entry else settings[section]) == names
    save_settings(settings, tmp_path / "config.yaml")
    assert read_settings(tmp_path / "config.yaml")[section] == settings[section]


@pytest.mark.parametrize(
    ("word", "value"), [("no", "no"), ("null", "null"), ("3", 3), ("[3,7]", [3, 7]), ("top3", "top3"), ("007", "007")]
)
def test_one_target_is_a_name_or_an_index(word: str, value: object) -> None:
    assert load_settings(CONFIGS, "explain", [f"target={word}"])["target"] == value


def test_no_names_are_still_the_sources_own() -> None:
    assert load_settings(CONFIGS, "explain", ["classifier.class_names=null"])["classifier"]["class_names"] is None


def test_the_same_name_twice_is_told_apart() -> None:
    assert distinct_names(["crane", "cat", "crane"]) == ["crane (0)", "cat", "crane (2)"]
    assert distinct_names(["a", "b"]) == ["a", "b"]


def test_the_terminal_shows_names_without_markup() -> None:
    console = Console(width=200)
    rows = [{"name": "x [/bold]", "target": "[red] card", "confidence": 0.5}]
    with console.capture() as captured:
        console.print(images_table(rows, {}))
    assert "x [/bold]" in captured.get()
    assert "[red] card" in captured.get()


def test_letters_that_no_font_has_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "font_with", lambda letter: None)
    assert letters.drawable("ü 猫\n🫠\udcff") == ("ü \\u732b\n\\U0001fae0\\udcff", ["DejaVu Sans"])
    figure = Figure()
    figure.suptitle("ein Vögelchen 猫")
    pixels_of(figure_png(figure))  # matplotlib's warning of a missing letter would be an error
    assert figure.get_suptitle() == "ein Vögelchen \\u732b"


def test_letters_are_drawn_by_a_font_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "own_letters", lambda: frozenset(range(32, 127)))
    monkeypatch.setattr(letters, "font_with", lambda letter: "STIXGeneral" if letter == "ü" else None)
    assert letters.drawable("aü") == ("aü", ["DejaVu Sans", "STIXGeneral"])
    figure = Figure()
    figure.suptitle("aü")
    pixels_of(figure_png(figure))


@pytest.mark.slow
def test_a_whole_run_keeps_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for name in FOLDERS:
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(3):
            noise = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / "photos" / name / f"{index}.png")
    words = ["data=folder", f"data.root={tmp_path}/photos", "data.image_size=32", f"output={tmp_path}/out"]
    quiet = ["logger.mode=none", "trainer.enable_progress_bar=false", "trainer.accelerator=cpu"]
    train(CONFIGS, [*words, *quiet, "trainer.max_epochs=1", "model=classifier"])
    assert "classifier/test_accuracy_of_[red] card" in capsys.readouterr().out
    some = [*quiet, f"output={tmp_path}/out", "generator=null", "methods=[center]", "metrics=[]", "limit=1"]
    explain(CONFIGS, [*some, "target=[no,on,null,'[red] card',猫,😀,'$x_{','<b>',ü]"])
    found = [json.loads(path.read_text()) for path in (tmp_path / "out" / "explain").glob("*/result.json")]
    assert {one["target"] for one in found} == {"no", "on", "null", "[red] card", "猫", "😀", "$x_{", "<b>", "ü"}
    page = (tmp_path / "out" / "explain" / "report.html").read_text()
    assert "<b>," not in page
    assert "&lt;b&gt;" in page
    assert "[red] card" in page
    assert re.search(r"\[red\] *card", capsys.readouterr().out)


def test_rows_of_two_classes_of_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    classifier = FunctionClassifier(lambda images: images.flatten(1).mean(1))
    classifier.class_names = ["crane", "crane"]
    explanation = op.explain(classifier, torch.rand(1, 1, 32, 32), "top2", methods="center")
    assert {name.rpartition("@")[2] for name in explanation.names} == {"crane (0)", "crane (1)"}
    explanation.save(tmp_path)
    assert len({safe_file_name(name) for name in explanation.names}) == 2
    assert len(list(tmp_path.glob("*/result.json"))) == 2
