"""What a masked query costs: the engine beside bare forward passes, RISE's public code and captum. Run by hand.

    OVERPAINT_DATA=folder OVERPAINT_RISE=folder python tests/benchmarks/engine.py [classifier.ckpt] [queries] [rounds]
    python tests/benchmarks/engine.py series [classifier.ckpt] [queries] [rounds]

``OVERPAINT_DATA`` holds ``squeezenet1_0_imagenet.pt`` and ``photos/*.jpg``; ``OVERPAINT_RISE`` is a clone of
github.com/eclique/RISE, whose code is run as it is but for its calls of ``.cuda()``; what is absent is said and left
out. The digits' classifier comes from ``python train.py``, that of series from ``python train.py data=series``; RISE's
code takes pictures alone. All entries of a classifier are run in turn, round after
round, in one process; the medians are compared. With ``OMP_NUM_THREADS=1`` the time is the processor's, see `clock`.

Each peer runs twice: in a process of its own as its users run it (the network as it comes from its file, the memory
allocator as it is), and, marked "here", in this process, where it gets our allocator's setting and channels_last
weights for nothing.

- bare passes: forward passes of the network on inputs that are ready in memory, at the best of the batch sizes tried;
- efficiency: time of the bare passes over that of the method with as many queries, everything included: the search for
  the pass's size, masks, blending, normalisation, softmax, sums, standard error;
- memory: how much more a process has at its peak when it runs RISE with 8000 queries than when it runs the classifier
  alone in passes of the same size.

Tried and dropped: blending into a channels_last buffer (9 ms for 32 images instead of 2: the network's first layer
turns them faster); keeping the masks for the sums instead of making them twice (0.6 ms for 32, and memory that grows
with the queries); sums in float32 (4 instead of 1 ms for 32, of some 170, and covariances with half the digits).
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from captum.attr import Lime as CaptumsLime
from captum.attr import Occlusion as CaptumsOcclusion
from measured_networks import NAMES, bare_passes, clock, opened
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.cli.allocator import keep_freed_memory
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.segments import segments_of
from overpaint.saliency.lime import Lime
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.occlusion import Occlusion
from overpaint.saliency.rise import Rise
from overpaint.saliency.surrogate import Surrogate

BATCHES = (1, 8, 64)
MEMORY_QUERIES = 8000
OWN_PROCESSES = 3
MOST_SAMPLES = 500
PARTNERS = {"RISE": "rise", "captum O": "occlusion", "captum L": "lime"}
console = Console(width=120)


def public_rise(classifier: NetworkClassifier, image: Tensor, queries: int) -> Callable[[], object] | None:
    """Returns RISE's own code on the processor; None where it is not there, and of series."""
    folder = os.environ.get("OVERPAINT_RISE")
    if image.ndim != 4:
        return None
    if folder is None:
        console.print("RISE's public code is not there (OVERPAINT_RISE)")
        return None
    names: dict[str, Any] = {}
    exec((Path(folder) / "explanations.py").read_text().replace(".cuda()", ""), names)
    inputs = (image - classifier.mean) / classifier.std  # type: ignore[operator]
    model = nn.Sequential(classifier.network, nn.Softmax(dim=1))

    def run() -> None:
        explainer = names["RISE"](model, image.shape[2:])
        with torch.no_grad(), tempfile.TemporaryDirectory() as place:
            explainer.generate_masks(queries, 8, 0.5, f"{place}/masks.npy")
            explainer(inputs)

    return run


