"""Training on series, end to end: both recipes, several channels, files; checkpoints, metrics, pictures in units."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import pixels_of
from torch import nn

from overpaint.classifiers.network import load_classifier
from overpaint.cli.entry import explain, train
from overpaint.core.errors import OverpaintError
from overpaint.core.files import read_arrays
from overpaint.core.scale import SeriesScale
from overpaint.networks.checkpoint import load_generator
from overpaint.networks.residual import build_classifier_network
from overpaint.networks.residual_series import SeriesResidualNetwork
from overpaint.report import generator_gallery
from overpaint.report.plots.curve_sheets import curve_sheet, in_own_units
from overpaint.training.classifier import ClassifierModule
from overpaint.training.encoder_loss import SHARES, random_regions
from overpaint.training.recipes import RECIPES, recipe_for

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
QUIET = ["logger.mode=none", "trainer.enable_progress_bar=false", "trainer.max_epochs=1"]
SMALL = ["model.dcgan.base_channels=2", "model.dcgan.batch_size=8", "model.dcgan.evaluate_every_n_epochs=1"]


def _columns(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    with (folder / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            found |= {name: value for name, value in row.items() if value}
    return found


@pytest.mark.parametrize("recipe", ["stable", "radford"])
def test_the_bundled_series_train_end_to_end(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_gallery, "COMPARED", 24)
    words = ["data=series", "data.train_count=96", "data.val_count=40", "data.test_count=12"]
    words += [f"model.dcgan.recipe={recipe}", "model.dcgan.encoder=true"]
    train(CONFIGS, [*QUIET, *SMALL, *words, f"output={tmp_path}"])
    classifier, gan = load_classifier(tmp_path / "classifier.ckpt"), load_generator(tmp_path / "dcgan.ckpt")
    assert classifier.input_size == gan.generator.output_size == (128,)
    assert isinstance(classifier.scale, SeriesScale)
    assert classifier.scale == gan.scale
    assert classifier.class_names == list(gan.class_names) == ["cylinder", "bell", "funnel"]
    series = gan.generator(gan.generator.sample_latents(3, torch.Generator().manual_seed(0)))
    assert series.shape == (3, 1, 128)
    assert classifier.scores(series).sum(1).tolist() == pytest.approx([1] * 3, abs=1e-5)
    assert gan.encoder is not None
    measured = _columns(tmp_path)
    wanted = ["classifier/test_accuracy", "classifier/test_accuracy_of_bell", "dcgan/memorization_ratio"]
    wanted += [f"samples/{name}" for name in ("confident", "kid", "precision", "recall", "coverage", "share_of_funnel")]
    assert set(wanted) <= set(measured)
    for name in ("samples.png", "interpolation.png", "neighbours.png"):
        pixels_of((tmp_path / name).read_bytes())


def test_several_channels_train_and_are_explained_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_gallery, "COMPARED", 24)
    rng = np.random.default_rng(0)
    cases = [(rng.normal(size=(3, 25)), label) for label in ["Up", "1.0"] * 50]
    lines = [":".join([*(",".join(map(str, row)) for row in case), label]) for case, label in cases]
    (tmp_path / "own.ts").write_text("\n".join(["@classLabel true 1.0 Up", "@data", *lines]))
    words = ["data=series_file", f"data.root={tmp_path}/own.ts", "data.epoch=80"]
    train(CONFIGS, [*QUIET, *SMALL, *words, f"output={tmp_path}/out"])
    classifier, gan = load_classifier(tmp_path / "out/classifier.ckpt"), load_generator(tmp_path / "out/dcgan.ckpt")
    assert (
        (classifier.channels, classifier.input_size)
        == (gan.generator.channels, gan.generator.output_size)
        == (3, (25,))
    )
    assert classifier.class_names == ["1", "Up"]
    assert classifier.scale is not None
    assert len(classifier.scale.low) == 3
    quiet = ["logger.mode=none", "trainer.enable_progress_bar=false", "generator=null", "limit=1", "metrics=[]"]
    asked = [*quiet, "data=series_file", f"data.root={tmp_path}/own.ts", f"output={tmp_path}/out", "channels=separate"]
    explain(CONFIGS, [*asked, "methods=[occlusion,gradient]"])
    (file,) = (tmp_path / "out/explain").glob("*/saliency.npz")
    before = read_arrays(file)
    assert before["channels_occlusion"].shape == before["channels_gradient"].shape == (3, 25)
    explain(CONFIGS, [*asked, "methods=[occlusion,center]"])  # the map that is there is read again
    after = read_arrays(file)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert "channels_center" in after


def test_series_without_classes_train_the_generator_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator_gallery, "COMPARED", 24)
    np.save(tmp_path / "own.npy", np.random.default_rng(0).normal(size=(40, 16)))
    train(
        CONFIGS,
        [*QUIET, *SMALL, "data=series_file", f"data.root={tmp_path}/own.npy", "data.epoch=1", f"output={tmp_path}/out"],
    )
    assert not (tmp_path / "out/classifier.ckpt").exists()
    assert load_generator(tmp_path / "out/dcgan.ckpt").generator.output_size == (16,)


def test_missing_files_and_architectures_of_images_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OverpaintError, match=r"data\.root=none\.ts is neither a file nor a folder"):
        train(CONFIGS, [*QUIET, "data=series_file", "data.root=none.ts", f"output={tmp_path}"])
    with pytest.raises(OverpaintError, match="'resnet18' is not 'residual', which alone is made for series"):
        train(CONFIGS, [*QUIET, "data=series", "model.classifier.architecture=resnet18", f"output={tmp_path}"])


def test_the_classifier_of_series_keeps_their_length_up_to_the_mean() -> None:
    network = build_classifier_network("residual", 2, 3, dimensions=1)
    assert isinstance(network, SeriesResidualNetwork)
    network.eval()
    series = torch.randn(4, 2, 50, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        features = network.blocks(series)
        assert features.shape == (4, 32, 50)
        assert torch.allclose(network(series), network.head(features.mean(2)))
    assert sum(isinstance(m, nn.Conv1d) for m in network.modules()) == 3 * 3 + 2  # the third block changes no width


def test_distortion_stretches_series_about_their_middle() -> None:
    settings = {"target": "torch.optim.Adam", "lr": 0.1}
    schedule = {"target": "torch.optim.lr_scheduler.ConstantLR"}
    scale = {"low": [0.0], "high": [2.0]}
    module = ClassifierModule("residual", ["a", "b"], [101], [0.5], [0.25], settings, schedule, scale=scale)
    assert module.classifier.scale == SeriesScale([0.0], [2.0])
    ramp = torch.linspace(-1, 1, 101).expand(6, 1, 101)
    module.on_train_epoch_start()
    stretched = module._distort(ramp)
    assert stretched.shape == ramp.shape
    slopes = stretched[:, 0, 60] / ramp[:, 0, 60]
    assert stretched[:, 0, 50].abs().max() < 1e-5
    assert torch.allclose(stretched[:, 0, 40:61], ramp[:, 0, 40:61] * slopes[:, None], atol=1e-5)
    assert 0.02 < float((slopes - 1).std()) < 0.3


def test_regions_of_series_are_stretches_with_a_share_of_the_steps() -> None:
    regions = random_regions(500, (128,), torch.Generator().manual_seed(0))
    assert regions.shape == (500, 128)
    shares = regions.double().mean(1)
    assert float(shares.min()) >= SHARES[0] - 1 / 128
    assert float(shares.max()) <= SHARES[1] + 1 / 128
    starts = regions[:, 1:] & ~regions[:, :-1]
    assert float(starts.double().sum(1).mean()) < 2.5


def test_recipes_of_series_differ_and_those_of_images_stay() -> None:
    assert recipe_for("stable", (32, 32)) == RECIPES["stable"]
    own = recipe_for("stable", (128,))
    assert own.weights is None
    assert own.penalty < RECIPES["stable"].penalty
    longer = recipe_for("stable", (256,))
    assert longer.penalty == pytest.approx(2 * own.penalty)
    assert recipe_for("radford", (140,)) == RECIPES["radford"]


def test_curves_are_drawn_in_their_own_units() -> None:
    scale = SeriesScale([-10.0, 0.0], [10.0, 1.0])
    scaled = torch.rand(5, 2, 30, generator=torch.Generator().manual_seed(0))
    own = in_own_units(scaled, scale)
    assert torch.equal(own, scale.in_units(scaled))
    assert in_own_units(scaled, None) is scaled
    sheet = pixels_of(curve_sheet(own.numpy(), columns=3))
    assert sheet.shape[1] > sheet.shape[0]
    behind = pixels_of(curve_sheet(own.numpy(), 3, 0 * own.numpy(), ["a"] * 5, "said"))
    assert behind.shape[0] > sheet.shape[0]
