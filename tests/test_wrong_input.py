# a case is one line
"""Whatever is wrong with what a user gives: one sentence, exit 2, and every file stays as it was.

Each case is a command line, a pattern of its sentence and, where need be, what is wrong with the files. All are run in
this process, in a folder that holds a small trained domain.
"""

import hashlib
import io
import json
import re
import shlex
import shutil
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import foreign
import numpy as np
import pytest
import torch
from PIL import Image

from overpaint.classifiers.network import classifier_from_settings
from overpaint.cli.main import main
from overpaint.configuration.location import configs_folder
from overpaint.configuration.settings import load_settings, save_settings
from overpaint.networks.checkpoint import FORMAT_KEY
from overpaint.training.dcgan import DCGANModule

CLASSES = ["cat", "dog"]

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with checkpoints of a classifier and a DCGAN, the run's configuration, pictures and other files."""
    folder = tmp_path_factory.mktemp("domain")
    run = folder / "run"
    (run / "explain" / "a").mkdir(parents=True)
    (run / "explain" / "a" / "result.json").write_text("{}")
    (run / "explain" / "report.html").write_text("an earlier report")
    settings = {"architecture": "residual", "class_names": CLASSES, "image_size": 32, "mean": [0.5], "std": [0.2]}
    classifier = classifier_from_settings(settings)
    state = {f"classifier.{name}": tensor for name, tensor in classifier.state_dict().items()}
    torch.save({FORMAT_KEY: {"kind": "classifier", "settings": settings}, "state_dict": state}, run / "classifier.ckpt")
    module = DCGANModule(image_size=32, channels=1, latent_dim=4, base_channels=2, class_names=CLASSES)
    content: dict[str, Any] = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(content)
    torch.save(content, run / "dcgan.ckpt")
    root = f"data.root={folder / 'photos'}"
    save_settings(load_settings(configs_folder(), "train", ["data=folder", root]), run / "config.yaml")
    for name in CLASSES:
        (folder / "photos" / name).mkdir(parents=True)
        for index in range(12):
            noise = np.random.default_rng(index).integers(0, 256, (32, 32), dtype=np.uint8)
            Image.fromarray(noise).save(folder / "photos" / name / f"{index}.png")
    foreign.write_torchscript(folder / "script.pt")
    foreign.write_exported(folder / "program.pt2", None)
    torch.save(torch.nn.Linear(2, 2), folder / "pickled.pt")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
    (folder / "text.ckpt").write_text("no checkpoint")
    (folder / "empty").mkdir()
    (folder / "file").touch()
    (folder / "other.npy").write_bytes(b"\x93NUMPY" + b"\xff" * 20)
    return folder


@pytest.fixture
def copy(domain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the domain that may be damaged, as the current folder."""
    folder = tmp_path / "copy"
    shutil.copytree(domain, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    return folder


SECRET = "s3cr3t-k3y"


def _digest(folder: Path) -> str:
    """Returns a digest of the names and the content of everything below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode("utf-8", "surrogateescape"))
        digest.update(path.read_bytes() if path.is_file() else b"/")
    return digest.hexdigest()


def _refused(words: list[str], folder: Path, sentence: str) -> None:
    """Runs a command, which must end with status 2 and one sentence, and leave every file as it was."""
    before, said, shown, code = _digest(folder), io.StringIO(), io.StringIO(), 0
    with redirect_stderr(said), redirect_stdout(shown):
        try:
            main(words)
        except SystemExit as end:
            code = int(end.code or 0)
    errors = [line for line in said.getvalue().splitlines() if line.startswith("error: ")]
    assert code == 2, f"{words}: {code} {said.getvalue()}"
    assert len(errors) == 1, said.getvalue()
    assert re.search(sentence, errors[0]), f"{words}: {errors[0]}"
    assert "Traceback" not in said.getvalue()
    assert SECRET not in said.getvalue() + shown.getvalue()
    assert _digest(folder) == before, f"{words} changed the folder"


E = "explain output=run logger.mode=none trainer.accelerator=cpu images=photos "
T = "train output=run logger.mode=none trainer.accelerator=cpu data=folder data.root=photos data.channels=1 "
ALONE = "generator=null "

