"""What an offline W&B run records, read back from its file; and that nothing about W&B can break a run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
from conftest import wandb_records
from rich.console import Console

from overpaint.cli.entry import train
from overpaint.report.wandb.run import start_run

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def _history(folder: Path) -> list[dict[str, Any]]:
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    rows = []
    for record in wandb_records(file):
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            rows.append({item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items})
    return rows


def test_an_offline_run_records_curves_and_pictures(tmp_path: Path) -> None:
    run = start_run("offline", tmp_path, "overpaint", "train", {"seed": 3}, Console())
    assert run is not None
    for loss in (0.5, 0.25):
        run.log({"classifier/loss": loss})
    run.log({"samples": wandb.Image(np.zeros((4, 4, 3), dtype=np.uint8))})
    run.finish()
    rows = _history(tmp_path)
    assert [row["classifier/loss"] for row in rows if "classifier/loss" in row] == [0.5, 0.25]
    assert [row["samples._type"] for row in rows if "samples._type" in row] == ["image-file"]


def test_a_training_run_is_recorded(tmp_path: Path) -> None:
    train(
        CONFIGS,
        [
            *("model=dcgan", f"output={tmp_path}", "trainer.max_epochs=2", "trainer.log_every_n_steps=1"),
            *("data.train_count=96", "data.val_count=8", "data.test_count=8", "model.dcgan.base_channels=4"),
            "trainer.enable_progress_bar=false",
        ],
    )
    rows = _history(tmp_path)
    for name in ("dcgan/generator_loss_step", "dcgan/discriminator_loss_step", "dcgan/score_of_fake_epoch"):
        assert all(np.isfinite([row[name] for row in rows if name in row])), name
        assert any(name in row for row in rows), name
    assert [row["dcgan/samples._type"] for row in rows if "dcgan/samples._type" in row] == ["images/separated"] * 2
    for name in ("dcgan/interpolation._type", "dcgan/neighbours._type", "dcgan/memorization_ratio"):
        assert sum(name in row for row in rows) == 1, name


def test_none_records_nothing(tmp_path: Path) -> None:
    assert start_run("none", tmp_path, "overpaint", "train", {}, Console()) is None
    assert not (tmp_path / "wandb").exists()


def test_online_without_an_account_is_kept_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    console = Console(record=True)
    run = start_run("online", tmp_path, "overpaint", "train", {}, console)
    assert run is not None
    run.finish()
    assert list(tmp_path.glob("wandb/offline-run-*"))
    assert "not logged in" in console.export_text()


def test_a_key_without_a_network_is_kept_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(**_options: object) -> bool:
        raise wandb.errors.AuthenticationError("Failed to authenticate with https://api.wandb.ai")

    monkeypatch.setattr(wandb, "login", unreachable)
    console = Console(record=True)
    run = start_run("online", tmp_path, "overpaint", "train", {}, console)
    assert run is not None
    run.finish()
    assert list(tmp_path.glob("wandb/offline-run-*"))
    assert "W&B: no online run could be started (Failed to authenticate" in console.export_text()


def test_a_broken_wandb_breaks_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_options: object) -> None:
        raise wandb.errors.CommError("no service")

    monkeypatch.setattr(wandb, "init", fails)
    console = Console(record=True)
    assert start_run("offline", tmp_path, "overpaint", "train", {}, console) is None
    assert "no offline run could be started (no service)" in console.export_text()
