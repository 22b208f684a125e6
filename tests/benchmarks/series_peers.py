"""Maps of cylinder-bell-funnel by Overpaint and by what its users have, of the same network and series. Run by hand.

    python tests/benchmarks/series_peers.py [--dianna PYTHON]

``PYTHON`` is the interpreter of an environment with dianna (``pip install dianna``), which runs apart and exchanges
files; without it dianna's rows are left out. captum is run on the same network, and where its method is the same the
maps must be equal to 1e-5. TimeREISE (Mercier et al., Sensors 2022) and TiME (Thakur & Fischmeister) are no packages;
what they do is written in `series_samplers` after their papers and published settings. Columns:

- built with: what stands in the holes of the method's own queries (mean: that of all series; of dianna's the series'
  own; zero: of the stretched series, its least value);
- on the pulse: share of the most salient tenth of the steps that lies on the pulse;
- by mean, by linear, by noise: insertion (more is better) and deletion (less is better) with holes filled so; in
  brackets where the method itself was built with that fill;
- agreement: mean Spearman correlation of the maps of seeds 0 and 1; -: nothing is random;
- time: that of a series, in units of as many bare forward passes as the method makes, at their best batch size (of
  dianna: of its own runtime, onnxruntime). Both are run in turn, and the medians of three rounds compared; processor
  time of one thread, so that what else runs on the machine counts little.
"""

import argparse
import platform
import statistics
import subprocess
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import captum.attr
import numpy as np
import torch
import torch.nn.functional as F
from gradients import Module
from measured_networks import bare_passes, clock
from rich.console import Console
from rich.table import Table
from series import JUDGES, Subjects, judged, on_pulse, subjects
from series_samplers import Way, time_masks, time_reise
from torch import Tensor, nn
from torchmetrics.functional import spearman_corrcoef

from overpaint.perturbation.engine import Engine, compute_maps
from overpaint.perturbation.segments import segments_of
from overpaint.saliency.deconvnet import Deconvnet
from overpaint.saliency.grad_cam import GradCam
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.guided_backprop import GuidedBackprop
from overpaint.saliency.iassa import Iassa
from overpaint.saliency.integrated_gradients import IntegratedGradients
from overpaint.saliency.lime import Lime
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.occlusion import Occlusion
from overpaint.saliency.random import Random
from overpaint.saliency.rise import Rise
from overpaint.saliency.smooth_grad import SmoothGrad
from overpaint.saliency.surrogate import Surrogate

TIMED, ROUNDS, QUERIES, EQUAL = 4, 3, 1000, 1e-5
WINDOW, STRIDE = 32, 8


def ours(method: Any, fill: str = "-") -> Way:
    """Returns a method of Overpaint, with an engine of its own as a user runs it."""

    def explain(found: Subjects, seed: int) -> tuple[Tensor, int]:
        seeded = replace(method, seed=seed) if method.is_stochastic else method
        targets = found.targets[:, None]
        maps = compute_maps(seeded, found.classifier, found.series, targets, Engine(found.classifier))
        return maps.maps, int(maps.queries.float().mean())

    return Way(fill, explain, method.is_stochastic)


def captum_lime(found: Subjects, seed: int) -> tuple[Tensor, int]:
    """captum's Lime as it comes (Lasso, 50 samples by default: here as many as ours), on our segments."""
    torch.manual_seed(seed)
    method, maps = captum.attr.Lime(found.classifier.scores), []
    for series, target in zip(found.series, found.targets, strict=True):
        segments = segments_of(series, "auto", 50)[None, None]
        options = {"feature_mask": segments, "n_samples": QUERIES, "perturbations_per_eval": 64}
        maps.append(method.attribute(series[None], found.classifier.mean, int(target), **options)[0, 0])
    return torch.stack(maps), QUERIES


def captums(found: Subjects) -> dict[str, Tensor]:
    """Returns captum's maps by the methods that are the same."""
    model, attribution = Module(found.classifier), captum.attr
    asked = {"inputs": found.series.clone().requires_grad_(), "target": found.targets}
    layer = [m for m in found.classifier.network.modules() if isinstance(m, nn.ReLU)][-1]
    mean = found.classifier.mean.expand_as(found.series)
    windows = {"sliding_window_shapes": (1, WINDOW), "strides": (1, STRIDE)}
    maps = {
        "gradient": attribution.Saliency(model).attribute(**asked),
        "integrated_gradients": attribution.IntegratedGradients(model).attribute(**asked, baselines=mean),
        "guided_backprop": attribution.GuidedBackprop(model).attribute(**asked).abs(),
        "deconvnet": attribution.Deconvolution(model).attribute(**asked).abs(),
        "grad_cam": F.relu(attribution.LayerGradCam(model, layer).attribute(**asked)),
        "occlusion": attribution.Occlusion(found.classifier.scores).attribute(**asked, baselines=mean, **windows),
    }
    return {name: values.detach()[:, 0] for name, values in maps.items()}