SETTINGS: dict[str, str] = {
    # words
    E + "limit": r"'limit' is no setting; write key=value",
    E + "=3": r"'=3' is no setting",
    E + "lmit=3": r"there is no setting 'lmit'; did you mean limit\?",
    E + "methods=[rize]": r"did you mean rise\?",
    E + "methods=[]": r"methods=\[\] names no saliency method",
    E + "saliency.grad_cam=3": r"'saliency.grad_cam' is a group of settings",
    E + "saliency.lime.queries=9": r"would change nothing: lime is not among methods=",
    "explain images=": r"images= has no value; write images=null for none",
    "explain output=": r"output= has no value",
    "explain images='  '": r"images= has no value",
    "explain images=[]": r"images=\[\] is not of the right type",
    T + "data.root=": r"data.root= has no value",
    T + "model=[]": r"model=\[\] names nothing to train",
    "train data=[digits,folder]": r"must name one data set",
    "train data=digitz": r"did you mean digits\?",
    "train data=folder": r"data.root must be given",
    # numbers that are none
    E + "saliency.rise.keep=.nan": r"saliency.rise.keep=nan must be a finite number",
    E + "saliency.rise.stop_at=.inf": r"saliency.rise.stop_at=inf must be a finite number",
    E + "region.fraction=.nan": r"region.fraction=nan must be a finite number",
    E + "region.ring=-.inf": r"region.ring=-inf must be a finite number",
    E + "search.learning_rate=.nan": r"search.learning_rate=nan must be a finite number",
    E + "search.prior_weight=.inf": r"search.prior_weight=inf must be a finite number",
    E + "search.diversity=.nan": r"search.diversity=nan must be a finite number",
    E + "variants.duplicate_tolerance=.nan": r"variants.duplicate_tolerance=nan must be a finite number",
    E + "classifier.threshold=.nan": r"classifier.threshold=nan must be a finite number",
    E + "max_megapixels=.nan": r"max_megapixels=nan must be a finite number",
    E + "range=[0,.nan]": r"range=\[0, nan\] must be a finite number",
    E + "metrics.insertion.step=.nan": r"metrics.insertion.step=nan must be a finite number",
    E + "metrics.pointing_game.tolerance=.inf": r"tolerance=inf must be a finite number",
    E + "methods=[lime] saliency.lime.width=.nan": r"saliency.lime.width=nan must be a finite number",
    E + "methods=[smooth_grad] saliency.smooth_grad.noise=.inf": r"noise=inf must be a finite number",
    E + "methods=[occlusion] saliency.occlusion.window=.nan": r"window=nan must be a finite number",
    E + "methods=[iassa] saliency.iassa.temperature=.nan": r"temperature=nan must be a finite number",
    E + "methods=[surrogate] saliency.surrogate.ridge=.nan": r"ridge=nan must be a finite number",
    E + "probes=[guided] probes.guided.weight=.nan": r"probes.guided.weight=nan must be a finite number",
    E + "probes=[diversity] probes.diversity.values=[.inf]": r"values=\[inf\] must be a finite number",
    E + "probes=[stability] probes.stability.rotation=.nan": r"rotation=nan must be a finite number",
    T + "model.dcgan.ema_decay=.nan": r"model.dcgan.ema_decay=nan must be a finite number",
    T + "model.classifier.distortion=.inf": r"model.classifier.distortion=inf must be a finite number",
    T + "data.max_megapixels=.nan": r"data.max_megapixels=nan must be a finite number",
    # 0, negative and too large
    E + "limit=-1": r"limit=-1 must not be negative",
    E + "seeds=0": r"seeds=0 must be at least 1",
    E + "batch_size=0": r"batch_size=0 must be at least 1",
    E + "batch_size=99999999999": r"batch_size=99999999999 must be at most 2147483647",
    E + "max_megapixels=0": r"max_megapixels=0 must be above 0",
    E + "engine.batch_size=0": r"engine.batch_size=0 must be at least 1",
    E + "saliency.rise.queries=0": r"saliency.rise.queries=0 must be at least 2",
    E + "saliency.rise.queries=99999999999999999999": r"queries=9+ must be at most 2147483647",
    E + "saliency.rise.cells=0": r"saliency.rise.cells=0 must be at least 1",
    E + "saliency.rise.stop_at=0": r"saliency.rise.stop_at=0 must be above 0",
    E + "saliency.rise.stop_at=-0.1": r"saliency.rise.stop_at=-0.1 must be above 0",
    E + "saliency.mask_estimation.chains=1": r"chains=1 must be at least 2",
    E + "saliency.mask_estimation.weighing=-1": r"weighing=-1 must not be negative",
    E + "saliency.mask_estimation.low=0.9": r"low=0.9 must be below high=0.9",
    E + "saliency.mask_estimation.queries=10": r"queries=10 must be at least twice chains=32",
    E + "saliency.grad_cam.batch_size=0": r"saliency.grad_cam.batch_size=0 must be at least 1",
    E + "methods=[surrogate] saliency.surrogate.cells=0": r"saliency.surrogate.cells=0 must be at least 1",
    E + "methods=[surrogate] saliency.surrogate.resolution=-1": r"resolution=-1 must be at least 1",
    E + "methods=[surrogate] saliency.surrogate.queries=8": r"saliency.surrogate.queries=8 must be at least 64",
    E + "methods=[random] saliency.random.cells=1": r"saliency.random.cells=1 must be at least 2",
    E + "methods=[occlusion] saliency.occlusion.stride=0": r"saliency.occlusion.stride=0 must be above 0",
    E + "methods=[occlusion] saliency.occlusion.window=[]": r"window=\[\] must hold at least one entry",
    E + "methods=[lime] saliency.lime.num_segments=1": r"num_segments=1 must be at least 2",
    E + "methods=[iassa] saliency.iassa.shrink=2": r"saliency.iassa.shrink=2 must lie in \(0, 1\]",
    E + "methods=[integrated_gradients] saliency.integrated_gradients.steps=0": r"steps=0 must be at least 1",
    E + "methods=[smooth_grad] saliency.smooth_grad.samples=1": r"samples=1 must be at least 2",
    E + "metrics=[road] metrics.road.percentiles=[]": r"percentiles=\[\] must hold at least one entry",
    E + "metrics=[road] metrics.road.percentiles=[100]": r"percentiles=\[100\] must lie in \(0, 100\)",
    E + "metrics=[convergence] metrics.convergence.budgets=[]": r"budgets=\[\] must hold at least one entry",
    E + "metrics=[convergence] metrics.convergence.budgets=[0]": r"budgets=\[0\] must be at least 1",
    E + "metrics=[infidelity] metrics.infidelity.squares=[]": r"squares=\[\] must hold at least one entry",
    E + "metrics=[retention] metrics.retention.num_variants=0": r"num_variants=0 must be at least 1",
    E + "probes=[diversity] probes.diversity.values=[]": r"values=\[\] must hold at least one entry",
    E + "probes=[diversity] probes.diversity.values=[1,1]": r"values=\[1, 1\] must not hold an entry twice",
    E + "probes=[region_size_sweep] probes.region_size_sweep.fractions=[2]": r"fractions=\[2\] must lie in \(0, 1\]",
    E + "probes=[stability] probes.stability.scaling=0": r"scaling=0 must lie in \[0.1, 10\]",
    E + "region.fraction=0": r"region.fraction=0 must lie in \(0, 1\]",
    E + "region.threshold=1": r"region.threshold=1 must lie in \[0, 1\)",
    E + "region.dilation=-1": r"region.dilation=-1 must not be negative",
    E + "region.fills=[]": r"region.fills=\[\] must hold at least one entry",
    E + "region.fills=[mean,mean]": r"must not hold an entry twice",
    E + "region.draws=0": r"region.draws=0 must be at least 1",
    E + "search.num_variants=0": r"search.num_variants=0 must be at least 1",
    E + "search.steps=-1": r"search.steps=-1 must not be negative",
    E + "search.batch_size=0": r"search.batch_size=0 must be at least 1",
    E + "search.spare=-1": r"search.spare=-1 must not be negative",
    E + "search.num_candidates=-1": r"search.num_candidates=-1 must not be negative",
    E + "classifier.threshold=2": r"classifier.threshold=2 must lie in \[0, 1\]",
    E + "trainer.num_nodes=0": r"trainer.num_nodes=0 must be at least 1",
    E + "trainer.devices=[]": r"trainer.devices=\[\] must hold at least one entry",
    E + "trainer.devices=[-1]": r"trainer.devices=\[-1\] must not be negative",
    T + "trainer.max_epochs=0": r"trainer.max_epochs=0 must be at least 1",
    T + "trainer.limit_train_batches=0": r"trainer.limit_train_batches=0 must be at least 1",
    T + "trainer.limit_train_batches=0.0": r"trainer.limit_train_batches=0.0 must lie in \(0, 1\]",
    T + "trainer.limit_train_batches=-1": r"trainer.limit_train_batches=-1 must be at least 1",
    T + "overwrite=true trainer.limit_train_batches=0.01": r"limit_train_batches=0.01 of the 1 batches of .* is none",
    T + "trainer.log_every_n_steps=0": r"trainer.log_every_n_steps=0 must be at least 1",
    T + "model.classifier.batch_size=0": r"model.classifier.batch_size=0 must be at least 1",
    T + "model.classifier.max_epochs=-1": r"model.classifier.max_epochs=-1 must be at least 1",
    T + "model.classifier.distortion=-1": r"model.classifier.distortion=-1 must not be negative",
    T + "model.dcgan.conditional=maybe": r"model.dcgan.conditional=maybe .*",
    T + "model.dcgan.latent_dim=0": r"model.dcgan.latent_dim=0 must be at least 1",
    T + "model.dcgan.base_channels=-4": r"model.dcgan.base_channels=-4 must be at least 1",
    T + "model.dcgan.ema_decay=1": r"model.dcgan.ema_decay=1 must lie in \[0, 1\)",
    T + "model.dcgan.evaluate_every_n_epochs=0": r"evaluate_every_n_epochs=0 must be at least 1",
    T + "data.image_size=0": r"data.image_size=0 must be at least 1",
    T + "data.image_size=[]": r"data.image_size=\[\] must hold at least one entry",
    T + "data.image_size=[8,8,8]": r"data.image_size=\[8, 8, 8\] must be one number",
    T + "data.max_megapixels=-1": r"data.max_megapixels=-1 must be above 0",
    T + "data.range=[5,2]": r"data.range=\[5, 2\] must be auto, or two numbers",
    T + "data.image_size=[a,b]": r"data.image_size=\['a', 'b'\] is not of the right type",
    T + "data.image_size=1.5": r"data.image_size=1.5 is not of the right type",
    # seeds
    E + "seed=-1": r"seed=-1 must lie in \[0, 4294967295\]",
    E + "seed=4294967296": r"seed=4294967296 must lie in \[0, 4294967295\]",
    E + "seed=1.5": r"seed=1.5 is not of the right type: it takes int",
    E + "saliency.rise.seed=-1": r"saliency.rise.seed=-1 must lie in \[0, 4294967295\]",
    E + "region.seed=99999999999": r"region.seed=99999999999 must lie in",
    E + "search.seed=-5": r"search.seed=-5 must lie in \[0, 4294967295\]",
    T + "seed=null": r"seed=None is not of the right type: it takes int",
    # types
    E + "limit=many": r"limit=many is not of the right type",
    E + "saliency.rise.queries=true": r"queries=True is not of the right type: it takes int",
    E + "saliency.grad_cam.layer=3": r"layer=3 is not of the right type: it takes str",
    E + "region.method=otsus": r"region.method=otsus is not of the right type",
    E + "engine.precision=half": r"engine.precision=half is not of the right type",
    E + "report.self_contained=1": r"report.self_contained=1 is not of the right type: it takes bool",
    E + "logger.mode=loud": r"logger.mode=loud is not of the right type",
    E + "debug=1": r"debug=1 is not of the right type: it takes bool",
    E + "allow_import=os": r"allow_import=os is not of the right type",
    E + "allow_code=1": r"allow_code=1 is not of the right type: it takes bool",
    T + "resume=maybe": r"resume=maybe is not of the right type: it takes bool",
    # memory
    T + "data.image_size=1000000": r"data.image_size=1000000 .* needs about .* GB of memory",
    T + "data.image_size=32 model.dcgan.latent_dim=2000000000": r"latent_dim=2000000000 .* needs about .* GB of memory",
    T + "data.image_size=32 model.dcgan.base_channels=2000000": r"base_channels=2000000 needs about .* GB of memory",
    E + "search.num_variants=2000000000": r"search.num_variants=2000000000 needs about .* GB of memory",
    E + "search.spare=1e9": r"search.spare=1000000000.0 needs about .* GB of memory",
    E + "search.num_candidates=2000000000": r"num_candidates=2000000000 needs about .* GB of memory",
    E + "engine.batch_size=2000000000": r"engine.batch_size=2000000000 needs about .* GB of memory",
    E + "saliency.rise.queries=2000000000": r"the method rise, .* needs about .* GB of memory",
    E + "methods=[surrogate] saliency.surrogate.queries=2000000000": r"the method surrogate, .* GB of memory",
    E + "methods=[smooth_grad] saliency.smooth_grad.samples=2000000000": r"the method smooth_grad, .* GB of memory",
    E + "methods=[lime] saliency.lime.queries=2000000000": r"the method lime, .* GB of memory",
    E + "methods=[integrated_gradients] saliency.integrated_gradients.steps=2000000000": r"integrated_gradients, .* GB",
    # code and keys
    T + "data.target=os.system": r"data.target=os.system can't be imported: it is no class of overpaint",
    T + "data.target=subprocess.Popen": r"if you trust its package, allow_import=\[subprocess\] permits it",
    T + "data.target=overpaintx.data.Folder": r"overpaintx.data.Folder can't be imported: it is no class of overpaint",
    T + "data.target=overpaint.core.files.Path": r"can't be imported: it is no class of overpaint",
    T + "data.target=overpaint.data.gone.Data": r"can't be imported: No module named",
    T + "data.target=null": r"data.target=null can't be imported",
    T + "model.classifier.target=os.system": r"model.classifier.target=os.system can't be imported",
    T + "model.classifier.optimizer.target=os.system": r"optimizer.target=os.system can't be imported",
    E + "saliency.rise.target=shutil.rmtree": r"saliency.rise.target=shutil.rmtree can't be imported",
    E + "metrics.deletion.target=os.remove": r"metrics.deletion.target=os.remove can't be imported",
    E + "probes=[controls] probes.controls.target=builtins.eval": r"builtins.eval can't be imported",
    E + "logger.project='${oc.env:WANDB_API_KEY}'": r"logger.project=.* would be looked up outside of the settings",
    E + "target='${oc.env:WANDB_API_KEY}'": r"target=.* would be looked up outside of the settings",
    "explain output='${oc.env:WANDB_API_KEY}'": r"output=.* would be looked up outside of the settings",
    T + "data.root='${oc.decode:x}'": r"data.root=.* would be looked up outside of the settings",
    T + "data.root='${nothing.there}'": r"the configuration can't be resolved",
    E
    + ALONE
    + "classifier=script.pt classifier.image_size=8": r"a TorchScript file, which can run code .*allow_code=true",
    E + ALONE + "classifier=program.pt2": r"a program of torch.export, which can run code .*allow_code=true",
    E
    + ALONE
    + "classifier=pickled.pt": r"pickled.pt is no TorchScript file.*pickled network is refused since it could run",
    E + ALONE + "classifier=pickled.pt allow_code=true": r"pickled network is refused since it could run code",
    E
    + ALONE
    + "classifier=torchvision:resnet18 classifier.weights=pickled.pt": r"which is refused since it could run code",
    E + "oracle=script.pt oracle.image_size=8": r"oracle=script.pt is a TorchScript file, which can run code",
    # files and names
    E + "classifier=gone.ckpt": r"there is no checkpoint classifier=gone.ckpt",
    E + "classifier=text.ckpt": r"text.ckpt can't be loaded: it is damaged or no checkpoint",
    E + "classifier=run/dcgan.ckpt": r"dcgan.ckpt holds a dcgan; a classifier checkpoint is needed",
    E + "generator=run/classifier.ckpt": r"classifier.ckpt holds a classifier; a dcgan checkpoint is needed",
    E + "generator=text.ckpt": r"text.ckpt can't be loaded",
    E + "classifier=os:getcwd classifier.image_size=8": r"classifier=os:getcwd returned a str",
    E + "classifier=gone.module:make": r"classifier=gone.module:make can't be imported",
    "explain output=run images=gone": r"images=gone matches no image file",
    "explain output=run images=empty": r"images=empty matches no image file",
    "explain output=run logger.mode=none images=broken.png": r"images=broken.png: none of 1 files can be read",
    "explain output=run logger.mode=none images=other.npy": r"images=other.npy: none of 1 files can be read",
    "explain output=file": r"output=file is a file; name a folder",
    "explain output=file/below": r"output=file/below lies in file, which is a file",
    "train data=folder data.root=gone": r"data.root=gone is not a folder",
    "train data=folder data.root=file": r"data.root=file is not a folder",
    T + "output=file": r"output=file is a file",
    E + "annotations=gone.json": r"annotations=gone.json does not exist",
    E + "saliency.rise.baseline=gone.png": r"baseline=gone.png is none of mean",
    E + "target=bird": r"target=bird is neither .* an index below 2, nor a class name",
    E + "target=[]": r"target=\[\] must name at least one class",
    E + "target=7": r"target=7 is neither .* an index below 2, nor a class name",
    E + "target=top9": r"top9",
}
"""Commands, and the patterns of their sentences."""


