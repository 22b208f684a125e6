"""The command line answers before torch is imported: help, and every wrong word that needs no network to be found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from overpaint.configuration.settings import load_settings
from overpaint.core.instantiate import STRICT, import_class

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import sys
from overpaint.cli.main import main
code = 0
try:
    main(sys.argv[1:])
except SystemExit as end:
    code = end.code
sys.stdout.write(f"code {code}, torch {'torch' in sys.modules}")
"""


def _run(tmp_path: Path, *words: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ)
    )
    return done.stdout.splitlines()[-1], done.stderr


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["explain", "-h"]])
def test_help_needs_no_torch(tmp_path: Path, words: list[str]) -> None:
    assert _run(tmp_path, *words)[0] == "code 0, torch False"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["explain", "methods=[rize]"], "did you mean rise?"),
        (["explain", "lmit=3"], "there is no setting 'lmit'; did you mean limit?"),
        (["explain", "limit"], "'limit' is no setting; write key=value"),
        (["explain", "limit=many"], "limit=many is not of the right type"),
        (["explain", "limit=-1"], "must not be negative"),
        (
            ["explain", "saliency.rise.queries=many"],
            "saliency.rise.queries=many is not of the right type: it",
        ),
        (["explain"], "there is no checkpoint classifier="),
        (["explain", "classifier.output=softmax"], "classifier.output=softmax is not of the right type"),
        (["explain", "classifier=a.pt", "generator=null", "images=gone/*.jpg"], "images=gone/*.jpg matches no image"),
        (["explain", "generator.range=wide"], "generator.range=wide is not of the right type"),
        (["train", "model=[]"], "names nothing to train"),
        (["train", "logger.mode=loud"], "logger.mode=loud is not of the right type"),
        (["train", "resume=true"], "there is no run in"),
        (["train", "output=file"], "output=file is a file"),
    ],
)
def test_a_wrong_word_needs_no_torch(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "file").touch()
    end, errors = _run(tmp_path, *words)
    assert end == "code 1, torch False"
    assert errors.startswith("error: ")
    assert said in " ".join(errors.split())


def test_a_number_of_the_configuration_never_stands_for_a_word() -> None:
    """So that a word for it can be refused by the number alone, without the class that takes it."""
    from overpaint.core.instantiate import _annotations

    settings = load_settings(ROOT / "configs", "explain", ["methods=all", "metrics=all", "probes=all", "output=none"])
    sections = [*settings["saliency"].values(), *settings["metrics"].values(), *settings["probes"].values()]
    for section in sections:
        hints = _annotations(import_class(section["target"], ("overpaint",), "target"))
        for name, value in section.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and name in hints:
                with pytest.raises(ValidationError):
                    TypeAdapter(hints[name], config=STRICT).validate_json('"word"')