def captums(classifier: NetworkClassifier, image: Tensor, queries: int) -> dict[str, Callable[[], object]]:
    """Returns captum's Occlusion and Lime, on ours' windows, segments and numbers of samples."""
    baseline, (channels, *size) = classifier.mean, image.shape[1:]
    window, stride = ((channels, *[side // part for side in size]) for part in (4, 16))
    segments = segments_of(image[0], "auto", 50)[None, None]

    def occlude(batch: int) -> None:
        method = CaptumsOcclusion(classifier.scores)
        method.attribute(image, window, stride, baselines=baseline, target=0, perturbations_per_eval=batch)

    def lime(batch: int) -> None:
        method = CaptumsLime(classifier.scores)
        method.attribute(
            image, baseline, 0, feature_mask=segments, n_samples=queries, perturbations_per_eval=batch,
        )  # fmt: skip

    entries: dict[str, Callable[[], object]] = {}
    for name, method in (("Occlusion", occlude), ("Lime", lime)):
        for batch in BATCHES:
            entries[f"captum {name}, {'default' if batch == 1 else f'{batch} a pass'}"] = partial(method, batch)
    return entries


def peers(classifier: NetworkClassifier, image: Tensor, queries: int, samples: int) -> dict[str, Callable[[], object]]:
    """Returns the peers that can be run."""
    rise = public_rise(classifier, image, queries)
    return ({} if rise is None else {"RISE's public code": rise}) | captums(classifier, image, samples)


def is_peer(key: str) -> bool:
    """Tells a peer from ours."""
    return any(key.startswith(start) for start in PARTNERS)


def compare(name: str, path: Path, queries: int, rounds: int) -> None:
    """Prints the table of a classifier."""
    classifier, image = opened(name, path)
    target, engine = torch.tensor([[0]]), Engine(classifier)
    samples = min(queries, MOST_SAMPLES)

    def ours(method: Any) -> Callable[[], object]:
        return lambda: Engine(classifier).run_methods({"": method}, image, target)

    basis, size = bare_passes(classifier, image, queries)
    engine.run_methods({"": Rise(queries=8)}, image, target)
    entries: dict[str, Callable[[], object]] = {
        f"bare passes of {size}": basis,
        "rise": ours(Rise(queries=queries)),
        "surrogate": ours(Surrogate(queries=queries)),
        "mask_estimation": ours(MaskEstimation(queries=queries)),
        "occlusion": ours(Occlusion()),
        "lime": ours(Lime(queries=samples)),
    }
    theirs = peers(classifier, image, queries, samples)
    ready = entries | {f"{key}, here": entry for key, entry in theirs.items()}
    spent: dict[str, list[float]] = {key: [] for key in ready}
    for _ in range(rounds):
        for key, entry in ready.items():
            start = clock()
            entry()
            spent[key].append(clock() - start)
    middle = {key: statistics.median(values) for key, values in spent.items()}
    basis_time = middle[f"bare passes of {size}"]
    middle |= {key: alone(["peer", name, str(path), key, str(queries)], min(rounds, OWN_PROCESSES)) for key in theirs}
    table = Table(
        "entry", "queries", "time, s", "efficiency", "against ours", title=f"{name}, passes of {engine.batch_size}"
    )
    asked = int(Occlusion()(classifier, image, target).queries[0])
    for key, value in middle.items():
        count = asked if "cclusion" in key else samples if "ime" in key else queries
        ratio = next((value / middle[p] for start, p in PARTNERS.items() if key.startswith(start)), None)
        efficiency = basis_time * count / queries / value
        table.add_row(key, f"{count}", f"{value:.3f}", f"{efficiency:.3f}", "-" if ratio is None else f"{ratio:.2f}")
    console.print(table)


def alone(words: list[str], rounds: int = 1) -> float:
    """Returns the median of what a process of its own prints."""
    command = [sys.executable, __file__, *words]
    found = [subprocess.run(command, capture_output=True, check=True, text=True).stdout for _ in range(rounds)]
    return statistics.median(float(text.split()[-1]) for text in found)


def run_peer(name: str, path: Path, key: str, queries: int) -> None:
    """Times a peer as its users run it."""
    classifier, image = opened(name, path)
    classifier.network.to(memory_format=torch.contiguous_format)
    entry = peers(classifier, image, queries, min(queries, MOST_SAMPLES))[key]
    start = clock()
    entry()
    print(clock() - start)  # noqa: T201


def run_peak(name: str, path: Path, which: str, batch_size: int) -> None:
    """Runs the classifier alone, or RISE's map, and prints the process's peak memory in MB."""
    keep_freed_memory()
    classifier, image = opened(name, path)
    if which == "bare":
        for _ in range(50):
            classifier.scores(image.expand(batch_size, *image.shape[1:]).contiguous())
    else:
        Engine(classifier, batch_size=batch_size).run_methods(
            {"": Rise(queries=MEMORY_QUERIES)}, image, torch.tensor([[0]])
        )
    # Not getrusage: what it calls the peak includes the parent's memory before the program was loaded.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(peak.split()[1]) / 1024)  # noqa: T201


def main() -> None:
    """Prints the tables."""
    if sys.argv[1:2] == ["peak"]:
        return run_peak(sys.argv[2], Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    if sys.argv[1:2] == ["peer"]:
        return run_peer(sys.argv[2], Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    keep_freed_memory()
    is_series = sys.argv[1:2] == ["series"]
    said = sys.argv[2 if is_series else 1 :]
    path = Path(said[0] if said else f"outputs/{'series' if is_series else 'digits'}/classifier.ckpt")
    queries, rounds = (int(said[i]) if len(said) > i else default for i, default in ((1, 2000), (2, 3)))
    if is_series:
        compare(NAMES[2], path, queries, rounds)
        return print_memory(NAMES[2], path)
    compare(NAMES[0], path, queries, rounds)
    if "OVERPAINT_DATA" not in os.environ:
        console.print("SqueezeNet and the photographs are not there (OVERPAINT_DATA)")
        return None
    compare(NAMES[1], path, queries, rounds)
    return print_memory(NAMES[1], path)


def print_memory(name: str, path: Path) -> None:
    """Prints how much more memory RISE takes than the classifier alone."""
    rise, bare = (alone(["peak", name, str(path), which, "32"]) for which in ("rise", "bare"))
    more = f"{MEMORY_QUERIES} queries in passes of 32: {rise - bare:.0f} MB"
    console.print(f"memory above the classifier's own {bare:.0f} MB, {more}")


if __name__ == "__main__":
    main()