@pytest.mark.parametrize("command", SETTINGS)
def test_a_wrong_setting(copy: Path, command: str) -> None:
    _refused(shlex.split(command), copy, SETTINGS[command])


def _changed(path: str, change: Callable[[Any], object]) -> Damage:
    """Returns what changes the content of a checkpoint."""

    def damage(folder: Path) -> None:
        content = torch.load(folder / path, weights_only=True)
        change(content)
        torch.save(content, folder / path)

    return damage


def _first(tensors: dict[str, Any], start: str) -> str:
    return next(name for name in tensors if name.startswith(start))


def _setting(path: str, entry: str | None, name: str, value: object) -> Damage:
    def change(content: dict[str, Any]) -> None:
        settings = content[FORMAT_KEY]["settings"]
        (settings if entry is None else settings[entry])[name] = value

    return _changed(path, change)


def _text_for_tensor(path: str, start: str) -> Damage:
    return _changed(path, lambda content: content["state_dict"].update({_first(content["state_dict"], start): "text"}))


def _config(text: str) -> Damage:
    return lambda folder: (folder / "run" / "config.yaml").write_text(text)


CLASSIFIER, DCGAN = "run/classifier.ckpt", "run/dcgan.ckpt"
DATA = "data:\n  name: folder\n  target: overpaint.data.folder.FolderData\n  channels: 1\n  image_size: 32\n"

