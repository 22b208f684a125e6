"""Every metric of configs/metrics says the same of rows that two processes share as of rows that one has."""

import importlib
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from conftest import PooledNetwork, frozen_classifier, noise_images
from omegaconf import OmegaConf
from torchmetrics.utilities import dim_zero_cat

from overpaint.classifiers.network import NetworkClassifier
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.base import MapMetric, MetricContext, MetricInputs, QueryMetric, SaliencyMetric
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.perturbation.engine import Engine
from overpaint.saliency.rise import Rise

FILES = sorted((Path(__file__).parents[1] / "configs" / "metrics").glob("*.yaml"))
ROWS, HALVES = 5, (range(3), range(3, 5))


def _metric(file: Path) -> SaliencyMetric:
    whole: Any = OmegaConf.to_container(OmegaConf.create({"seed": 0, "metric": OmegaConf.load(file)}), resolve=True)
    settings = whole["metric"]
    module, _, name = settings.pop("target").rpartition(".")
    metric: SaliencyMetric = getattr(importlib.import_module(module), name)(**settings)
    return metric


def _classifier() -> NetworkClassifier:
    torch.manual_seed(0)
    return frozen_classifier(PooledNetwork())


def _maker() -> Inpainter:
    torch.manual_seed(0)
    generator, discriminator = Generator(32, 1, 4, 2).eval(), Discriminator(32, 1, 2).eval()
    return Inpainter(generator, discriminator, LatentSearch(num_variants=4, steps=1, num_candidates=0), RegionRule())


def _evidence() -> MetricInputs:
    """Rows of which every metric can measure some in each half; in the last nothing is annotated."""
    rng = torch.Generator().manual_seed(0)
    repeats = torch.rand(ROWS, 16, 16, generator=rng) + 0.5 * torch.rand(3, ROWS, 16, 16, generator=rng)
    regions = torch.stack([RegionRule().salient_region(maps) for maps in repeats])
    objects = torch.zeros(ROWS, 16, 16, dtype=torch.bool)
    objects[:4, 3:12, 5:14] = True
    return MetricInputs(
        noise_images(ROWS, 16),
        torch.arange(ROWS) % 3,
        repeats[0],
        regions[0],
        standard_errors=0.2 + 0.1 * torch.rand(ROWS, 16, 16, generator=rng),
        ground_truth=objects,
        repeats=repeats,
        repeated_regions=regions,
    )


def _measured(file: Path, rows: range) -> list[float]:
    """Returns the metric's value, and those of the rows of all processes."""
    metric, inputs, classifier = _metric(file), _evidence().rows(rows), _classifier()
    if isinstance(metric, MapMetric):
        metric.update(inputs)
    elif isinstance(metric, QueryMetric):
        metric.update(inputs, Engine(classifier, batch_size=8))
    else:
        metric.update(inputs, MetricContext(Rise(queries=16), classifier, Engine(classifier, batch_size=8), _maker()))
    with metric.sync_context():
        values = dim_zero_cat(metric.values).tolist()
    return [float(metric.compute()), *values]


def _process(rank: int, folder: str) -> None:
    """Takes half of the rows into each metric; runs in a process of its own."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    values = {file.stem: _measured(file, HALVES[rank]) for file in FILES}
    torch.distributed.destroy_process_group()
    torch.save(values, Path(folder) / f"{rank}.pt")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[float]]]:
    """What each of two processes says of each metric."""
    folder = tmp_path_factory.mktemp("distributed")
    torch.multiprocessing.spawn(_process, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.slow
def test_two_processes_say_what_one_says(file: Path, shared: list[dict[str, list[float]]]) -> None:
    alone = _measured(file, range(ROWS))
    assert len(alone) == 1 + ROWS
    assert not math.isnan(alone[0])
    for values in shared:
        assert values[file.stem] == pytest.approx(alone, rel=1e-6, nan_ok=True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_metric_says_what_it_is(file: Path) -> None:
    metric = _metric(file)
    assert metric.label
    assert metric.higher_is_better in (True, False, None)
    low, high = metric.bounds
    assert low <= _measured(file, range(ROWS))[0] <= high
    assert file.read_text().startswith("# ")
