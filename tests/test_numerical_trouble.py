"""Numerical trouble of every kind ends in a stated result, and leaves the images beside it as they are alone.

The classifiers are planted: image 0 (two white corners) meets trouble, image 1 (two black corners) does not.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from overpaint.classifiers.loading import open_classifier, wrap_network
from overpaint.classifiers.network import NetworkClassifier, classifier_from_settings
from overpaint.classifiers.options import ClassifierOptions
from overpaint.classifiers.output import Output
from overpaint.configuration.named import named_parts
from overpaint.core.checks import check_finite
from overpaint.core.errors import NumericalError, OverpaintError
from overpaint.core.names import row_folder
from overpaint.core.protocols import SaliencyMethod
from overpaint.core.results import Explanation, ProbeResult
from overpaint.core.types import Batch
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.painted import try_generator
from overpaint.inpainting.region import RegionRule, is_flat
from overpaint.metrics.base import SaliencyMetric
from overpaint.networks.checkpoint import FORMAT_KEY
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.networks.gan import WrappedGenerator
from overpaint.perturbation.batching import Precision
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.cache import read_result
from overpaint.pipeline.lightning import ExplainerModule, PredictionWriter
from overpaint.pipeline.runner import Runner
from overpaint.pipeline.writer import ExplainedBatch, RowWriter
from overpaint.probes.base import Probe, ProbeInputs
from overpaint.report.html.page import write_page
from overpaint.report.image_plots import image_plots
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.tables.summary import summarise_run, write_tables
from overpaint.saliency.center import Center
from overpaint.saliency.random import Random
from overpaint.saliency.rise import Rise

pytestmark = pytest.mark.filterwarnings("ignore::overpaint.core.errors.OverpaintWarning")

SIDE, CORNER = 16, 4


@dataclass
class Switch:
    """Whether the classifier fails on image 0 as it is, too."""

    is_on: bool = False


class Planted(nn.Module):
    """A small network; image 0's score is ``value`` where its corners are seen in part, or its gradient is NaN."""

    def __init__(self, value: float = math.nan, fails: str = "changed", switch: Switch | None = None) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.features = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU())
            self.head = nn.Linear(4, 3)
        self.value, self.fails, self.switch = value, fails, switch or Switch()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(4 * self.features(images).mean((2, 3)))
        corners = torch.stack([images[:, 0, 0, 0], images[:, 0, -1, -1]])
        most, least = corners.amax(0), corners.amin(0)
        if self.fails == "gradient":
            inner = (most < 0.9).to(images) + 0 * images.flatten(1).sum(1)
            return logits + 0 * inner.sqrt()[:, None]
        if self.fails == "always":
            return 0 * logits + self.value
        fails = {
            "changed": (most > 0.2) & ((least < 0.95) | self.switch.is_on),
            "unchanged": least > 0.95,
            "nowhere": torch.zeros_like(most, dtype=torch.bool),
        }[self.fails]
        return torch.where(fails[:, None], torch.full_like(logits, self.value), logits)


def _classifier(network: nn.Module, output: Output = "logits", dtype: torch.dtype = torch.float32) -> NetworkClassifier:
    classifier = NetworkClassifier(network, list("abc"), SIDE, [0.0], None, output)
    return classifier.eval().requires_grad_(False).to(dtype)