FILES: list[tuple[str, Damage, str]] = [
    (
        "text where a tensor belongs",
        _text_for_tensor(CLASSIFIER, "classifier."),
        r"classifier.ckpt .* in its state_dict .* is a str",
    ),
    (
        "text in the generator",
        _text_for_tensor(DCGAN, "ema.module."),
        r"dcgan.ckpt .* ema.module\S* is a str, where tensors",
    ),
    ("absurd latents", _setting(DCGAN, "generator", "latent_dim", 10**9), r"dcgan.ckpt .*instead of \(1000000000, "),
    ("absurd channels", _setting(DCGAN, "generator", "base_channels", 10**9), r"dcgan.ckpt is an incomplete dcgan"),
    (
        "absurd size",
        _setting(DCGAN, "generator", "image_size", 2**40),
        r"Generator.image_size=1099511627776 must be at most",
    ),
    (
        "absurd images",
        _setting(CLASSIFIER, None, "image_size", 10**8),
        r"classifier.ckpt .*image_size=100000000 needs about",
    ),
    (
        "a word for latents",
        _setting(DCGAN, "generator", "latent_dim", "many"),
        r"Generator.latent_dim=many is not of the",
    ),
    ("an unknown entry", _setting(DCGAN, "generator", "colour", 1), r"dcgan.ckpt is an incomplete .*'colour'"),
    ("a word for means", _setting(CLASSIFIER, None, "mean", "grey"), r"settings.mean=grey is not of the right type"),
    (
        "NaN for means",
        _setting(CLASSIFIER, None, "mean", [float("nan")]),
        r"settings.mean=\[nan\] must be a finite number",
    ),
    ("no deviation", _setting(CLASSIFIER, None, "std", [0.0]), r"settings.std=\[0.0\] must be above 0"),
    ("no classes", _setting(CLASSIFIER, None, "class_names", []), r"class_names=\[\] must hold at least one entry"),
    ("more classes", _setting(CLASSIFIER, None, "class_names", list("abc")), r"not those of the network"),
    ("no architecture", _setting(CLASSIFIER, None, "architecture", "gone"), r"architecture='gone' is neither"),
    (
        "no settings",
        _changed(CLASSIFIER, lambda c: c[FORMAT_KEY].pop("settings")),
        r"it has no settings or no state_dict",
    ),
    ("no kind", _changed(CLASSIFIER, lambda c: c.pop(FORMAT_KEY)), r"classifier.ckpt was not made by this project"),
    (
        "half a file",
        lambda f: (f / CLASSIFIER).write_bytes((f / CLASSIFIER).read_bytes()[:4000]),
        r"can't be loaded: it is damaged",
    ),
    ("an empty file", lambda f: (f / DCGAN).write_bytes(b""), r"dcgan.ckpt can't be loaded"),
    ("config: no yaml", _config("a: ["), r"config.yaml can't be read as configuration"),
    ("config: a list", _config("- a"), r"config.yaml must hold keys and values"),
    ("config: bytes", lambda f: (f / "run" / "config.yaml").write_bytes(b"\xff\xfe\0a"), r"config.yaml can't be read"),
    ("config: empty", _config(""), r"config.yaml is damaged: it has no section 'data'"),
    ("config: no section", _config("seed: 1"), r"config.yaml is damaged: it has no section 'data'"),
    ("config: a word", _config("data: here"), r"config.yaml is damaged: it has no section 'data'"),
    (
        "config: code",
        _config(DATA.replace("overpaint.data.folder.FolderData", "os.system") + "  root: photos\n"),
        r"data.target=os.system can't be imported",
    ),
    (
        "config: a key",
        _config(DATA + "  root: ${oc.env:WANDB_API_KEY}\n"),
        r"config.yaml has data.root=\$\{oc.env:WANDB_API_KEY\}",
    ),
    ("config: a reference", _config(DATA + "  root: ${seed}\n"), r"config.yaml has data.root=\$\{seed\}"),
    ("config: another type", _config(DATA + "  root: 3\n"), r"data.root=3 is not of the right type: it takes str"),
    (
        "config: too large",
        _config(DATA + "  root: photos\n  max_megapixels: -1\n"),
        r"data.max_megapixels=-1 must be above 0",
    ),
]
"""What is wrong with a run's files, what does it, and the pattern of the sentence."""


