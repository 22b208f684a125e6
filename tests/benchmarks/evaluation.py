"""What insertion and deletion cost: the engine beside bare forward passes and RISE's public evaluation. Run by hand.

    OVERPAINT_DATA=folder OVERPAINT_RISE=folder python tests/benchmarks/evaluation.py [classifier.ckpt] [maps] [rounds]

``OVERPAINT_DATA`` and ``OVERPAINT_RISE`` are those of ``engine.py``; what is absent is said and left out. Insertion and
deletion of several maps of one image at RISE's protocol, a row of pixels a step, each with ``side + 1`` scores. All
entries are run in turn, round after round, in one process, where RISE's code gets our allocator's setting and
channels_last weights for nothing; the medians are compared.

- bare passes: as many forward passes on inputs that are ready in memory, at the best of the batch sizes tried;
- efficiency: time of the bare passes over that of the entry, everything included: the blurred image, the order of the
  pixels, masks, blending, the search for the pass's size, softmax, areas;
- single_run: RISE's code for one map, called for one after the other; evaluate: its code for batches, all maps in one.
"""

import contextlib
import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from engine import console
from measured_networks import NAMES, bare_passes, opened
from rich.table import Table
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.cli.allocator import keep_freed_memory
from overpaint.metrics.base import MetricInputs, MetricResult
from overpaint.metrics.insertion_deletion import Deletion, Insertion
from overpaint.perturbation.engine import Engine

OURS, AGREEMENT = "insertion and deletion", 1e-4


def smooth_maps(count: int, side: int) -> Tensor:
    """Returns the ranks of smoothed noise: no two pixels are equal, for RISE's sort puts equal ones in any order."""
    noise = gaussian_filter(np.random.default_rng(0).random((count, side, side)), (0, side / 15, side / 15))
    return torch.from_numpy(noise).flatten(1).argsort(1).argsort(1).float().reshape(count, side, side)


def ours(classifier: NetworkClassifier, image: Tensor, target: int, maps: Tensor) -> list[MetricResult]:
    """Measures all maps, insertion first, with an engine that has not found its pass's size yet."""
    images, targets = image.expand(len(maps), -1, -1, -1), torch.full((len(maps),), target)
    inputs, engine = MetricInputs(images, targets, maps, torch.zeros_like(maps, dtype=torch.bool)), Engine(classifier)
    return engine.run([m.query_task(inputs, i, engine) for m in (Insertion(), Deletion()) for i in range(len(maps))])


def rises(classifier: NetworkClassifier, image: Tensor, maps: Tensor) -> dict[str, Callable[[], np.ndarray]]:
    """Returns the two ways to go with RISE's own code on the processor; none where it is not there."""
    folder = os.environ.get("OVERPAINT_RISE")
    if folder is None:
        console.print("RISE's public code is not there (OVERPAINT_RISE)")
        return {}
    side, classes = image.shape[2], len(classifier.class_names)
    text = (Path(folder) / "evaluation.py").read_text()
    for old, new in {
        ".cuda()": "",
        "HW = 224 * 224": f"HW = {side} * {side}",
        "n_classes = 1000": f"n_classes = {classes}",
        "from utils import *": "",
        "scipy.ndimage.filters": "scipy.ndimage",
    }.items():
        text = text.replace(old, new)
    names: dict[str, Any] = {"np": np, "torch": torch}
    exec(text, names)
    kernel = names["gkern"](11, 5)
    substrates = {"ins": lambda x: nn.functional.conv2d(x, kernel, padding=5), "del": torch.zeros_like}
    model = nn.Sequential(classifier.network, nn.Softmax(dim=1))
    games = [names["CausalMetric"](model, mode, side, substrate) for mode, substrate in substrates.items()]
    inputs = (image - classifier.mean) / classifier.std  # type: ignore[operator]

    def single_runs() -> np.ndarray:
        return np.stack([game.single_run(inputs.clone(), m[None].numpy()) for game in games for m in maps])

    def batches() -> np.ndarray:
        together = inputs.repeat(len(maps), 1, 1, 1)
        return np.concatenate([game.evaluate(together, maps.numpy(), len(maps)).T for game in games])

    return {"RISE's single_run": single_runs, "RISE's evaluate": batches}


@torch.no_grad()
def compare(name: str, path: Path, count: int, rounds: int) -> None:
    """Checks that all find the same, and prints the table of a classifier."""
    classifier, image = opened(name, path)
    image, target = image[:1], int(classifier.scores(image[:1]).argmax())
    maps = smooth_maps(count, image.shape[2])
    queries = 2 * count * (image.shape[2] + 1)
    basis, size = bare_passes(classifier, image, queries)
    theirs = rises(classifier, image, maps)
    found = torch.stack([m.curve for m in ours(classifier, image, target, maps) if m.curve is not None]).numpy()
    bare = f"bare passes of {size}"
    entries: dict[str, Callable[[], object]] = {
        bare: basis,
        OURS: lambda: ours(classifier, image, target, maps),
        **theirs,
    }
    spent: dict[str, list[float]] = {key: [] for key in entries}
    for _ in range(rounds):
        for key, entry in entries.items():
            start = time.perf_counter()
            with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
                answer = entry()
            spent[key].append(time.perf_counter() - start)
            if key in theirs:
                assert np.abs(found - answer).max() < AGREEMENT, key
    middle = {key: statistics.median(values) for key, values in spent.items()}
    table = Table("entry", "scores", "time, s", "efficiency", "against ours", title=f"{name}, {count} maps")
    for key, value in middle.items():
        ratio = f"{value / middle[OURS]:.2f}" if key in theirs else "-"
        table.add_row(key, f"{queries}", f"{value:.3f}", f"{middle[bare] / value:.3f}", ratio)
    console.print(table)


def main() -> None:
    """Prints the tables."""
    keep_freed_memory()
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/digits/classifier.ckpt")
    count, rounds = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 3), (3, 5)))
    compare(NAMES[0], path, count, rounds)
    if "OVERPAINT_DATA" not in os.environ:
        console.print("SqueezeNet and the photographs are not there (OVERPAINT_DATA)")
        return
    compare(NAMES[1], path, count, rounds)


if __name__ == "__main__":
    main()
