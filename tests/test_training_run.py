"""Every size, recipe, number of channels and way to run trains a DCGAN, and leaves its pictures."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from overpaint.classifiers.network import load_classifier
from overpaint.cli.entry import train
from overpaint.cli.trainer import trainer_options
from overpaint.core.errors import OverpaintError
from overpaint.core.files import read_csv
from overpaint.data.module import ImageData
from overpaint.data.split import ImageSplit, UnreadSplit
from overpaint.networks.checkpoint import load_generator
from overpaint.report import generator_gallery
from overpaint.report.generator_gallery import GeneratorGallery
from overpaint.report.sample_pictures import sample_pictures
from overpaint.training.classifier import ClassifierModule
from overpaint.training.dcgan import DCGANModule
from overpaint.training.precision_recall import nearest

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
QUIET = ["logger.mode=none", "trainer.enable_progress_bar=false", "trainer.max_epochs=1"]
TINY = ["data.train_count=96", "data.val_count=40", "data.test_count=8", "model.dcgan.base_channels=2"]
PICTURES = ("samples.png", "interpolation.png", "neighbours.png")


def _last_row(folder: Path) -> dict[str, str]:
    with (folder / "metrics.csv").open() as file:
        return {name: value for name, value in list(csv.DictReader(file))[-1].items() if value}


@pytest.mark.parametrize("recipe", ["radford", "stable"])
@pytest.mark.parametrize(("size", "channels"), [(32, 1), (64, 3), (128, 1), (224, 3)])
def test_every_size_recipe_and_number_of_channels_trains(
    size: int, channels: int, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator_gallery, "COMPARED", 24)
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(photos / f"{i}.png")
    words = [
        "model=dcgan",
        "data=folder",
        f"data.root={photos}",
        f"data.channels={channels}",
        "model.dcgan.batch_size=4",
    ]
    words += [f"model.dcgan.image_size={size}", "model.dcgan.base_channels=2", f"model.dcgan.recipe={recipe}"]
    words += ["model.dcgan.encoder=true"]
    train(CONFIGS, [*QUIET, *words, f"output={tmp_path}/out"])
    tensors = torch.load(tmp_path / "out" / "dcgan.ckpt", weights_only=True)["state_dict"]
    assert int(tensors["steps"]) == 2
    assert all(bool(t.isfinite().all()) for t in tensors.values() if t.is_floating_point())
    assert float(_last_row(tmp_path / "out")["dcgan/memorization_ratio"]) > 0
    with Image.open(tmp_path / "out" / "interpolation.png") as picture:
        assert picture.size[0] >= 10 * size + 9 * 2
    assert (tmp_path / "out" / "neighbours.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_training_in_less_precision(precision: str, tmp_path: Path) -> None:
    words = [
        *TINY,
        f"trainer.precision={precision}",
        "trainer.accelerator=cpu",
        "model.dcgan.evaluate_every_n_epochs=1",
    ]
    words += ["model.dcgan.encoder=true"]
    train(CONFIGS, [*QUIET, *words, f"output={tmp_path}"])
    row = _last_row(tmp_path)
    assert row["model"] == "dcgan"
    for name in (
        "dcgan/generator_loss",
        "dcgan/memorization_ratio",
        "samples/kid",
        "samples/precision",
        "samples/coverage",
    ):
        assert np.isfinite(float(row[name])), name
    assert all((tmp_path / name).is_file() for name in PICTURES)


@pytest.mark.slow
def test_two_devices_train_one_model(tmp_path: Path) -> None:
    """With the strategy that Lightning chooses by itself; what is measured is written once."""
    words = [
        *TINY,
        "trainer.accelerator=cpu",
        "trainer.devices=2",
        "model.dcgan.evaluate_every_n_epochs=1",
        f"output={tmp_path}",
    ]
    words += ["model.dcgan.encoder=true"]
    done = subprocess.run(
        [sys.executable, "train.py", *QUIET, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    row = _last_row(tmp_path)
    assert (row["model"], row["epoch"]) == ("dcgan", "0")
    assert {"samples/recall", "samples/coverage", "dcgan/memorization_ratio", "dcgan/score_of_real"} <= set(row)
    assert all((tmp_path / name).is_file() for name in PICTURES)
    tensors = torch.load(tmp_path / "last-dcgan.ckpt", weights_only=True)["state_dict"]
    assert int(tensors["steps"]) == 1  # 48 images and a batch of 32 on each device


def test_the_pictures_are_drawn_after_the_last_epoch_alone(tmp_path: Path) -> None:
    """A new run takes away those of the run before, so that they are never of another generator."""
    words = [*TINY, *QUIET[:2], "model=dcgan", f"output={tmp_path}"]
    train(CONFIGS, [*words, "trainer.max_epochs=1"])
    assert all((tmp_path / name).is_file() for name in PICTURES)
    with pytest.MonkeyPatch.context() as patch:

        def stops(*_: object) -> None:
            raise OverpaintError("stop")

        patch.setattr(DCGANModule, "training_step", stops)
        with pytest.raises(OverpaintError, match="stop"):
            train(CONFIGS, [*words, "trainer.max_epochs=2", "overwrite=true"])
    assert [name for name in PICTURES if (tmp_path / name).is_file()] == ["samples.png"]


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of both models whose optimisers and schedule are others than the configuration's."""
    folder = tmp_path_factory.mktemp("small")
    words = ["model.dcgan.encoder=true", "model.dcgan.generator_optimizer={target: torch.optim.RMSprop, alpha: 0.9}"]
    words += ["model.classifier.optimizer={target: torch.optim.SGD, lr: 0.5, momentum: 0.5}"]
    words += ["model.classifier.scheduler={target: torch.optim.lr_scheduler.CosineAnnealingLR, T_max: null}"]
    words += ["model.dcgan.discriminator_optimizer.lr=1e-4", "trainer.log_every_n_steps=1"]
    train(CONFIGS, [*TINY, *QUIET, *words, f"output={folder}"])
    return folder