@pytest.mark.parametrize(("damage", "sentence"), [case[1:] for case in FILES], ids=[case[0] for case in FILES])
def test_a_damaged_file_of_a_run(copy: Path, damage: Damage, sentence: str) -> None:
    damage(copy)
    _refused(shlex.split("explain output=run logger.mode=none trainer.accelerator=cpu limit=1"), copy, sentence)


def test_there_are_enough_cases() -> None:
    assert len(SETTINGS) + len(FILES) >= 150


@pytest.mark.parametrize("debug", [False, True])
def test_a_fault_of_ours_says_so(copy: Path, monkeypatch: pytest.MonkeyPatch, debug: bool) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division [bold]by zero[/]")

    monkeypatch.setattr("overpaint.cli.entry.explain_settings", broken)
    said = io.StringIO()
    with redirect_stderr(said), pytest.raises(SystemExit) as end:
        main(["explain", *(["debug=true"] if debug else [])])
    assert end.value.code == 1
    assert ("Traceback" in said.getvalue()) == debug
    last = said.getvalue().splitlines()[-1]
    assert last.startswith("error: this is a fault of Overpaint (ZeroDivisionError: division [bold]by zero[/]); debug=")


def test_too_little_memory_is_no_fault(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr("overpaint.cli.entry.explain_settings", broken)
    _refused(["explain"], copy, r"there is not enough memory \(.*\): smaller images")


def test_no_secret_is_in_what_a_run_saves(copy: Path) -> None:
    saved = json.dumps((copy / "run" / "config.yaml").read_text())
    assert SECRET not in saved
