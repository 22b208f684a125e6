"""Kills both programs at every rename and unlink in their folder, and at random moments, and lets them go on.

``python tests/kills.py [MOMENTS]`` prints a line for each program: how often it was killed, and what was lost. After
each kill the same command (with ``resume=true`` for training) must end with the files of a run that was left alone.
"""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from overpaint.cli.entry import Entry, run

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
QUIET = ["logger.mode=none", "trainer.enable_progress_bar=false", "trainer.accelerator=cpu", "trainer.devices=1"]
TRAIN = [
    *("data.train_count=160", "data.val_count=32", "data.test_count=32", "trainer.max_epochs=2"),
    *("model.classifier.batch_size=32", "model.dcgan.batch_size=32", "model.dcgan.base_channels=4"),
]
EXPLAIN = [
    *("limit=3", "methods=[rise,center]", "metrics=[deletion]", "saliency.rise.queries=32", "search.steps=2"),
    *("search.num_candidates=16", "search.num_variants=4", "batch_size=2"),
]
KILLED = 137
UNEQUAL = (".lock", "config.yaml", "index.json")
"""Files whose content may differ: the first is of the run, the second says ``resume``, the third has files' times."""

Moment = Literal["before", "after"]


def main(moments: int, seed: int = 0) -> int:
    """Runs everything, and returns how many runs lost something."""
    torch.set_num_threads(1)
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        trained = Path(folder) / "trained"
        lost += _torture("train", [*TRAIN, f"output={Path(folder) / 'run'}"], None, trained, moments, seed)
        lost += _torture("explain", [*EXPLAIN, f"output={Path(folder) / 'run'}"], trained, None, moments, seed)
    return lost


def _torture(entry: Entry, words: list[str], start: Path | None, keep: Path | None, moments: int, seed: int) -> int:
    """Kills a program again and again; returns how often it lost something.

    Args:
        entry: The program.
        words: Its settings; the last one names the folder.
        start: What the folder holds before; None: it is not there.
        keep: Where an undisturbed run's folder is copied to; None: nowhere.
        moments: How many random moments there are.
        seed: Their seed.
    """
    folder = Path(words[-1].partition("=")[2])
    _reset(folder, start)
    began = time.monotonic()
    calls = _forked(lambda: run(entry, CONFIGS, [*QUIET, *words]), folder, None)[1]
    duration, expected = time.monotonic() - began, _content(folder)
    if keep is not None:
        shutil.copytree(folder, keep)
    kills: list[tuple[str, Callable[[Callable[[], None]], int]]] = []
    for call in range(calls):
        for moment in ("before", "after"):
            kills.append((f"{moment} call {call}", lambda work, c=call, m=moment: _forked(work, folder, (c, m))[0]))
    rng = random.Random(seed)
    for _ in range(moments):
        wait = rng.uniform(0, duration)
        kills.append((f"after {wait:.2f} s", lambda work, w=wait: _forked(work, folder, None, w)[0]))
    lost = 0
    for name, kill in kills:
        _reset(folder, start)
        kill(lambda: run(entry, CONFIGS, [*QUIET, *words]))
        more = ["resume=true"] if entry == "train" and (folder / "record.json").exists() else []
        status, _ = _forked(lambda: run(entry, CONFIGS, [*QUIET, *words, *more]), folder, None)  # noqa: B023
        differing = _differing(expected, _content(folder))
        if status or differing:
            lost += 1
            print(f"{entry}, killed {name}: status {status}, differing: {differing}", flush=True)  # noqa: T201
    print(f"{entry}: killed at {calls} renames and unlinks, before and after, and {moments} moments: {lost} lost")  # noqa: T201
    return lost


def _reset(folder: Path, start: Path | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if start is not None:
        shutil.copytree(start, folder)


def _forked(
    work: Callable[[], None], folder: Path, kill: tuple[int, str] | None, wait: float | None = None
) -> tuple[int, int]:
    """Runs ``work`` in a process of its own; returns its status and how often it renamed and unlinked in the folder."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        count = _watch(folder, kill)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        status = 0
        try:
            work()
        except SystemExit as end:
            status = int(end.code or 0)
        except BaseException:
            status = 1
        os.write(writing, str(count["calls"]).encode())
        os._exit(status)
    os.close(writing)
    if wait is not None:
        time.sleep(wait)
        os.kill(child, signal.SIGKILL)
    said = os.read(reading, 20)
    os.close(reading)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), int(said or 0)


def _watch(folder: Path, kill: tuple[int, str] | None) -> dict[str, int]:
    """Counts the calls that rename or unlink inside a folder, and ends the process at one of them."""
    count = {"calls": 0}

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **more: Any) -> Any:
            if folder not in Path(os.fsdecode(path)).absolute().parents and "dir_fd" not in more:
                return real(path, *arguments, **more)
            number, count["calls"] = count["calls"], count["calls"] + 1
            if kill == (number, "before"):
                os._exit(KILLED)
            result = real(path, *arguments, **more)
            if kill == (number, "after"):
                os._exit(KILLED)
            return result

        return call

    for name in ("rename", "replace", "unlink", "remove", "rmdir", "link"):
        setattr(os, name, watched(getattr(os, name)))
    return count


def _content(folder: Path) -> dict[str, bytes | dict[str, Any]]:
    """Returns the content of each file: of checkpoints the tensors, of others the bytes."""
    content: dict[str, bytes | dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in UNEQUAL and not path.name.startswith("previous-"):
            name = path.relative_to(folder).as_posix()
            if path.suffix == ".ckpt":
                content[name] = torch.load(path, weights_only=True)["state_dict"]
            else:
                content[name] = path.read_bytes()
    return content


def _differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    names = set(expected) ^ set(found)
    for name in set(expected) & set(found):
        one, two = expected[name], found[name]
        if isinstance(one, dict):
            equal = one.keys() == two.keys() and all(torch.equal(value, two[key]) for key, value in one.items())
        else:
            equal = one == two
        names |= set() if equal else {name}
    return sorted(names)


if __name__ == "__main__":
    import overpaint.cli.explain
    import overpaint.cli.train  # noqa: F401  # imported once, for all processes

    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40) > 0)
