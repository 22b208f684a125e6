"""The real run at small size: train, checkpoints, explain, report; stopping and going on; what a user gets wrong."""

import csv
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import lightning as L
import numpy as np
import pytest
import torch
from conftest import wandb_records
from PIL import Image

from overpaint.cli.entry import explain, train
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.files import read_arrays
from overpaint.training.dcgan import DCGANModule

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
QUIET = ["logger.mode=none", "trainer.enable_progress_bar=false"]
SMALL = [
    "data.train_count=768",
    "data.val_count=128",
    "data.test_count=64",
]
NARROW = ["model.dcgan.base_channels=8", "model.dcgan.batch_size=64", "model.dcgan.evaluate_every_n_epochs=1"]
SEARCH = ["search.steps=6", "search.num_candidates=64", "search.num_variants=8"]
FAST = [*SEARCH, "saliency.mask_estimation.queries=128", "saliency.rise.queries=128"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of both models, two epochs each, and the explanation of three test images."""
    folder = tmp_path_factory.mktemp("run") / "digits"
    train(CONFIGS, [*SMALL, *NARROW, f"output={folder}", "trainer.max_epochs=2", "trainer.enable_progress_bar=false"])
    explain(CONFIGS, [*FAST, f"output={folder}", "limit=3", "trainer.enable_progress_bar=false"])
    return folder


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def _metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_training_leaves_checkpoints_metrics_and_samples(run_folder: Path) -> None:
    for name in ("classifier", "last-classifier", "dcgan", "last-dcgan"):
        assert _tensors(run_folder / f"{name}.ckpt")
    rows = _metrics(run_folder)
    assert [(row["model"], row["epoch"]) for row in rows] == [
        ("classifier", "0"),
        ("classifier", "1"),
        ("classifier", "test"),
        ("dcgan", "0"),
        ("dcgan", "1"),
    ]
    logged = {name for name, value in rows[-1].items() if value}
    assert {"dcgan/generator_loss", "dcgan/discriminator_loss", "dcgan/score_of_real", "dcgan/score_of_fake"} <= logged
    assert {
        "samples/confident",
        "samples/least_fraction",
        "samples/kid",
        "samples/fid_like",
        "samples/share_of_7",
        "samples/precision",
        "samples/recall",
        "samples/coverage",
        "samples/coverage_of_7",
        "dcgan/memorization_ratio",
    } <= logged
    assert sum(float(rows[-1][f"samples/share_of_{digit}"]) for digit in range(10)) == pytest.approx(1, abs=1e-4)
    with Image.open(run_folder / "samples.png") as samples:
        assert samples.size == (8 * 32 + 7 * 2, 8 * 32 + 7 * 2)


def test_explaining_leaves_every_file(run_folder: Path) -> None:
    folder = run_folder / "explain"
    images = sorted(path.name for path in folder.iterdir() if path.is_dir())
    assert images == ["test-00000", "test-00001", "test-00002"]
    for name in images:
        saliency = read_arrays(folder / name / "saliency.npz")
        assert set(saliency) == {
            *("image", "region", "objects", "map_mask_estimation", "error_mask_estimation"),
            *("map_rise", "error_rise", "map_grad_cam"),
            *("region_mask_estimation", "region_rise", "region_grad_cam"),
        }
        result = json.loads((folder / name / "result.json").read_text())
        steps = range(1, 161) if result["region_decisive"] else [16]  # of 160: the search's, or the most salient tenth
        assert saliency["region"].sum() in {round(step / 160 * 32 * 32) for step in steps}
        assert result["fills"] + result["fills_left_out"] + result["fills_held_out"] == 2 * 32 + 1
        curve, places = read_arrays(folder / name / "curves.npz")["region_acceptance"]
        np.testing.assert_allclose(places, np.arange(1, 21) / 20)
        if result["region_decisive"]:
            assert curve[int(np.ceil(20 * result["region_fraction"] - 1e-6)) - 1] <= 0.2
        variants = read_arrays(folder / name / "variants.npz")
        assert variants["images"].shape == (8, 3, 32, 32)
        outside = ~saliency["region"]
        np.testing.assert_array_equal(
            variants["images"][:, :, outside], np.broadcast_to(saliency["image"][:, outside], (8, 3, outside.sum()))
        )
        with Image.open(folder / name / "overview.png") as overview:
            assert overview.size[0] > 500
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    methods = ["mask_estimation", "rise", "grad_cam"]
    assert [(row["name"], row["method"]) for row in rows] == [(name, method) for name in images for method in methods]
    assert {"target", "confidence", "acceptance_rate", "diversity", "queries", "insertion", "iou"} <= set(rows[0])
    assert [row["queries"] for row in rows[:3]] == ["128", "128", "1"]
    assert all(0 <= float(row[metric]) <= 1 for row in rows for metric in ("insertion", "deletion"))
    for row in rows:  # the strokes are those of the label; another class is annotated nowhere
        assert (row["iou"] != "") == (row["pointing_game"] != "") == (row["label"] == row["target"])
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["images"] == 3
    overlaps = [float(row["iou"]) for row in rows[1::3] if row["iou"]]
    assert summary["rise"]["mean_iou"] == pytest.approx(sum(overlaps) / len(overlaps))
    rates = [float(row["acceptance_rate"]) for row in rows[::3]]  # the first method's region was repainted
    assert summary["mean_acceptance_rate"] == pytest.approx(sum(rates) / 3)


def test_the_leaderboard_compares_the_methods(run_folder: Path) -> None:
    folder = run_folder / "explain"
    with (folder / "leaderboard.csv").open() as file:
        standings = {(row["metric"], row["method"]): row for row in csv.DictReader(file)}
    with (folder / "pairs.csv").open() as file:
        pairs = list(csv.DictReader(file))
    metrics = ["insertion", "deletion", "pointing_game", "energy_inside", "iou"]
    assert {metric for metric, _ in standings} == set(metrics)
    assert len(standings) == 5 * 3
    assert len(pairs) == 5 * 3
    for metric in metrics:
        rows = {method: row for (of, method), row in standings.items() if of == metric}
        better = 1 if metric != "deletion" else -1
        ranks = {method: int(row["rank"]) for method, row in rows.items()}
        assert min(ranks, key=ranks.__getitem__) == max(rows, key=lambda method: better * float(rows[method]["mean"]))
        with Image.open(folder / f"chart_pairs_{metric}.png") as picture:
            assert min(picture.size) > 100
    for name in ("leaderboard", "insertion", "deletion"):
        assert (folder / f"chart_{name}.png").is_file()


def test_metrics_and_methods_are_added_to_what_is_there(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    shutil.copytree(run_folder, folder)
    image = folder / "explain" / "test-00000"
    before = read_arrays(image / "saliency.npz")
    words = [*FAST, *QUIET, f"output={folder}", "limit=1", "methods=[mask_estimation,rise,grad_cam,center]"]
    explain(CONFIGS, [*words, "metrics=[iou,increase]"])
    after = read_arrays(image / "saliency.npz")
    assert set(after) - set(before) == {"map_center", "region_center"}
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values, err_msg=name)
    metrics = json.loads((image / "result.json").read_text())["metrics"]
    assert set(metrics["center"]) == {"iou", "increase"}
    assert {"iou", "increase", "insertion"} <= set(metrics["rise"])
    with (folder / "explain" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == ["mask_estimation", "rise", "grad_cam", "center"]
    assert "insertion" not in rows[0]


class Links(HTMLParser):
    """The addresses of a page, and its pictures in their order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "img":
            self.pictures.append(dict(attrs))


def test_the_report_needs_no_network_and_its_pictures_are_beside_it(run_folder: Path, tmp_path: Path) -> None:
    page = (run_folder / "explain" / "report.html").read_text()
    with (run_folder / "explain" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    annotated = sum(row["label"] == row["target"] for row in rows) // 3
    morphs = sum(int(row["accepted"] or 0) > 0 for row in rows)
    curves = sum(row["fills"] not in ("", "0") for row in rows)  # those by which the region was found
    # Of each image overview, insertion, deletion and, where there are some, objects; the generator's samples, ways and
    # neighbours; of all images leaderboard, insertion, deletion, the region's curve and each metric's pairs.
    links = Links(page)
    assert len(links.pictures) == 3 * 3 + annotated + morphs + curves + 3 + 3 + 5 + (curves > 0)
    assert str(links.pictures[0]["src"]).split("/")[1] == "overview.png"
    for picture in links.pictures:
        with Image.open(run_folder / "explain" / unquote(str(picture["src"]))) as opened:
            assert [str(side) for side in opened.size] == [picture["width"], picture["height"]]
        assert picture["loading"] == "lazy"
        assert picture["alt"]
    assert not [address for address in links.addresses if re.match(r"\w+:|//", address)]
    assert page.index("overview.png") < page.index("<table")
    for shown in ("precision: share", "recall: share", "coverage: share", "distance of samples to training examples"):
        assert shown in page
    folder = tmp_path / "copy"
    shutil.copytree(run_folder, folder, ignore=shutil.ignore_patterns("wandb"))
    words = [*FAST, *QUIET, f"output={folder}", "limit=3", "report.self_contained=true"]
    explain(CONFIGS, words)
    whole = Links((folder / "explain" / "report.html").read_text())
    assert len(whole.pictures) == len(links.pictures)
    assert all(str(picture["src"]).startswith("data:image/png;base64,") for picture in whole.pictures)
    assert "test-00002" in page
    assert "&#34;recipe&#34;: &#34;lbfgs&#34;" in page


def test_wandb_holds_a_table_with_a_row_for_each_image(run_folder: Path) -> None:
    """A table with pictures is an artifact; its files must lie in the run's folder, or moving that would lose them."""
    records = [record for file in run_folder.glob("wandb/offline-run-*/run-*.wandb") for record in wandb_records(file)]
    artifacts = [r.artifact for r in records if r.WhichOneof("record_type") == "artifact"]
    (artifact,) = [a for a in artifacts if a.name.endswith("-explanations")]
    files = {entry.path: Path(entry.local_path) for entry in artifact.manifest.contents}
    assert all(run_folder in path.parents for path in files.values())
    table = json.loads(files["explanations.table.json"].read_text())
    pictures = ["image", "map_mask_estimation", "map_rise", "map_grad_cam", "region"]
    pictures += ["accepted_variants", "flipped_variants"]
    assert {*pictures, "prediction", "confidence", "acceptance_rate"} <= set(table["columns"])
    assert len(table["data"]) == 3
    for row in table["data"]:
        cells = dict(zip(table["columns"], row, strict=True))
        assert cells["name"].startswith("test-0000")
        for name in pictures:
            with Image.open(files[cells[name]["path"]]) as picture:
                assert min(picture.size) >= 32


def test_what_is_explained_already_is_kept_and_what_is_half_done_is_not(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    shutil.copytree(run_folder, folder)
    done, half = folder / "explain" / "test-00000", folder / "explain" / "test-00001"
    before = (done / "result.json").stat().st_mtime_ns
    (half / "result.json").unlink()
    words = [*FAST, *QUIET, f"output={folder}", "limit=3"]
    with pytest.warns(OverpaintWarning, match=r"test-00001 was damaged \(result.json can't be read\): it was moved to"):
        explain(CONFIGS, words)
    assert (done / "result.json").stat().st_mtime_ns == before
    for name in ("saliency", "variants"):
        old = read_arrays(run_folder / "explain" / "test-00001" / f"{name}.npz")
        new = read_arrays(half / f"{name}.npz")
        for key in old:  # alone in its batch now, and yet the same bit for bit
            np.testing.assert_array_equal(old[key], new[key], err_msg=key)
    with pytest.raises(
        OverpaintError, match=r"results of other settings \(region.fraction: 0.1 -> 0.2\): repeat those"
    ):
        explain(CONFIGS, [*words, "region.fraction=0.2"])
    explain(CONFIGS, [*words, "region.fraction=0.2", "overwrite=true"])
    assert (done / "result.json").stat().st_mtime_ns > before


@pytest.mark.slow
def test_two_devices_find_what_one_does(run_folder: Path, tmp_path: Path) -> None:
    """Two processes share the images out, every array is the same bit for bit, and there is one W&B run."""
    folder = tmp_path / "digits"
    shutil.copytree(run_folder, folder, ignore=shutil.ignore_patterns("explain", "wandb"))
    devices = ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp", "batch_size=1"]
    words = [*FAST, *QUIET, *devices, f"output={folder}", "limit=3", "logger.mode=offline"]
    done = subprocess.run([sys.executable, "explain.py", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(folder.glob("wandb/offline-run-*"))) == 1
    for name in ("test-00000", "test-00001", "test-00002"):
        for file in ("saliency.npz", "variants.npz"):
            one, two = (read_arrays(f / "explain" / name / file) for f in (run_folder, folder))
            for key in one:
                np.testing.assert_array_equal(one[key], two[key], err_msg=f"{name}/{key}")


@pytest.mark.slow
def test_several_targets_and_files_of_any_size(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (90, 50), "orange").save(photos / "one.png")
    Image.new("L", (40, 64), 30).save(photos / "two.jpg")
    (photos / "broken.jpg").write_text("no picture")
    checkpoints = [f"classifier={run_folder}/classifier.ckpt", f"generator={run_folder}/dcgan.ckpt"]
    words = [*SEARCH, *QUIET, *checkpoints, f"output={folder}", "methods=[rise]", "saliency.rise.queries=64"]
    explain(CONFIGS, [*words, f"images={photos}/*", "target=top2"])
    explained = sorted(path.name for path in (folder / "explain").iterdir() if path.is_dir())
    assert [name.partition("@")[0] for name in explained] == ["one", "one", "two", "two"]
    assert "broken.jpg" in (folder / "explain" / "skipped.csv").read_text()
    more = [f"images={photos}/one.png", "target=7", "generator=null", "variants.blend=poisson", "overwrite=true"]
    explain(CONFIGS, [*words, *more])
    result = json.loads((folder / "explain" / "one@7" / "result.json").read_text())
    assert result["target"] == "7"
    assert "acceptance_rate" not in result


@pytest.mark.slow
def test_a_folder_of_classes_is_trained_and_explained(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog @home", ".."):
        (tmp_path / "photos" / name.replace("..", "dots")).mkdir(parents=True)
    for index in range(30):
        for name in ("cat", "dog @home", "dots"):
            Image.fromarray(rng.integers(0, 255, (40, 32, 3), np.uint8)).save(
                tmp_path / "photos" / name / f"{index}{'..' if index % 2 else ''}.png"
            )
    output = tmp_path / "output"
    more = ["model.dcgan.base_channels=4", "model.dcgan.max_epochs=1", "model.classifier.max_epochs=1"]
    data = ["data=folder", f"data.root={tmp_path / 'photos'}", "data.image_size=32"]
    train(CONFIGS, [*data, *more, *QUIET, f"output={output}", "trainer.limit_train_batches=1"])
    kept = {path.name for path in output.iterdir()}
    words = [*SEARCH, *QUIET, f"output={output}", "methods=[center]", "limit=3"]
    for target in ("target=predicted", "target=[cat,'dog @home']"):
        explain(CONFIGS, [*words, target])  # the command that train.py prints
    folders = [path for path in (output / "explain").iterdir() if path.is_dir()]
    results = [json.loads((folder / "result.json").read_text()) for folder in folders]
    assert len({result["image"] for result in results}) == 3
    assert len(results) == 3 + 2 * 3
    assert all(re.fullmatch(r"(cat|dog @home|dots)/\d+(\.\.)?\.png", result["image"]) for result in results)
    assert {result["target"] for result in results} >= {"cat", "dog @home"}
    assert {path.name for path in output.iterdir()} == kept | {"explain"}


def test_an_image_named_as_the_folder_above_deletes_nothing(run_folder: Path, tmp_path: Path) -> None:
    output, photos = tmp_path / "output", tmp_path / "photos"
    shutil.copytree(run_folder, output, ignore=shutil.ignore_patterns("explain", "wandb"))
    photos.mkdir()
    Image.new("RGB", (32, 32), "orange").save(photos / "report.html.png")
    shutil.copy(photos / "report.html.png", photos / "...png")
    before = {path.name for path in output.iterdir()}
    words = [*QUIET, f"output={output}", "methods=[center]", "generator=null"]
    for file, name in (("...png", ".."), ("report.html.png", "report.html")) * 2:
        explain(CONFIGS, [*words, f"images={photos / file}"])
        assert {path.name for path in output.iterdir()} == before | {"explain"}
        assert name in [json.loads(path.read_text())["image"] for path in (output / "explain").glob("*/result.json")]
        assert (output / "explain" / "report.html").is_file()


def test_probes_ask_about_the_variants(run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoints = [f"classifier={run_folder}/classifier.ckpt", f"generator={run_folder}/dcgan.ckpt"]
    words = [*SEARCH, *QUIET, *checkpoints, f"output={tmp_path}", "methods=[center]", "metrics=[retention]", "limit=2"]
    words += [f"oracle={run_folder}/classifier.ckpt", "probes=[region_size_sweep,controls,oracle]"]
    explain(CONFIGS, words)
    folder = tmp_path / "explain"
    summary = json.loads((folder / "summary.json").read_text())
    for name in ("test-00000", "test-00001"):
        probed = json.loads((folder / name / "result.json").read_text())["probes"]
        assert set(probed) == {"region_size_sweep", "controls", "oracle"}
        assert probed["oracle"]["oracle_agrees_on_image"] == 1  # it is the same classifier
        assert {"acceptance_rate_searched", "acceptance_rate_mean", "decisive"} <= set(probed["controls"])
        assert (folder / name / "probe_region_size_sweep.png").is_file()
    assert 0 <= summary["controls"]["acceptance_rate_searched"] <= 1
    assert {"chart_probe_region_size_sweep.png", "chart_probe_controls.png"} <= {
        path.name for path in folder.glob("*.png")
    }
    assert "The region was " in (folder / "report.html").read_text()
    capsys.readouterr()
    explain(CONFIGS, words)
    assert "2 of 2 images are explained already" in capsys.readouterr().out
    with pytest.raises(OverpaintError, match=r"probes=\['region_size_sweep'.*generator=null makes none"):
        explain(CONFIGS, [*words, "generator=null"])


@pytest.mark.slow
def test_a_baseline_is_an_image_file_and_the_explanation_depends_on_it(run_folder: Path, tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    words = [*QUIET, f"classifier={run_folder}/classifier.ckpt", "generator=null", f"output={tmp_path}", "limit=1"]
    words += ["methods=[rise,occlusion]", "saliency.rise.stop_at=0.2", f"saliency.rise.baseline={grey}"]
    maps = []
    for level in (90, 200):
        Image.new("L", (50, 50), level).save(grey)
        explain(CONFIGS, [*words, "engine.batch_size=16", "overwrite=true"])
        with np.load(tmp_path / "explain" / "test-00000" / "saliency.npz") as arrays:
            maps.append(arrays["map_rise"])
    assert not np.array_equal(*maps)
    result = json.loads((tmp_path / "explain" / "test-00000" / "result.json").read_text())
    assert 0 < result["methods"]["rise"]["queries"] <= 1024
    assert result["methods"]["occlusion"]["queries"] == 170


class StopAt(L.Callback):
    """Does what Ctrl-C does, in the middle of an epoch."""

    def __init__(self, epoch: int, batch: int) -> None:
        self.epoch, self.batch = epoch, batch

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: object, batch_idx: int
    ) -> None:
        if trainer.current_epoch == self.epoch and batch_idx == self.batch:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("model", ["classifier", "dcgan"])
def test_a_stopped_run_ends_as_one_that_was_not_stopped(
    model: str, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle of the second epoch, resumed, and compared with the run that was left alone."""
    folder = tmp_path / "digits"
    folder.mkdir()
    shutil.copy(run_folder / "classifier.ckpt", folder)
    words = [
        *SMALL,
        *QUIET,
        "trainer.max_epochs=2",
        f"model={model}",
        *(NARROW if model == "dcgan" else []),
        f"output={folder}",
    ]
    trainer_class: Callable[..., L.Trainer] = L.Trainer

    def stopping(callbacks: list[L.Callback], **options: object) -> L.Trainer:
        return trainer_class(callbacks=[*callbacks, StopAt(1, 5)], **options)

    with monkeypatch.context() as patch:
        patch.setattr(L, "Trainer", stopping)
        patch.setattr("overpaint.cli.training_parts.trainer_options", dict)
        with pytest.raises(KeyboardInterrupt):
            train(CONFIGS, words)
    with pytest.raises(OverpaintError, match="seed: 0 -> 1"):
        train(CONFIGS, [*words, "resume=true", "seed=1"])
    train(CONFIGS, [*words, "resume=true"])
    resumed, whole = _tensors(folder / f"last-{model}.ckpt"), _tensors(run_folder / f"last-{model}.ckpt")
    assert resumed.keys() == whole.keys()
    for name, tensor in whole.items():
        assert torch.equal(tensor, resumed[name]), name
    mine = [row for row in _metrics(folder) if row["model"] == model]
    theirs = [row for row in _metrics(run_folder) if row["model"] == model]
    assert mine == [{name: value for name, value in row.items() if name in mine[0]} for row in theirs]


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def explodes(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return (fake - real).mean() * (float("nan") if len(calls) > 15 else 1.0)

    monkeypatch.setattr("overpaint.training.recipes.relativistic_generator_loss", explodes)
    words = [*SMALL, *NARROW, *QUIET, "trainer.max_epochs=3", "model=dcgan", f"output={tmp_path}"]
    with pytest.raises(
        OverpaintError, match="the generator's loss is nan at step 15 in epoch 1; the checkpoint of the"
    ):
        train(CONFIGS, words)
    tensors = _tensors(tmp_path / "dcgan.ckpt")
    assert int(tensors["steps"]) == 12
    assert all(bool(t.isfinite().all()) for t in tensors.values() if t.is_floating_point())


def test_a_flat_folder_trains_the_generator_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        Image.fromarray(rng.integers(0, 255, (30 + i, 40, 3), dtype=np.uint8)).save(photos / f"{i}.png")
    (photos / "broken.png").write_bytes(b"")
    words = [*QUIET, "data=folder", f"data.root={photos}", f"output={tmp_path}/out", "trainer.max_epochs=1"]
    train(CONFIGS, [*words, "model.dcgan.image_size=32", "model.dcgan.base_channels=4", "model.dcgan.recipe=radford"])
    said = capsys.readouterr().out
    assert "no labels" in said
    assert "1 files could not be read" in said
    assert "broken.png" in (tmp_path / "out" / "skipped.csv").read_text()
    assert not (tmp_path / "out" / "classifier.ckpt").exists()
    assert (tmp_path / "out" / "dcgan.ckpt").exists()
    with pytest.raises(OverpaintError, match="model=classifier needs at least two class folders"):
        train(CONFIGS, [*words, "model=classifier"])


def test_explaining_without_checkpoints_says_which_command_makes_them(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OverpaintError, match=r"no checkpoint classifier=.* and no generator=.*: python train.py"):
        explain(CONFIGS, [f"output={tmp_path}"])
    shutil.copy(run_folder / "classifier.ckpt", tmp_path)
    with pytest.raises(OverpaintError, match=r"no checkpoint generator=.*generator=null explains without variants"):
        explain(CONFIGS, [f"output={tmp_path}"])


def test_explaining_bad_words_loses_nothing(run_folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run_folder.rglob("*") if path.is_file()}
    for word, message in {
        "target=eleven": "target=eleven is neither",
        "methods=[rise,lrp]": "methods=lrp is unknown",
        "saliency.rise.querys=9": "did you mean",
        "saliency.rise.queries=many": "saliency.rise.queries=many is not of the right type",
        "region.fraction=2": "fraction=2",
        "search.recipe=sgd": "search.recipe=sgd is not of the right type",
        "logger.mode=cloud": "logger.mode=cloud is not of the right type",
        "limit=-1": "limit=-1 must not be negative",
        "resize_mode=crp": "resize_mode=crp is not of the right type",
        "images=nowhere/*.jpg": "matches no image file",
        "saliency.rise.baseline=no.png": "baseline=no.png is none of mean, .*, linear, auto, nor a file",
        "engine.batch_size=0": "batch_size=0 must be at least 1",
        "engine.precision=half": "engine.precision=half is not of the right type",
    }.items():
        with pytest.raises(OverpaintError, match=message):
            explain(CONFIGS, [*QUIET, f"output={run_folder}", "overwrite=true", word])
    assert before == {path: path.stat().st_mtime_ns for path in run_folder.rglob("*") if path.is_file()}


def test_the_layers_that_can_be_named_are_listed(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain(CONFIGS, [*QUIET, f"output={run_folder}", "list_layers=true"])
    said = capsys.readouterr().out
    for row in ("stem.0", "stages.2.conv1", r"stages.*128.*8x8.*auto"):
        assert re.search(row, said), said


@pytest.mark.slow
def test_gradient_methods_explain_and_their_measures_are_written(run_folder: Path, tmp_path: Path) -> None:
    methods = "methods=[guided_grad_cam,integrated_gradients,input_x_gradient]"
    words = [*QUIET, f"classifier={run_folder}/classifier.ckpt", "generator=null", f"output={tmp_path}", methods]
    words += ["limit=1", "saliency.integrated_gradients.steps=1", "saliency.integrated_gradients.baseline=black"]
    done = subprocess.run([sys.executable, "explain.py", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if "integrated_gradients" in line]
    assert said.startswith("warning: integrated_gradients: some maps miss the logit's difference")
    result = json.loads((tmp_path / "explain" / "test-00000" / "result.json").read_text())
    assert abs(result["methods"]["integrated_gradients"]["measures"]["convergence_delta"]) > 0
    assert result["methods"]["input_x_gradient"]["queries"] == 1


def test_training_with_bad_words_loses_nothing(run_folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in run_folder.rglob("*") if path.is_file()}
    for word, message in {
        "model.dcgan.latent_dim=0": "latent_dim=0",
        "model.dcgan.image_size=50": "image_size=50 is not a size of this DCGAN",
        "model.dcgan.channels=1": "model.dcgan.channels=1 differs from data.channels=3",
        "model.classifier.architecture=resnet": "architecture='resnet' is neither 'residual' nor",
        "model.classifier.batch_size=0": "batch_size=0 must be at least 1",
        "trainer.max_epochs=-1": "max_epochs=-1 must be at least 1",
        "trainer.precision=[1]": "trainer.precision",
        "recipe=radford": "did you mean model.dcgan.recipe",
        "data.train_count=-5": "train_count=-5",
        "model=[]": "names nothing to train",
    }.items():
        with pytest.raises(OverpaintError, match=message):
            train(CONFIGS, [*SMALL, *QUIET, f"output={run_folder}", "overwrite=true", word])
    assert before == {path: path.stat().st_mtime_ns for path in run_folder.rglob("*") if path.is_file()}


def test_a_network_that_can_not_take_the_size_is_refused_before_training(tmp_path: Path) -> None:
    words = [*SMALL, *QUIET, "model=classifier", "model.classifier.architecture=inception_v3", f"output={tmp_path}"]
    with pytest.raises(OverpaintError, match="architecture=inception_v3 can't take inputs of size 32x32"):
        train(CONFIGS, words)


def test_an_error_is_one_sentence_without_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "explain.py", "limits=3"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.strip() == "error: there is no setting 'limits'; did you mean limit?"


def test_same_seed_same_samples_other_seed_others() -> None:
    first, again, other = (DCGANModule(base_channels=4, seed=seed).sample(4) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
