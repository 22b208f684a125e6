"""Randomisation: methods that read the network and methods that don't, layers and their order, an untouched network."""

import copy
import math
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest
import torch
from conftest import FunctionClassifier, FunctionMethod, PooledNetwork, frozen_classifier, noise_images
from scipy.stats import spearmanr
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import MetricResult, SaliencyMaps
from overpaint.core.types import TargetSets
from overpaint.metrics.agreement import spearman
from overpaint.metrics.base import MetricContext, MetricInputs
from overpaint.metrics.randomisation import Randomisation, randomise
from overpaint.perturbation.engine import Engine, compute_maps
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.rise import Rise

IMAGES, TARGETS = noise_images(2, 32, 3), torch.tensor([[0, 3], [2, 1]])


@dataclass(frozen=True)
class Edges(SaliencyMethod):
    """A method that has never seen the classifier."""

    def __call__(self, classifier: Classifier, images: Tensor, targets: TargetSets) -> SaliencyMaps:
        maps = images[:, 0].diff(dim=1, prepend=images[:, 0, :1]).abs().repeat_interleave(targets.shape[1], 0)
        return SaliencyMaps(maps, None, torch.zeros_like(targets.flatten()))


def _measured(
    metric: Randomisation, method: SaliencyMethod, classifier: Classifier, images: Tensor, targets: Tensor
) -> list[MetricResult]:
    context = MetricContext(method, classifier, Engine(classifier, batch_size=32))
    maps = compute_maps(method, classifier, images, targets, context.engine).maps
    rows = images.repeat_interleave(targets.shape[1], 0)
    inputs = MetricInputs(rows, targets.flatten(), maps, torch.zeros_like(maps, dtype=torch.bool))
    return metric.measure(inputs, context)


def _all(stages: list[list[str]]) -> list[str]:
    return list(chain.from_iterable(stages))


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.mark.parametrize("order", ["cascading", "independent"])
def test_who_ignores_the_network_stays_and_who_reads_it_does_not(order: Any, network: NetworkClassifier) -> None:
    metric = Randomisation(order, stages=3)
    blind = _measured(metric, Edges(), network, IMAGES, TARGETS)
    reading = _measured(metric, Gradient("signed"), network, IMAGES, TARGETS)
    for row in blind:
        assert row.value == pytest.approx(1)
        assert row.curve is not None
        assert row.curve.tolist() == pytest.approx([1] * 4)
    assert all(row.value < 0.7 for row in reading)


def test_the_curve_is_the_similarity_to_the_maps_of_the_randomised_network(network: NetworkClassifier) -> None:
    for order in ("cascading", "independent"):
        metric = Randomisation(order, stages=4, seed=5)  # type: ignore[arg-type]
        found = _measured(metric, Rise(queries=60), network, IMAGES, TARGETS)
        stages = metric.stage_names(network)
        before = Rise(queries=60)(network, IMAGES, TARGETS).maps
        for stage in range(4):
            changed = copy.deepcopy(network)
            names = _all(stages[: stage + 1]) if order == "cascading" else stages[stage]
            randomise(changed.network, names, 5)
            after = Rise(queries=60)(changed, IMAGES, TARGETS).maps
            for row, measured in enumerate(found):
                assert measured.curve is not None
                expected = spearmanr(before[row].flatten(), after[row].flatten()).statistic
                assert float(measured.curve[stage + 1]) == pytest.approx(expected, abs=1e-4)
        for measured in found:
            assert measured.curve is not None
            assert measured.places is not None
            assert measured.value == pytest.approx(float(measured.curve[1:].abs().mean()))
            assert measured.places.tolist() == [0, *torch.tensor([len(s) for s in stages]).cumsum(0).tolist()]


def test_layers_come_from_the_output_in_groups_of_about_equal_number(network: NetworkClassifier) -> None:
    stages = Randomisation(stages=6).stage_names(network)
    names = _all(stages)
    assert names[0] == "head"
    assert names[-2:] == ["stem.1", "stem.0"]
    with_weights = {name.rpartition(".")[0] for name in network.network.state_dict()}
    assert set(names) == with_weights
    assert len(names) == len(with_weights)
    assert max(map(len, stages)) - min(map(len, stages)) <= 1
    assert len(stages) == 6
    assert Randomisation(stages=100).stage_names(network) == [[name] for name in names]