def test_the_table_has_the_epochs_metrics_and_no_steps(small_run: Path) -> None:
    rows = read_csv(small_run / "metrics.csv")
    assert [(row["model"], row["epoch"]) for row in rows] == [
        ("classifier", "0"),
        ("classifier", "test"),
        ("dcgan", "0"),
        ("dcgan", "end"),
    ]
    assert not [name for name in rows[0] if name.endswith(("_step", "_epoch"))]
    assert [[float(row["dcgan/encoder_loss"] or "nan") > 0 for row in rows]] == [[False, False, True, False]]


def test_the_configurations_optimisers_train(small_run: Path) -> None:
    groups = torch.load(small_run / "last-classifier.ckpt", weights_only=True)["optimizer_states"][0]["param_groups"]
    assert (groups[0]["momentum"], groups[0]["initial_lr"]) == (0.5, 0.5)
    assert groups[0]["lr"] == pytest.approx(0, abs=1e-9)  # the cosine's end
    generator, discriminator, encoder = (
        state["param_groups"][0]
        for state in torch.load(small_run / "last-dcgan.ckpt", weights_only=True)["optimizer_states"]
    )
    assert generator["alpha"] == 0.9
    assert generator["lr"] / discriminator["lr"] == pytest.approx(2e-3 / 1e-4)
    assert encoder["betas"] == (0.9, 0.999)


@pytest.mark.parametrize("name", ["classifier", "last-classifier"])
def test_the_classifiers_module_is_loaded_from_its_checkpoint(small_run: Path, name: str) -> None:
    path = small_run / f"{name}.ckpt"
    loaded = ClassifierModule.load_from_checkpoint(path, weights_only=True).eval()
    expected = load_classifier(path)
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.classifier.scores(images), expected.scores(images))
    assert loaded.classifier.class_names == expected.class_names
    assert loaded.hparams["optimizer"] == {"target": "torch.optim.SGD", "lr": 0.5, "momentum": 0.5}


