"""The table of metrics: a row for each epoch of each model, whatever is logged in which order, and after a resume."""

from pathlib import Path

from overpaint.core.files import read_csv
from overpaint.report.csv_logger import CsvLogger


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_an_epochs_metrics_share_a_row(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    table = CsvLogger(path, "dcgan")
    table.log_metrics({"dcgan/loss_step": 9.0, "epoch": 0}, 50)
    table.log_metrics({"lr": 9.0, "epoch": 0}, 50)
    assert not path.exists()
    table.log_metrics({"samples/kid": 0.25, "epoch": 0}, 99)
    table.log_metrics({"dcgan/loss_epoch": 1 / 3, "loss": 5.0, "epoch": 0}, 99)
    table.log_metrics({"dcgan/loss_epoch": 0.125, "epoch": 1}, 199)
    assert _lines(path) == ["model,epoch,samples/kid,dcgan/loss", "dcgan,0,0.25,0.333333", "dcgan,1,,0.125"]
    with table.row("end"):
        table.log_metrics({"samples/kid": 2e-7, "epoch": 2}, 199)
    assert _lines(path)[-1] == "dcgan,end,2e-07,"
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]


def test_a_resumed_run_keeps_the_epochs_before_and_the_other_models(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    first = CsvLogger(path, "classifier")
    for epoch in range(3):
        first.log_metrics({"classifier/loss_epoch": float(epoch), "epoch": epoch})
    with first.row("test"):
        first.log_metrics({"classifier/test_accuracy": 0.5, "epoch": 3})
    CsvLogger(path, "dcgan").log_metrics({"dcgan/loss_epoch": 7.0, "epoch": 0})
    again = CsvLogger(path, "classifier")
    again.log_metrics({"classifier/val_accuracy": 1.0, "epoch": 1})
    again.log_metrics({"classifier/loss_epoch": 8.0, "epoch": 1})
    assert _lines(path) == [
        "model,epoch,classifier/loss,classifier/val_accuracy,dcgan/loss",
        "classifier,0,0,,",
        "classifier,1,8,1,",
        "dcgan,0,,,7",
    ]
    for value in (0.25, 0.75):
        with again.row("test"):
            again.log_metrics({"classifier/test_accuracy": value, "epoch": 2})
    assert [line.split(",")[:2] for line in _lines(path)[1:]] == [
        ["classifier", "0"],
        ["classifier", "1"],
        ["classifier", "test"],
        ["dcgan", "0"],
    ]
    assert _lines(path)[3] == "classifier,test,,,0.75,"


def test_the_name_of_a_class_keeps_its_end(tmp_path: Path) -> None:
    table = CsvLogger(tmp_path / "metrics.csv", "classifier")
    table.log_metrics({"classifier/val_accuracy_of_last_epoch": 0.5, "dcgan/score_of_real_epoch": 1.0, "epoch": 0})
    row = read_csv(tmp_path / "metrics.csv")[0]
    assert (row["classifier/val_accuracy_of_last_epoch"], row["dcgan/score_of_real"]) == ("0.5", "1")