def test_the_users_network_is_untouched(network: NetworkClassifier) -> None:
    own = copy.deepcopy(network)
    own.network.head.weight.requires_grad_(True)  # type: ignore[union-attr]
    before, state = _weights(own), torch.get_rng_state()
    flags = [(m.training, len(m._forward_hooks), len(m._backward_hooks)) for m in own.modules()]
    gradients = [weight.requires_grad for weight in own.parameters()]
    with torch.no_grad():
        _measured(Randomisation(stages=2), Gradient(), own, IMAGES, TARGETS)
    after = own.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert [(m.training, len(m._forward_hooks), len(m._backward_hooks)) for m in own.modules()] == flags
    assert [weight.requires_grad for weight in own.parameters()] == gradients
    assert all(weight.grad is None for weight in own.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_random_weights_belong_to_the_seed_and_the_layer(network: NetworkClassifier) -> None:
    def weights(names: list[str], seed: int) -> dict[str, Tensor]:
        changed = copy.deepcopy(network.network)
        randomise(changed, names, seed)
        return _weights(changed)

    before, together, alone, other = (
        weights(names, seed) for names, seed in (([], 0), (["head", "stem.0"], 0), (["stem.0"], 0), (["stem.0"], 1))
    )
    assert torch.equal(together["stem.0.weight"], alone["stem.0.weight"])
    assert not torch.equal(before["stem.0.weight"], alone["stem.0.weight"])
    assert not torch.equal(other["stem.0.weight"], alone["stem.0.weight"])
    assert torch.equal(alone["head.weight"], before["head.weight"])
    assert not torch.equal(together["head.weight"], before["head.weight"])


def test_attention_is_a_layer_too() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.head = nn.Linear(4, 3)

        def forward(self, images: Tensor) -> Tensor:
            tokens = images.flatten(2).mT.repeat(1, 1, 4)
            return self.head(self.attention(tokens, tokens, tokens)[0].mean(1))

    classifier = frozen_classifier(Attending(), size=8)
    names = _all(Randomisation().stage_names(classifier))
    assert names == ["head", "attention.out_proj", "attention"]
    before = _weights(classifier.network)
    randomise(classifier.network, names, 0)
    after = classifier.network.state_dict()
    assert all(not torch.equal(after[name], value) for name, value in before.items() if name.endswith("weight"))


def test_similarity_is_spearmans_of_averaged_maps() -> None:
    maps, others = noise_images(3, 112, seed=1)[:, 0], noise_images(3, 112, seed=2)[:, 0]
    others[0] = maps[0] ** 3 + others[0] / 10
    others[1] = -maps[1]
    others[2] = 0.25

    def averaged(one: Tensor) -> Tensor:
        return one.reshape(56, 2, 56, 2).mean((1, 3)).flatten()

    found = spearman(maps, others)
    expected = spearmanr(averaged(maps[0]), averaged(others[0])).statistic
    assert found.tolist() == pytest.approx([expected, -1, 0], abs=1e-4)
    small = maps[:1, :9, :7]
    expected = spearmanr(small.flatten(), small.flip(1).flatten()).statistic
    assert spearman(small, small.flip(1)).tolist() == pytest.approx([expected], abs=1e-4)
    assert spearman(maps[:, 0], 2 * maps[:, 0]).tolist() == pytest.approx([1] * 3)


def test_a_map_that_becomes_flat_is_no_longer_alike_and_a_flat_one_tells_nothing(network: NetworkClassifier) -> None:
    def once(classifier: Classifier, images: Tensor, targets: TargetSets) -> SaliencyMaps:
        maps = images[:, 0] * (1.0 if classifier is network else 0.0) * targets.float()[:, :, None]
        return SaliencyMaps(maps, None, torch.zeros_like(targets.flatten()))

    found = _measured(Randomisation(stages=2), FunctionMethod(once), network, IMAGES, torch.tensor([[0], [2]]))
    assert math.isnan(found[0].value)
    assert found[1].value == 0
    assert found[1].curve is not None
    assert found[1].curve.tolist() == [1, 0, 0]


def test_a_classifier_without_layers_has_none() -> None:
    blind = FunctionClassifier(lambda images: images.mean((1, 2, 3)))
    pooled = frozen_classifier(nn.Sequential(nn.AvgPool2d(8), nn.Flatten()), size=8)
    pooled.class_names = ["0"]
    for classifier in (blind, pooled):
        metric = Randomisation()
        assert metric.stage_names(classifier) == []
        found = _measured(metric, Edges(), classifier, noise_images(2, 8), torch.tensor([[0], [0]]))
        assert [math.isnan(row.value) for row in found] == [True, True]


def test_a_network_that_can_not_be_copied_is_named() -> None:
    classifier = frozen_classifier(PooledNetwork())
    classifier.network.kept = torch.ones(1, requires_grad=True) * 2  # type: ignore[assignment]
    with pytest.raises(OverpaintError, match="randomisation: the network can't be copied"):
        _measured(Randomisation(), Edges(), classifier, noise_images(1, 16), torch.tensor([[1]]))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(OverpaintError, match="stages=0 must be at least 1"):
        Randomisation(stages=0)
