"""Stopped, killed and crowded runs: checkpoints stay whole, a folder has one writer, SIGTERM is Ctrl-C."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from overpaint.cli import checkpoints
from overpaint.cli.checkpoints import resumable_checkpoint
from overpaint.cli.run_lock import LOCK, run_lock
from overpaint.core.errors import OverpaintError
from overpaint.core.files import OLD, PARTIAL, empty_twin, replace_folder, restore
from overpaint.training.checkpoint_io import DurableCheckpointIO

ROOT = Path(__file__).resolve().parents[1]
CONTENT = {"overpaint": {"kind": "dcgan", "settings": {}}, "state_dict": {"a": torch.zeros(3)}}


class Killed(BaseException):
    """The process ends here."""


def _save(path: Path, epoch: int) -> None:
    DurableCheckpointIO().save_checkpoint({"epoch": epoch}, path)


def _epoch(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["epoch"])


def test_a_checkpoint_and_the_one_before_are_kept(tmp_path: Path) -> None:
    for epoch in range(3):
        _save(tmp_path / "last-dcgan.ckpt", epoch)
        _save(tmp_path / "dcgan.ckpt", epoch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dcgan.ckpt", "last-dcgan.ckpt", "previous-dcgan.ckpt"]
    assert [_epoch(tmp_path / f"{name}-dcgan.ckpt") for name in ("last", "previous")] == [2, 1]


@pytest.mark.parametrize(
    ("call", "count"),
    [
        ("torch.save", 0),
        ("os.fsync", 0),
        ("os.link", 0),
        ("pathlib.Path.replace", 0),
        ("pathlib.Path.replace", 1),
        ("os.fsync", 1),
    ],
)
def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(
    call: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last-dcgan.ckpt"
    for epoch in range(2):
        _save(path, epoch)
    left = [count]

    def dies(*arguments: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return real(*arguments, **more)

    module, _, name = call.rpartition(".")
    target = Path if module == "pathlib.Path" else {"os": os, "torch": torch}[module]
    real = getattr(target, name)
    with monkeypatch.context() as patch:
        patch.setattr(target, name, dies)
        with pytest.raises(Killed):
            _save(path, 2)
    assert _epoch(path) in (1, 2)
    assert _epoch(tmp_path / "previous-dcgan.ckpt") in (0, 1)
    _save(path, 3)  # what the kill left behind is in nobody's way
    assert (_epoch(path), _epoch(tmp_path / "previous-dcgan.ckpt")) in ((3, 1), (3, 2))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["last-dcgan.ckpt", "previous-dcgan.ckpt"]


def test_a_file_system_without_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuses)
    for epoch in range(2):
        _save(tmp_path / "last-dcgan.ckpt", epoch)
    assert [_epoch(tmp_path / f"{name}-dcgan.ckpt") for name in ("last", "previous")] == [1, 0]


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last-dcgan.ckpt"
    _save(path, 0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _save(path, 1)
    assert _epoch(path) == 0


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last, previous = (tmp_path / f"{name}-dcgan.ckpt" for name in ("last", "previous"))
    assert resumable_checkpoint(tmp_path, "dcgan") == (None, "")
    for path in (previous, last):
        torch.save(CONTENT, path)
    assert resumable_checkpoint(tmp_path, "dcgan") == (last, "")
    whole = last.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], b"text"):
        last.write_bytes(damage)
        found, note = resumable_checkpoint(tmp_path, "dcgan")
        assert found == previous
        assert "last-dcgan.ckpt is damaged; training goes on from" in note
    last.unlink()
    found, note = resumable_checkpoint(tmp_path, "dcgan")
    assert found == previous
    assert "is missing" in note
    for path in (last, previous):
        path.write_bytes(b"")
    with pytest.raises(OverpaintError, match=r"last-dcgan.ckpt is damaged, and there is no whole previous-dcgan.ckpt"):
        resumable_checkpoint(tmp_path, "dcgan")
    assert checkpoints.last_checkpoint(tmp_path, "dcgan") == last


def test_a_folder_has_one_run_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    hold = (
        "import sys, time; from pathlib import Path; from overpaint.cli.run_lock import run_lock\n"
        "with run_lock(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", hold, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OverpaintError, match=rf"out is in use by process {other.pid} of this machine; wait"):
            run_lock(folder).__enter__()
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    assert (folder / LOCK).is_file()  # the killed one could not take it away
    with run_lock(folder):
        assert str(os.getpid()) in (folder / LOCK).read_text()
    assert not (folder / LOCK).exists()


def test_another_machines_lock_names_it(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text("4711\nelsewhere\n")
    with pytest.raises(OverpaintError, match=r"by process 4711 of elsewhere \(if it is no more, delete .*\.lock\)"):
        run_lock(tmp_path).__enter__()


def test_sigterm_stops_as_ctrl_c_does(tmp_path: Path) -> None:
    """Sent once the program has said something of its own, which is after it has begun."""
    slow = (
        "import os, signal, sys, threading; from pathlib import Path; from overpaint.cli import entry\n"
        "entry.explain = lambda *_: (print('begun', flush=True), signal.pause())\n"
        "entry.run('explain', Path(sys.argv[1]), [])"
    )
    words = [sys.executable, "-c", slow, str(ROOT / "configs")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "stopped; what is complete is kept, and the same command goes on from there\n"


@pytest.mark.parametrize("call", ["rename", "rmtree"])
@pytest.mark.parametrize("count", range(4))
def test_replacing_a_folder_loses_neither(
    call: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "image"
    for version in ("old", "new"):
        twin = empty_twin(folder)
        (twin / "result.json").write_text(json.dumps(version))
        (twin / "arrays").write_text(version)
        if version == "old":
            replace_folder(folder, twin)
    left = [count]
    target, real = (Path, Path.rename) if call == "rename" else (shutil, shutil.rmtree)

    def dies(*arguments: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and call == "rmtree":  # in its middle: a part is deleted
            (Path(arguments[0]) / "arrays").unlink()
        if left[0] <= 0:
            raise Killed
        return real(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(target, call, dies)
        with contextlib.suppress(Killed):
            replace_folder(folder, twin)
    restore(tmp_path)
    versions = {(folder / "arrays").read_text(), json.loads((folder / "result.json").read_text())}
    assert versions in ({"old"}, {"new"})
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_folders_of_others_stay(tmp_path: Path) -> None:
    for name in (".git.old", ".notes.partial", f".{PARTIAL}"):
        (tmp_path / name).mkdir()
    restore(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    assert OLD != PARTIAL


def test_a_link_in_the_place_of_a_folder_leaves_what_it_leads_to(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "out" / "image"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    folder.parent.mkdir()
    folder.symlink_to(elsewhere, target_is_directory=True)
    twin = empty_twin(folder)
    replace_folder(folder, twin)
    assert not folder.is_symlink()
    assert (elsewhere / "precious").is_file()
    for wrong in (folder.parent / "..", tmp_path / "other" / "image"):
        with pytest.raises(ValueError, match="do not lie in one folder"):
            replace_folder(wrong, empty_twin(folder))
