"""What a second run keeps of a first: maps, metrics and variants that still hold, and nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier
from torch import Tensor

from overpaint.core.results import Explanation, MetricResult
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.base import MapMetric, MetricInputs, QueryMetric
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import SegmentMasks
from overpaint.perturbation.tasks import QueryTask
from overpaint.pipeline.artifacts import map_artifact, metric_artifact
from overpaint.pipeline.cache import Cache, Wanted, read_result
from overpaint.pipeline.cached_row import CachedRow
from overpaint.pipeline.runner import Runner
from overpaint.pipeline.writer import ExplainedBatch, RowWriter
from overpaint.saliency.occlusion import Occlusion
from overpaint.saliency.rise import Rise

RISE, OCCLUSION = Rise(queries=32), Occlusion(window=8, stride=8)


class Peak(MapMetric):
    """The map's greatest value."""

    higher_is_better = True
    label: ClassVar[str] = "peak"

    def measure(self, inputs: MetricInputs) -> Tensor:
        return inputs.maps.flatten(1).amax(1)


class WholeScore(QueryMetric):
    """The score of the whole image and of nothing."""

    higher_is_better = True
    label: ClassVar[str] = "score"

    def query_task(self, inputs: MetricInputs, row: int, engine: Engine) -> QueryTask[MetricResult]:
        image = inputs.images[row]
        segments = torch.zeros(image.shape[1:], dtype=torch.long)

        def ask():
            scores = yield SegmentMasks(segments, torch.tensor([[1.0], [0.0]]))
            return MetricResult(float(scores[0, 0]), scores[:, 0].clone(), torch.tensor([1.0, 0.0]))

        return QueryTask(image, inputs.targets[row : row + 1], torch.zeros_like(image), ask(), 2)


def _maker() -> Inpainter:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator, discriminator = Generator(32, 1, 4, 2).eval(), Discriminator(32, 1, 2).eval()
    return Inpainter(generator, discriminator, LatentSearch(num_variants=3, steps=1, num_candidates=0), RegionRule())


def _stamps(methods: Sequence[str], metrics: Sequence[str], base: str = "base", seeds: int = 1) -> dict[str, str]:
    maps = {map_artifact(m, k): f"{base} {m} {k}" for m in methods for k in range(seeds)}
    return (
        {"base": base, "region": base, "variants": base}
        | maps
        | {metric_artifact(m, k): base for m in methods for k in metrics}
    )


class Run:
    """Explains one image as ``explain.py`` does, with what an earlier run left in the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.classifier = FunctionClassifier(lambda images: images[:, 0, 8:16, 8:16].mean((1, 2)))
        self.image = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))

    def draw(self, *_: object) -> dict[str, bytes]:
        return {}

    def __call__(self, methods: dict, metrics: dict, stamps: dict[str, str], seeds: int = 1) -> Explanation:
        seeded = [(name, k) for name, m in methods.items() for k in range(seeds if m is RISE else 1)]
        pairs = [(method, metric) for method in methods for metric in metrics]
        cache = Cache(self.folder, {"a": stamps}, Wanted(seeded, pairs, []))
        self.known: CachedRow = cache.read("a", None)
        self.classifier.rows.clear()
        engine = Engine(self.classifier, batch_size=8)
        runner = Runner(self.classifier, methods, engine, RegionRule(), _maker(), metrics, seeds=seeds)
        found = runner.run(self.image, torch.tensor([[1]]), cached=[self.known])
        self.queries = sum(self.classifier.rows)
        writer = RowWriter(self.folder, ["other", "wanted"], self.draw, {"a": stamps})
        writer.write(ExplainedBatch(["a"], [None], [0], found))
        return found


def _same(one: Explanation, other: Explanation) -> None:
    for name, maps in one.saliency.items():
        torch.testing.assert_close(other.saliency[name].maps, maps.maps, rtol=0, atol=0)
        torch.testing.assert_close(other.saliency[name].standard_errors, maps.standard_errors, rtol=0, atol=0)
        assert torch.equal(other.saliency[name].queries, maps.queries)
    assert one.variants is not None
    assert other.variants is not None
    for name in vars(one.variants):
        torch.testing.assert_close(getattr(other.variants, name), getattr(one.variants, name), equal_nan=True)


def test_the_same_question_asks_nothing_again(tmp_path: Path) -> None:
    run, methods, metrics = (
        Run(tmp_path),
        {"rise": RISE, "occlusion": OCCLUSION},
        {"peak": Peak(), "score": WholeScore()},
    )
    stamps = _stamps(methods, metrics)
    first = run(methods, metrics, stamps)
    assert run.queries > 32
    again = run(methods, metrics, stamps)
    assert run.queries == 1  # the scores that are shown
    _same(first, again)
    for method in methods:
        for name in metrics:
            one, two = first.metric_results[method][name][0], again.metric_results[method][name][0]
            assert two.value == pytest.approx(one.value)
            if one.curve is not None:
                assert two.curve is not None
                torch.testing.assert_close(two.curve, one.curve)
                torch.testing.assert_close(two.places, one.places)


def test_a_metric_is_added_without_a_new_map(tmp_path: Path) -> None:
    run, methods = Run(tmp_path), {"rise": RISE}
    first = run(methods, {"peak": Peak()}, _stamps(methods, ["peak"]))
    more = run(methods, {"peak": Peak(), "score": WholeScore()}, _stamps(methods, ["peak", "score"]))
    assert run.queries == 8 + 1  # one pass for the metric
    _same(first, more)
    assert more.metric_results["rise"]["peak"][0].value == float(first.saliency["rise"].maps.max())


def test_a_method_is_added_and_the_others_stay(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run({"rise": RISE}, {"peak": Peak()}, _stamps(["rise"], ["peak"]))
    run({"occlusion": OCCLUSION}, {"peak": Peak()}, _stamps(["occlusion"], ["peak"]))
    assert set(run.known.maps) == set()
    both = run({"rise": RISE, "occlusion": OCCLUSION}, {"peak": Peak()}, _stamps(["rise", "occlusion"], ["peak"]))
    assert set(run.known.maps) == {("rise", 0), ("occlusion", 0)}
    assert run.queries == 1
    assert set(both.metric_results) == {"rise", "occlusion"}


def test_what_is_outdated_is_made_anew_and_another_question_forgets_all(tmp_path: Path) -> None:
    run, methods = Run(tmp_path), {"rise": RISE, "occlusion": OCCLUSION}
    stamps = _stamps(methods, ["peak"])
    run(methods, {"peak": Peak()}, stamps)
    run(methods, {"peak": Peak()}, stamps | {"map_rise": "other settings"})
    assert set(run.known.maps) == {("occlusion", 0)}
    run({"rise": RISE}, {"peak": Peak()}, _stamps(["rise"], ["peak"], base="another classifier"))
    assert run.known.maps == {}
    assert set(read_result(tmp_path / "a")["methods"]) == {"rise"}


def test_further_seeds_are_kept_too(tmp_path: Path) -> None:
    run, methods = Run(tmp_path), {"rise": RISE, "occlusion": OCCLUSION}
    two = run(methods, {}, _stamps(methods, [], seeds=2), seeds=2)
    assert set(two.repeats) == {("rise", 1)}
    assert not torch.equal(two.repeats["rise", 1].maps, two.saliency["rise"].maps)
    three = run(methods, {}, _stamps(methods, [], seeds=3), seeds=3)
    assert set(run.known.maps) == {("rise", 0), ("rise", 1), ("occlusion", 0)}
    assert run.queries == 32 + 1
    np.testing.assert_array_equal(two.repeats["rise", 1].maps, three.repeats["rise", 1].maps)
