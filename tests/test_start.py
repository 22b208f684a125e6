"""The command line answers before torch is imported: help, and every wrong word that needs no network to be found."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from pydantic import TypeAdapter, ValidationError

from overpaint.classifiers.torchvision_names import known_networks
from overpaint.configuration.settings import load_settings
from overpaint.core.instantiate import STRICT, import_class

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import contextlib, io, json, sys
from overpaint.cli.main import main

answers = []
for words in json.loads(sys.argv[1]):
    code, said = 0, io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main(words)
        except SystemExit as end:
            code = end.code
    answers.append([code, said.getvalue(), "torch" in sys.modules])
print(json.dumps(answers))
"""


def _answers(folder: Path, commands: list[list[str]], environment: dict[str, str] | None = None) -> list[Any]:
    """Runs commands one after the other in a fresh process: exit code, standard error, whether torch is imported."""
    for name in ("file", "net.onnx", "photo.png"):
        (folder / name).touch()
    (folder / "empty").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ) | (environment or {}),
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def test_help_needs_no_torch(tmp_path: Path) -> None:
    commands = [["--help"], ["train", "--help"], ["explain", "-h"]]
    assert _answers(tmp_path, commands) == [[0, "", False]] * 3


WRONG: dict[str, str] = {
    # words and names
    "explain limit": "'limit' is no setting; write key=value",
    "explain lmit=3": "there is no setting 'lmit'; did you mean limit?",
    "explain methods=[rize]": "did you mean rise?",
    "explain metrics=[insertoin]": "did you mean insertion?",
    "explain probes=[oracel]": "did you mean oracle?",
    "explain methods=[]": "names no saliency method",
    "explain saliency.grad_cam=3": "set one of them, such as saliency.grad_cam.layer=",
    "train model=[]": "names nothing to train",
    "train data=digitz": "did you mean digits?",
    # types
    "explain limit=many": "limit=many is not of the right type",
    "explain saliency.rise.queries=many": "saliency.rise.queries=many is not of the right type: it",
    "explain saliency.rise.queries=[1,2]": "saliency.rise.queries=[1, 2] is not of the right type: it takes int",
    "explain saliency.grad_cam.layer=3": "saliency.grad_cam.layer=3 is not of the right type: it takes str",
    "explain region.method=otsus": "region.method=otsus is not of the right type: it takes",
    "explain search.recipe=fast": "search.recipe=fast is not of the right type: it takes",
    "explain variants.blend=mix": "variants.blend=mix is not of the right type: it takes",
    "explain engine.compile=maybe": "engine.compile=maybe is not of the right type: it takes bool",
    "explain engine.precision=float16": "engine.precision=float16 is not of the right type: it takes",
    "explain annotations.unknown=ignore": "annotations.unknown=ignore is not of the right type: it takes",
    "explain report.self_contained=1": "report.self_contained=1 is not of the right type: it takes bool",
    "explain trainer.devices=1.5": "trainer.devices=1.5 is not of the right type",
    "explain classifier.output=softmax": "classifier.output=softmax is not of the right type",
    "explain generator.range=wide": "generator.range=wide is not of the right type",
    "train logger.mode=loud": "logger.mode=loud is not of the right type",
    "train model.dcgan.recipe=fast": "model.dcgan.recipe=fast is not of the right type",
    "train data=folder": "data.root must be given",
    # ranges
    "explain limit=-1": "must not be negative",
    "explain seed=-1": "seed=-1 must lie in [0, 4294967295]",
    "explain range=[5,2]": "range=[5, 2] must be auto, or two numbers",
    "explain saliency.rise.queries=0": "saliency.rise.queries=0 must be at least 2",
    "explain metrics.insertion.step=2.5": "step=2.5 must be a whole number of pixels",
    "explain probes=[controls] probes.controls.draws=0": "probes.controls.draws=0 must be at least 1",
    "explain region.fraction=2": "region.fraction=2 must lie in (0, 1]",
    "explain search.num_variants=0": "search.num_variants=0 must be at least 1",
    "explain search.steps=-1": "search.steps=-1 must not be negative",
    "explain engine.batch_size=0": "engine.batch_size=0 must be at least 1",
    "train trainer.max_epochs=0": "trainer.max_epochs=0 must be at least 1",
    "train model.dcgan.batch_size=0": "model.dcgan.batch_size=0 must be at least 1",
    "train model.dcgan.latent_dim=0": "model.dcgan.latent_dim=0 must be at least 1",
    "train data.image_size=0": "data.image_size=0 must be at least 1",
    # files
    "explain": "there is no checkpoint classifier=",
    "explain data=mnist output=o": "overpaint train data=mnist data.root=",
    "explain classifier=gone.pt generator=null": "there is no file classifier=gone.pt",
    "explain classifier=torchvision:resnet18 generator=null": "needs classifier.weights: a state-dict file, or DEFAULT",
    "explain classifier=torchvision:resnet19 generator=null": "did you mean torchvision:resnet1",
    "explain classifier=torchvision:resnet18 classifier.weights=gone.pt generator=null": "classifier.weights=gone.pt",
    "explain classifier=net.onnx generator=null classifier.class_names=gone.txt": "classifier.class_names=gone.txt",
    "explain classifier=net.onnx generator=null oracle=gone.onnx": "there is no file oracle=gone.onnx",
    "explain classifier=net.onnx generator=null images=gone/*.jpg": "images=gone/*.jpg matches no image",
    "explain classifier=net.onnx generator=null images=empty": "images=empty matches no image",
    "explain classifier=net.onnx generator=null images=photo.png annotations=gone.json": "gone.json does not exist",
    "explain classifier=net.onnx generator=null annotations=gone.json": "name them with images=",
    "explain classifier=net.onnx generator=null saliency.rise.baseline=gone.png": "baseline=gone.png is none of mean",
    "explain classifier=net.onnx generator=null data=folder data.root=gone": "data.root=gone is not a folder",
    "explain classifier=net.onnx generator=null probes=[controls]": "ask about variants, but generator=null makes none",
    "train data=folder data.root=gone": "data.root=gone is not a folder",
    "train resume=true": "there is no run in",
    "train output=file": "output=file is a file",
    "train output=file/below": "output=file/below lies in file, which is a file",
}
"""Wrong commands, and a part of what is said of them."""


def test_a_wrong_command_needs_no_torch(tmp_path: Path) -> None:
    answers = _answers(tmp_path, [command.split() for command in WRONG])
    for (command, part), (code, said, has_torch) in zip(WRONG.items(), answers, strict=True):
        assert part in " ".join(said.split()), f"{command}: {said}"
        assert said.startswith("error: "), command
        assert said.count("\n") == 1, command
        assert (code, has_torch) == (2, False), command


def test_the_names_of_torchvision_are_read_from_its_files() -> None:
    from torchvision import models

    assert known_networks() == set(models.list_models(module=models))


def test_an_unknown_command_needs_no_torch(tmp_path: Path) -> None:
    assert _answers(tmp_path, [["explian"]]) == [[2, ANY, False]]


def test_an_unknown_mode_of_wandb_is_said_at_once(tmp_path: Path) -> None:
    ((code, said, has_torch),) = _answers(tmp_path, [["train"]], {"WANDB_MODE": "loud"})
    assert (code, has_torch) == (2, False)
    assert "WANDB_MODE=loud, which W&B does not know; it takes online" in " ".join(said.split())


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