@pytest.mark.parametrize("name", ["dcgan", "last-dcgan"])
def test_the_dcgans_module_is_loaded_from_its_checkpoint(small_run: Path, name: str) -> None:
    path = small_run / f"{name}.ckpt"
    loaded = DCGANModule.load_from_checkpoint(path, weights_only=True).eval()
    expected = load_generator(path)
    assert expected.discriminator is not None
    assert expected.encoder is not None
    assert loaded.encoder is not None
    latents = expected.generator.sample_latents(3, torch.Generator().manual_seed(0))
    images = expected.generator(latents)
    assert torch.equal(loaded.averaged_generator(latents), images)
    assert not torch.equal(loaded.generator(latents), images)
    assert torch.equal(loaded.discriminator(images), expected.discriminator(images))
    tensors = torch.load(path, weights_only=True)["state_dict"]
    assert loaded.state_dict().keys() == tensors.keys()
    assert all(torch.equal(value, tensors[key]) for key, value in loaded.state_dict().items())
    assert int(loaded.ema.n_averaged) == int(loaded.steps) + 1
    assert "evaluator" not in loaded.hparams


@pytest.mark.parametrize("section", ["classifier.optimizer", "classifier.scheduler", "dcgan.generator_optimizer"])
def test_a_wrong_optimiser_leaves_the_run_before(small_run: Path, section: str) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in small_run.iterdir()}
    wrong = f"model.{section}={{target: torch.optim.Adan, lr: 0.1}}"
    with pytest.raises(OverpaintError, match=rf"model\.{section}\.target=torch\.optim\.Adan can't be imported"):
        train(CONFIGS, [*TINY, *QUIET, wrong, f"output={small_run}", "overwrite=true"])
    assert {path.name: path.stat().st_mtime_ns for path in small_run.iterdir()} == before


class _Given(ImageData):
    """Images that are in memory already."""

    def __init__(self, train: ImageSplit, val: ImageSplit) -> None:
        super().__init__(32, 3, 8, 0)
        self.given = {"train": train, "val": val}

    def open_split(self, name: str) -> UnreadSplit:
        return UnreadSplit(len(self.given[name]), lambda indices: (self.given[name].subset(indices), []))


class _Copying(DCGANModule):
    """A generator whose samples are training images."""

    def __init__(self, images: torch.Tensor) -> None:
        super().__init__(base_channels=2)
        self.images = images

    def sample(self, count: int, stream: int = 0) -> torch.Tensor:
        return self.images.repeat(-(-count // len(self.images)), 1, 1, 1)[:count].float() / 255


def test_a_generator_that_copies_is_found_out(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (300, 3, 32, 32), generator=rng, dtype=torch.uint8)
    splits = images.split([250, 50])
    data = _Given(*(ImageSplit(p, torch.zeros(len(p)).long(), [str(i) for i in range(len(p))]) for p in splits))
    data.setup("fit")
    drawn, draw = GeneratorGallery(tmp_path, data, None), sample_pictures((32, 32), None)
    figure, ratio = drawn._neighbours(_Copying(splits[0]), draw)
    assert ratio == 0
    assert figure.startswith(b"\x89PNG")
    _, ratio = drawn._neighbours(_Copying(splits[1]), draw)
    assert ratio == 1
    # By hand, in pixels.
    module = DCGANModule(base_channels=2)
    flat = [split.flatten(1).float() / 255 for split in splits]
    far = [nearest(queries, [flat[0]])[0].median() for queries in (module.sample(500, stream=1).flatten(1), flat[1])]
    assert drawn._neighbours(module, draw)[1] == pytest.approx(float(far[0] / far[1]), rel=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"accelerator": "abacus"}, "Lightning refuses .*trainer.accelerator=abacus.*You selected an invalid accel"),
        ({"strategy": "foo"}, "Lightning refuses .*trainer.strategy=foo.*You selected an invalid strategy name"),
        ({"devices": 0}, "Lightning refuses .*trainer.devices=0"),
        ({"devices": "many"}, "Lightning refuses .*trainer.devices=many"),
        ({"num_nodes": 0}, "Lightning refuses .*trainer.num_nodes=0"),
        ({"devices": 9999}, "trainer.devices=9999 asks for 9999 processes of"),
        ({"strategy": "ddp_spawn"}, "trainer.strategy=ddp_spawn copies the run into its processes"),
        ({"strategy": "ddp_fork", "devices": 2}, "trainer.strategy=ddp_fork copies the run into its processes"),
    ],
)
def test_what_lightning_refuses_is_a_sentence(words: dict[str, Any], message: str) -> None:
    options = {"accelerator": "cpu", "devices": "auto", "strategy": "auto", "precision": 32, "num_nodes": 1} | words
    with pytest.raises(OverpaintError, match=message):
        trainer_options(options)