def _images() -> Tensor:
    images = torch.rand(2, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    for corner in (slice(CORNER), slice(-CORNER, None)):
        images[0, :, corner, corner], images[1, :, corner, corner] = 1, 0
    return images


@cache
def _parts(group: str, folder: str, kind: type[Any]) -> dict[str, Any]:
    return named_parts("all", group, folder, kind, seed=0)


FEW = {"queries": 64, "chains": 8, "rounds": 1, "samples": 2, "cells": 4, "window": 0.5, "stride": 0.25}


def _method(name: str) -> SaliencyMethod:
    """A method with few queries."""
    method: Any = _parts("methods", "saliency", SaliencyMethod)[name]
    few: dict[str, Any] = {key: value for key, value in FEW.items() if getattr(method, key, None) is not None}
    if name == "mask_estimation":
        few["window"] = 32
    if "grad_cam" in name:
        few["layer"] = "features.0"  # finding one asks about an image of noise
    return replace(method, **few)


METHODS = sorted(_parts("methods", "saliency", SaliencyMethod))
METRICS = sorted(_parts("metrics", "metrics", SaliencyMetric))
PROBES = sorted(_parts("probes", "probes", Probe))
PRECISIONS: Sequence[Precision] = ("float32", "bfloat16")


def _inpainter(**search: Any) -> Inpainter:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator, discriminator = Generator(SIDE, 1, 4, 2).eval(), Discriminator(SIDE, 1, 2).eval()
    settings = {"num_variants": 4, "steps": 3, "num_candidates": 8, "batch_size": 8} | search
    return Inpainter(generator, discriminator, LatentSearch(**settings), RegionRule())


def _explained(
    network: nn.Module,
    methods: dict[str, SaliencyMethod],
    images: Tensor | None = None,
    precision: Precision = "float32",
    output: Output = "logits",
    **parts: Any,
) -> Explanation:
    classifier = _classifier(network, output)
    parts = {"region_rule": RegionRule(fills=["mean"])} | parts
    runner = Runner(classifier, methods, Engine(classifier, 16, precision), **parts)
    images = _images() if images is None else images
    return runner.run(images, torch.zeros(len(images), 1, dtype=torch.long))


def _same(whole: Explanation, alone: Explanation) -> bool:
    """Whether row 1 of two images is what it is alone, NaN to NaN, bit for bit."""
    maps = all(torch.equal(own.maps[1], alone.saliency[name].maps[0]) for name, own in whole.saliency.items())
    values = [
        torch.tensor([found.value for name in own for found in own[name][row : row + 1]])
        for result, row in ((whole, 1), (alone, 0))
        for own in result.metric_results.values()
    ]
    pairs = zip(values[: len(values) // 2], values[len(values) // 2 :], strict=True)
    return maps and all(torch.equal(one.nan_to_num(-7), other.nan_to_num(-7)) for one, other in pairs)


TROUBLES = {
    "NaN": partial(Planted, math.nan),
    "infinity": partial(Planted, math.inf),
    "NaN gradient": partial(Planted, fails="gradient"),
}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("name", METHODS)
def test_a_map_is_finite_or_the_row_says_why_not(name: str, trouble: str, precision: Precision) -> None:
    methods = {name: _method(name)}
    found = _explained(TROUBLES[trouble](), methods, precision=precision)
    for maps, texts in zip(found.saliency[name].maps, found.troubles, strict=True):
        assert bool(maps.isfinite().all()) == (not texts)
        assert all(text.startswith(f"map of {name}: ") for text in texts)
    assert not found.troubles[1]
    if trouble != "NaN gradient" and name in ("rise", "lime", "surrogate", "mask_estimation", "iassa", "occlusion"):
        shown = "NaN" if trouble == "NaN" else "infinity"
        assert f"the classifier gave a score that is not a finite number ({shown}) for" in found.troubles[0][0]
        assert bool(found.flat[name][0])
    if trouble == "NaN gradient" and name in ("gradient", "smooth_grad", "integrated_gradients", "input_x_gradient"):
        assert "values are not finite numbers" in found.troubles[0][0]
    assert _same(found, _explained(TROUBLES[trouble](), methods, _images()[1:], precision))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("name", METHODS)
def test_scores_that_are_all_alike_make_no_number_that_is_not_finite(
    name: str, value: float, precision: Precision
) -> None:
    network = Planted(value, "always")
    found = _explained(network, {name: _method(name)}, precision=precision, output="multilabel_probabilities")
    for maps, texts in zip(found.saliency[name].maps, found.troubles, strict=True):
        assert bool(maps.isfinite().all()) == (not texts)
    asked = not _method(name).is_control
    assert not asked or bool((found.flat[name] | (found.saliency[name].maps.flatten(1).abs().amax(1) < 1e-3)).all())


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", METHODS)
def test_a_constant_image_is_explained(name: str, value: float) -> None:
    images = torch.full((1, 1, SIDE, SIDE), value)
    found = _explained(Planted(fails="nowhere"), {name: _method(name)}, images, metrics=_quick_metrics())
    assert not found.troubles[0]
    assert bool(found.saliency[name].maps.isfinite().all())


def _quick_metrics() -> dict[str, SaliencyMetric]:
    return {name: _metric(name) for name in METRICS if "randomisation" not in name and name != "sensitivity_max"}


def _metric(name: str) -> SaliencyMetric:
    metric = _parts("metrics", "metrics", SaliencyMetric)[name]
    for key, value in {"samples": 16, "stages": 2, "num_variants": 2, "step": 0.25, "budgets": [64]}.items():
        if hasattr(metric, key):
            setattr(metric, key, value)
    return metric  # type: ignore[no-any-return]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_nan_where_it_met_trouble_and_the_row_says_so(
    name: str, value: float, precision: Precision
) -> None:
    parts: dict[str, Any] = {"metrics": {name: _metric(name)}, "inpainter": _inpainter()}
    found = _explained(Planted(value), {"random": Random()}, precision=precision, **parts)
    own = found.metric_results["random"][name]
    for result, texts in zip(own, found.troubles, strict=True):
        mine = [text for text in texts if text.startswith(f"{name} of random: ")]
        assert not math.isinf(result.value)
        assert not mine or math.isnan(result.value)
    if name not in ("road", "retention"):  # these put something else than black into the corners of image 1
        assert not [text for text in found.troubles[1] if text.startswith(name)]
    if name in ("insertion", "deletion", "average_drop", "increase"):
        assert f"{name} of random: the classifier gave a score" in " ".join(found.troubles[0])


@dataclass(frozen=True)
class Failing(Probe):
    """A probe that finds the classifier failing on image 0."""

    probe: Probe
    switch: Switch

    def __call__(self, inputs: ProbeInputs) -> Sequence[ProbeResult]:
        self.switch.is_on = True
        try:
            return self.probe(inputs)
        finally:
            self.switch.is_on = False


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_has_no_result_where_it_met_trouble_and_the_row_says_so(name: str) -> None:
    probe = _parts("probes", "probes", Probe)[name]
    switch = Switch()
    network = Planted(switch=switch)
    parts = {"oracle": _classifier(Planted(fails="nowhere")), "inpainter": _inpainter()}
    found = _explained(network, {"center": Center()}, probes={name: Failing(probe, switch)}, **parts)
    first, second = found.probe_results[name]
    if name != "controls":  # it asks about the generator's samples as they are, too
        assert not found.troubles[1]
        assert second.numbers
    if name in ("oracle", "stability"):  # they do not ask the classifier
        assert not found.troubles[0]
        return
    assert not first.numbers
    said = f"{name}: the classifier gave a score that is not a finite number (NaN) for "
    assert [text[: len(said)] for text in found.troubles[0]] == [said]
    alone = _explained(network, {"center": Center()}, _images()[1:], probes={name: Failing(probe, switch)}, **parts)
    assert {k: v for k, v in second.numbers.items() if v == v} == {
        k: v for k, v in alone.probe_results[name][0].numbers.items() if v == v
    }


class Painter(Generator):
    """A DCGAN's generator whose images are replaced."""

    def __init__(self, value: float, share: float = 1.0) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            super().__init__(SIDE, 1, 4, 2)
        self.value, self.share = value, share
        self.eval()

    def forward(self, latents: Tensor) -> Tensor:
        images = super().forward(latents)
        replaced = latents.norm(dim=1) < 2.0 if self.share < 1 else torch.ones(len(latents), dtype=torch.bool)
        return torch.where(replaced[:, None, None, None], torch.full_like(images, self.value), images)


def test_a_generator_that_can_not_be_searched_is_refused_at_once() -> None:
    with pytest.raises(OverpaintError, match=r"^generator=x is broken: it painted values that are not finite numbers"):
        try_generator(Painter(math.nan), "generator=x")
    with pytest.raises(OverpaintError, match=r"^generator=x is broken: it painted the same image from 8 random latent"):
        try_generator(Painter(0.3), "generator=x")
    with pytest.raises(OverpaintError, match="the generator is broken: it painted values that are not finite numbers"):
        WrappedGenerator(Painter(math.nan), 4)
    try_generator(_inpainter().generator, "generator=x")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_a_generator_paints_is_not_blamed_on_the_classifier(value: float) -> None:
    inpainter = replace(_inpainter(), generator=Painter(value))
    rule = RegionRule(method="decisive", fills=["sample", "mean"], draws=1)
    found = _explained(Planted(fails="nowhere"), {"center": Center()}, inpainter=inpainter, region_rule=rule)
    shown = "NaN" if math.isnan(value) else "infinity"
    said = f"the generator painted a value that is not a finite number ({shown}) for"
    for texts in found.troubles:
        assert [text.partition(":")[0] for text in texts] == ["region", "variants"]
        assert all(said in text for text in texts)
    assert found.variants is not None
    assert found.variants.acceptance_rates.isnan().all()
    assert not found.variants.accepted.any()
    torch.testing.assert_close(found.variants.images[:, 0], _images(), rtol=0, atol=0)


class BrokenDiscriminator(Discriminator):
    """Gives infinity."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images) * math.inf


def test_a_discriminator_is_blamed_for_its_own_numbers() -> None:
    inpainter = replace(_inpainter(), discriminator=BrokenDiscriminator(SIDE, 1, 2).eval())
    found = _explained(Planted(fails="nowhere"), {"center": Center()}, inpainter=inpainter)
    assert all("variants: the discriminator gave a score that is not a finite number" in t[0] for t in found.troubles)


class Kinked(Generator):
    """A generator whose gradients are NaN, though what it paints is not."""

    def __init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            super().__init__(SIDE, 1, 4, 2)
        self.eval()

    def forward(self, latents: Tensor) -> Tensor:
        return super().forward(latents) + (0 * latents).sum(1).sqrt()[:, None, None, None]


@pytest.mark.parametrize("recipe", ["lbfgs", "adam", "authors"])
def test_a_search_that_diverges_is_not_counted_as_searched(recipe: Any) -> None:
    inpainter = _inpainter(recipe=recipe)
    found = _explained(Planted(fails="nowhere"), {"center": Center()}, inpainter=replace(inpainter, generator=Kinked()))
    assert found.variants is not None
    assert not found.variants.improved.any()
    assert found.variants.images.isfinite().all()
    for texts in found.troubles:
        assert texts[0].startswith("variants: the search diverged or stood still: none of its ")
    fine = _explained(Planted(fails="nowhere"), {"center": Center()}, inpainter=inpainter)
    assert fine.variants is not None
    assert fine.variants.improved.any(1).all()
    assert not any(fine.troubles)


def test_variants_that_break_the_classifier_count_nowhere() -> None:
    everywhere = RegionRule(fraction=1.0, fills=["mean"])
    inpainter = replace(_inpainter(), rule=everywhere)
    found = _explained(Planted(), {"center": Center()}, inpainter=inpainter, region_rule=everywhere)
    assert found.variants is not None
    assert all(text.startswith("variants: the classifier gave a score") for texts in found.troubles for text in texts)
    broken = [row for row, texts in enumerate(found.troubles) if texts]
    assert broken
    for row in broken:
        assert not found.variants.accepted[row].any()
        assert found.variants.duplicate[row].all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_classifier_that_is_broken_for_every_image_is_refused_when_it_is_opened(
    value: float, dtype: torch.dtype
) -> None:
    for output in ("auto", "logits", "sigmoid"):
        options = ClassifierOptions(source="net.pt", image_size=SIDE, channels=1, output=output)
        with pytest.raises(OverpaintError, match=r"the classifier is broken, .*\((NaN|infinity)\) for \d of \d images"):
            wrap_network(Planted(value, "always").eval().to(dtype), options)


def test_a_classifier_that_fails_on_a_constant_image_alone_is_opened() -> None:
    options = ClassifierOptions(source="net.pt", image_size=SIDE, channels=1)
    network = nn.Sequential(Standardising(), Planted(fails="nowhere")).eval()
    classifier = wrap_network(network, options)
    assert classifier.scores(_images()).isfinite().all()
    with pytest.raises(NumericalError, match=r"the classifier gave a score .* \(NaN\) for 1 of 1 images"):
        classifier.scores(torch.zeros(1, 1, SIDE, SIDE))


class Standardising(nn.Module):
    """Standardises each image, which a constant one does not survive."""

    def forward(self, images: Tensor) -> Tensor:
        return (images - images.mean((1, 2, 3), keepdim=True)) / images.std((1, 2, 3), keepdim=True)


def test_a_checkpoint_of_broken_weights_is_refused(tmp_path: Path) -> None:
    settings = {"architecture": "residual", "class_names": ["a", "b"], "image_size": 16, "mean": [0.5], "std": [0.5]}
    tensors = {f"classifier.{key}": value for key, value in classifier_from_settings(settings).state_dict().items()}
    options = ClassifierOptions(source=str(tmp_path / "classifier.ckpt"))
    content = {FORMAT_KEY: {"kind": "classifier", "settings": settings}, "state_dict": tensors}
    torch.save(content, tmp_path / "classifier.ckpt")
    open_classifier(options)
    tensors["classifier.network.head.weight"] += math.nan
    torch.save(content, tmp_path / "classifier.ckpt")
    with pytest.raises(OverpaintError, match="the classifier is broken, its weights or its input transform"):
        open_classifier(options)


def test_an_image_without_scores_is_refused_and_the_others_are_explained(tmp_path: Path) -> None:
    classifier = _classifier(Planted(fails="unchanged"))
    runner = Runner(classifier, {"center": Center()}, Engine(classifier, 16))
    module = ExplainerModule(runner, "predicted")
    names = ["no/scores", "fine"]
    found = module.predict_step(Batch(_images(), torch.tensor([-1, -1]), names))
    assert found.refused == {"no/scores": "the classifier gave a score that is not a finite number (NaN)"}
    assert found.explained is not None
    assert found.explained.images == ["fine"]
    refused: dict[str, str] = {}
    written: list[str] = []
    rows = RowWriter(tmp_path, list("abc"), lambda *_: {})
    writer = PredictionWriter(rows, lambda images, _: written.extend(images), refused.update)
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    writer.on_predict_batch_end(trainer, module, found)
    assert refused == found.refused
    assert written == ["fine"]
    assert (tmp_path / "fine" / "result.json").is_file()
    assert module.predict_step(Batch(_images()[:1], torch.tensor([-1]), names[:1])).explained is None
    with pytest.raises(NumericalError, match="the classifier gave a score"):
        runner.run(_images(), torch.zeros(2, 1, dtype=torch.long))


def test_trouble_is_said_in_every_file_of_a_run(tmp_path: Path) -> None:
    methods: dict[str, SaliencyMethod] = {"rise": Rise(queries=64, cells=4), "center": Center()}
    metrics = {"deletion": _metric("deletion")}
    found = _explained(Planted(), methods, metrics=metrics, inpainter=_inpainter())
    folder = tmp_path / "run" / "explain"
    names = list("abc")
    draw = partial(image_plots, metrics=metrics, class_names=names)
    RowWriter(folder, names, draw).write(ExplainedBatch(["one", "two"], [None, None], [-1, -1], found))
    folders = [folder / row_folder(name, None) for name in ("one", "two")]
    trouble = read_result(folders[0])["trouble"]
    assert trouble.startswith("map of rise: the classifier gave a score that is not a finite number (NaN) for ")
    assert "; deletion of rise: the classifier gave" in trouble
    assert "trouble" not in read_result(folders[1])
    board = Scoreboard(folders, methods, metrics)
    summary = summarise_run(board, [], {})
    assert summary["troubled_images"] == 1
    write_tables(folder, board, summary, [])
    assert trouble in (folder / "results.csv").read_text()
    page = write_page(folder, board, [], json.loads((folder / "summary.json").read_text()), {}, "a command").read_text()
    assert trouble in page
    assert "1 of the images met numerical trouble" in page
    assert page.index('id="image-1"') < page.index('id="image-2"')


def test_what_is_not_finite_is_counted_by_image() -> None:
    values = torch.zeros(3, 2, 2)
    check_finite(values, "x gave a number")
    values[0, 1, 1], values[2, 0, 0] = -math.inf, math.nan
    with pytest.raises(NumericalError, match=r"^x gave a number that is not a finite number \(-infinity\) for 2 of 3"):
        check_finite(values, "x gave a number")
    assert is_flat(values).tolist() == [True, True, True]