def ways() -> dict[str, Way]:
    """Returns what runs in this process."""
    return {
        "surrogate": ours(Surrogate(), "linear"),
        "mask_estimation": ours(MaskEstimation(), "linear"),
        "rise": ours(Rise(), "linear"),
        "lime": ours(Lime(), "linear"),
        "occlusion": ours(Occlusion(window=WINDOW, stride=STRIDE), "mean"),
        "iassa": ours(Iassa(), "mean"),
        "gradient": ours(Gradient()),
        "smooth_grad": ours(SmoothGrad()),
        "integrated_gradients": ours(IntegratedGradients(), "mean"),
        "guided_backprop": ours(GuidedBackprop()),
        "deconvnet": ours(Deconvnet()),
        "grad_cam": ours(GradCam()),
        "random": ours(Random()),
        "rise as published, mean": ours(Rise(estimator="mean", baseline="mean"), "mean"),
        "rise, TimeREISE's cells": ours(Rise(cells=20, baseline="mean"), "mean"),
        "TimeREISE, 1000": time_reise(QUERIES // 10),
        "TimeREISE, its 10,000": time_reise(QUERIES),
        "TiME": time_masks(),
        "captum's Lime": Way("mean", captum_lime),
    }


def relative_time(way: Way, found: Subjects, queries: int) -> float:
    """Returns a way's time in units of as many bare passes, both run in turn."""
    few = replace(found, series=found.series[:TIMED], targets=found.targets[:TIMED], pulse=found.pulse[:TIMED])
    bare, _ = bare_passes(found.classifier, found.series[:1], TIMED * queries)
    spent: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for is_bare in spent:
            start = clock()
            bare() if is_bare else way.explain(few, 0)
            spent[is_bare].append(clock() - start)
    return statistics.median(spent[False]) / statistics.median(spent[True])


def dianna(python: str, found: Subjects) -> dict[str, tuple[Tensor, int, float]]:
    """Runs dianna in its own environment; returns its maps of two seeds, queries and relative time."""
    classifier = found.classifier
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        normalised = nn.BatchNorm1d(1, eps=0, affine=False).eval()
        normalised.running_mean, normalised.running_var = classifier.mean.flatten(), classifier.std.flatten() ** 2
        model = nn.Sequential(normalised, classifier.network, nn.Softmax(1)).eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model, (found.series,), str(folder / "net.onnx"), dynamo=False, dynamic_axes={"series": {0: "batch"}},
                input_names=["series"],
            )  # fmt: skip
        np.savez(folder / "asked.npz", series=found.series, targets=found.targets)
        script = Path(__file__).with_name("series_dianna.py")
        words = [python, str(script), name, str(QUERIES), str(TIMED), str(ROUNDS)]
        ended = subprocess.run(words, capture_output=True, text=True)
        if ended.returncode:
            raise SystemExit(f"dianna could not be run by {python}:\n{ended.stderr}")
        answers = np.load(folder / "answers.npz")
    assert np.abs(answers["scores"] - classifier.scores(found.series).numpy()).max() < EQUAL
    return {
        f"dianna's {key}": (torch.tensor(answers[f"{key} maps"]).float(), QUERIES, float(answers[f"{key} time"]))
        for key in ("RISE", "LIME")
    }


def row(found: Subjects, fill: str, maps: Tensor, queries: int, times: float | None, random: bool) -> list[str]:
    """Returns the figures of maps of two seeds."""
    values = judged(found, maps[0], Engine(found.classifier))
    pairs = [f"{insertion:.2f} {deletion:.2f}" for insertion, deletion in values]
    shown = [f"({pair})" if judge == fill else pair for judge, pair in zip(JUDGES, pairs, strict=True)]
    agreement = f"{float(spearman_corrcoef(maps[0].T, maps[1].T).nanmean()):.2f}" if random else "-"
    return [
        fill,
        f"{on_pulse(found, maps[0]):.2f}",
        *shown,
        agreement,
        f"{queries}",
        "-" if times is None else f"{times:.2f}",
    ]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dianna", metavar="PYTHON", help="the interpreter of an environment with dianna")
    python = parser.parse_args().dianna
    torch.set_num_threads(1)
    found, console = subjects(), Console(width=130, highlight=False)
    columns = ("built with", "on the pulse", *(f"by {judge}" for judge in JUDGES), "agreement", "queries", "time")
    title = f"{len(found.series)} series, chance {found.chance:.2f}, accuracy {found.accuracy:.3f}; insertion, deletion"
    table, maps_of = Table("method", *columns, title=title), {}
    for name, way in ways().items():
        maps, queries = zip(*[way.explain(found, seed) for seed in ((0, 1) if way.random else (0,))], strict=True)
        maps_of[name] = maps[0]
        times = relative_time(way, found, queries[0]) if queries[0] else None
        table.add_row(name, *row(found, way.fill, torch.stack(maps), queries[0], times, way.random))
    for name, figures in (dianna(python, found) if python else {}).items():
        table.add_row(name, *row(found, "mean", *figures, random=True))
    console.print(table)
    if python is None:
        console.print("dianna's rows are left out: name the interpreter of an environment that has it by --dianna")
    for name, theirs in captums(found).items():
        difference = float((maps_of[name] - theirs).abs().max())
        console.print(f"{name} and captum's differ by {difference:.1g} at most, of {float(theirs.abs().max()):.2g}")
        assert difference < EQUAL, name
    load = Path("/proc/loadavg").read_text().split()[0] if Path("/proc/loadavg").exists() else "unknown"
    model = next((x.split(": ")[1] for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), "")
    console.print(f"{model or platform.processor()}, one thread of torch {torch.__version__}, load {load}")


if __name__ == "__main__":
    main()
