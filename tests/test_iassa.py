"""IASSA: its attention by closed forms, its rounds by a literal twin, planted evidence, features and their sources."""

from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import PATCH, SATURATED, blind, noise_images, planted, points_to_patch, weighing
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.configuration.parts import make_method
from overpaint.core.errors import OverpaintError
from overpaint.inpainting.region import is_flat
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.networks.gan import Gan
from overpaint.perturbation.attention import SHARPNESS, attention, colour_and_place, network_levels
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import UsesDiscriminator
from overpaint.saliency.iassa import Iassa

TARGET = torch.tensor([[1]])


def _hooks(network: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())


def test_attention_is_one_softmax_of_mean_cosines() -> None:
    rng = torch.Generator().manual_seed(0)
    levels = [F.normalize(torch.randn(c, 2, 3, generator=rng), dim=0) for c in (4, 7)]
    found = attention(levels, 0.2)
    cosines = torch.zeros(6, 6, dtype=torch.float64)
    for i, j in product(range(6), repeat=2):
        pairs = [(level.flatten(1)[:, i], level.flatten(1)[:, j]) for level in levels]
        cosines[i, j] = sum(float(F.cosine_similarity(a, b, dim=0)) for a, b in pairs) / 2
    torch.testing.assert_close(found, (cosines / 0.2).softmax(1), rtol=1e-5, atol=1e-7)


def test_attention_carries_saliency_to_alike_places_and_nowhere_else() -> None:
    """Two colours at opposite ends of the scale: half of the map's value goes to the places of the same colour."""
    image = torch.zeros(1, 8, 8)
    image[:, :, 4:] = 1
    colours = colour_and_place(image, (8, 8))[0]
    carried = attention([colours], 0.02) @ F.one_hot(torch.tensor(0), 64).double()
    expected = torch.zeros(8, 8, dtype=torch.float64)
    expected[:, :4] = 1 / 32
    torch.testing.assert_close(carried.reshape(8, 8), expected)


def test_colour_and_place_compares_by_difference_alone() -> None:
    colours, places = colour_and_place(torch.tensor([[[0.2, 0.6, 1.0]], [[0.2, 0.2, 0.2]]]), (1, 3))
    similar = (colours.flatten(1).T @ colours.flatten(1))[0]
    expected = SHARPNESS * (1 + torch.cos(torch.pi * torch.tensor([0, 0.4, 0.8]))) / 2
    torch.testing.assert_close(similar, expected)
    torch.testing.assert_close(places.square().sum(0), SHARPNESS * torch.ones(1, 3))


def test_a_network_gives_a_level_for_each_resolution_and_keeps_no_hook(network: NetworkClassifier) -> None:
    levels = network_levels(network.network, lambda: network.scores(noise_images(1, 32, 3)), (8, 8))
    shapes: dict[tuple[int, ...], Tensor] = {}
    handles = [
        m.register_forward_hook(lambda _m, _i, out: shapes.__setitem__(tuple(out.shape[2:]), out))
        for m in network.network.modules()
    ]
    network.scores(noise_images(1, 32, 3))
    for handle in handles:
        handle.remove()
    maps = [out for space, out in shapes.items() if len(space) == 2 and space != (1, 1)]
    assert len(levels) == len(maps) > 1
    for level, output in zip(levels, maps, strict=True):
        pooled = F.interpolate(output, (8, 8), mode="area")[0]
        expected = F.normalize(pooled - pooled.mean((1, 2), keepdim=True), dim=0)
        torch.testing.assert_close(level, expected)
    assert _hooks(network.network) == 0


def test_hooks_are_gone_also_if_the_network_fails(network: NetworkClassifier) -> None:
    with pytest.raises(OverpaintError, match="takes 3 channels"):
        Iassa().levels(network, torch.zeros(1, 32, 32))
    assert _hooks(network.network) == 0


class _Tokens(nn.Module):
    """Its outputs are tokens and a map whose channels come last, as in transformers."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.tokens = nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.tokens(self.last(images.movedim(1, -1)).flatten(1, 2)).mean(1)  # type: ignore[no-any-return]


def test_without_maps_colour_and_place_step_in() -> None:
    torch.manual_seed(0)
    classifier = NetworkClassifier(_Tokens(), ["a", "b"], 16, [0.5] * 3, [0.2] * 3).requires_grad_(False)
    image = torch.rand(3, 16, 16)
    for one, other in zip(Iassa().levels(classifier, image), colour_and_place(image, (16, 16)), strict=True):
        assert torch.equal(one, other)


def test_a_black_box_borrows_the_discriminators_layers() -> None:
    torch.manual_seed(0)
    judge = Discriminator(32, 1, base_channels=4).eval().requires_grad_(False)
    classifier, image = planted(lambda share: share), torch.rand(1, 40, 40)
    levels = Iassa(discriminator=judge).levels(classifier, image)
    assert [len(level) for level in levels] == [4, 8, 16]
    assert _hooks(judge) == 0
    with pytest.raises(OverpaintError, match="the discriminator takes 1 channels, not 3"):
        Iassa(discriminator=judge).levels(classifier, torch.rand(3, 40, 40))


def test_layers_inside_torchscript_are_not_seen() -> None:
    network = torch.jit.trace(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), torch.zeros(1, 1, 8, 8))
    assert network_levels(network, lambda: network(torch.zeros(1, 1, 8, 8)), (4, 4)) == []


def test_the_application_lends_the_discriminator(network: NetworkClassifier) -> None:
    section, judge = {"target": "overpaint.saliency.iassa.Iassa"}, Discriminator(32, 3, base_channels=4)
    gan = Gan(Generator(32, 3, 4, 2), judge)
    method = make_method("iassa", section, {"allow_import": []}, network, gan)
    assert isinstance(method, Iassa)
    assert method.discriminator is judge
    assert (
        len(method.levels(network, noise_images(1, 32, 3)[0])[0]) == 8
    )  # the classifier's own width, not the discriminator's
    section["target"] = "overpaint.saliency.occlusion.Occlusion"
    assert not isinstance(make_method("occlusion", section, {"allow_import": []}, network, gan), UsesDiscriminator)


def test_its_rounds_are_those_of_a_loop_over_windows(dimensions: int) -> None:
    """The literal twin: one window at a time, sums pixel by pixel."""
    size = (16,) * dimensions
    image = torch.rand(1, *size, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(size, generator=torch.Generator().manual_seed(1)) / 300
    weights[(slice(3, 7), slice(8, 13))[-dimensions:]] += 1 / 100
    classifier = weighing(weights)
    settings = Iassa(rounds=3, window=0.4, shrink=0.8, overlap=2)
    found = settings(classifier, image[None], TARGET)
    attend = attention(colour_and_place(image, size), 0.2)
    whole = float(classifier.scores(image[None])[0, 1])
    total, asked = torch.zeros(size), 1
    region = torch.ones(size, dtype=torch.bool)
    for side in (6, 5, 4):  # 6.4, 5.12, 4.096
        stride = round(side / 2)
        lost, over = torch.zeros(size), torch.zeros(size)
        for corner in product(range(stride - side, 16, stride), repeat=dimensions):
            window = tuple(slice(max(0, start), start + side) for start in corner)
            over[window] += 1
            if region[window].any():
                hidden = image.clone()
                hidden[0][window] = 0
                lost[window] += whole - float(classifier.scores(hidden[None])[0, 1])
                asked += 1
        total += lost / over / 3
        adjusted = 0.5 * total + 0.5 * (attend.float() @ total.flatten()).reshape(size)
        region = adjusted > adjusted.min() + 0.3 * (adjusted.max() - adjusted.min())
    torch.testing.assert_close(found.maps[0], adjusted, rtol=1e-4, atol=1e-6)
    assert found.queries.tolist() == [asked]
    assert asked < settings.max_queries(size, 1)


@pytest.mark.parametrize("shape", SATURATED)
def test_planted_evidence_is_found_also_where_the_score_is_saturated(
    shape: str, dimensions: int, white: Tensor
) -> None:
    found = Iassa()(planted(SATURATED[shape], dimensions), white, TARGET)
    assert points_to_patch(found.maps[0])
    least, most = {1: (40, 80), 2: (500, 1000)}[dimensions]
    assert least < int(found.queries[0]) < most
    assert found.standard_errors is None


def test_finer_rounds_narrow_the_map(dimensions: int, white: Tensor) -> None:
    classifier, shares = planted(lambda share: share, dimensions), []
    for rounds in (1, 4):
        found = Iassa(rounds=rounds)(classifier, white, TARGET).maps[0]
        shares.append(float(found[PATCH[-dimensions:]].sum() / found.sum()))
    assert shares[1] > 1.1 * shares[0]


def test_maps_are_the_same_to_the_bit_whatever_is_asked_beside_them(network: NetworkClassifier) -> None:
    images, targets, method = noise_images(2, 32, 3), torch.tensor([[0, 2], [1, 3]]), Iassa(rounds=3, overlap=2)
    together = method(network, images, targets)
    again = Engine(network, batch_size=40).run_methods({"": method}, images, targets)[""]
    assert torch.equal(again.maps, together.maps)
    for row, (i, j) in enumerate(product(range(2), repeat=2)):
        alone = method(network, images[i : i + 1], targets[i : i + 1, j : j + 1])
        assert torch.equal(alone.maps[0], together.maps[row])
        assert torch.equal(alone.queries[0], together.queries[row])


def test_a_place_that_disturbs_does_not_widen_the_region(dimensions: int, white: Tensor) -> None:
    weights = torch.zeros([32] * dimensions)
    weights[PATCH[-dimensions:]] = 0.3 / 8**dimensions
    weights[(slice(20, 28), slice(2, 10))[-dimensions:]] = -0.6 / 8**dimensions
    found = Iassa()(weighing(weights, 0.6), white, TARGET)
    alone = Iassa()(planted(lambda share: 0.3 * share, dimensions), white, TARGET)
    assert float(found.maps.min()) < -0.05
    assert int(found.queries[0]) <= int(alone.queries[0])


def test_targets_share_the_coarse_round(dimensions: int, white: Tensor) -> None:
    classifier = planted(lambda share: share, dimensions)
    method = Iassa(rounds=2)
    found = Engine(classifier, batch_size=1).run_methods({"": method}, white, torch.tensor([[1, 0]]))[""]
    coarse = 1 + 20**dimensions
    assert sum(classifier.rows) == int(found.queries.sum()) - coarse <= method.max_queries((32,) * dimensions, 2)
    assert int(found.queries[0]) != int(found.queries[1])


def test_a_classifier_that_sees_nothing_gets_a_map_of_zeros_from_coarse_windows(dimensions: int, white: Tensor) -> None:
    found = Iassa()(blind(dimensions), white, TARGET)
    assert not found.maps.any()
    assert is_flat(found.maps).tolist() == [True]
    assert found.queries.tolist() == [1 + 20**dimensions]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rounds": 0}, "Iassa.rounds=0 must be at least 1"),
        ({"window": 1.5}, r"Iassa.window=1.5 must lie in \(0, 1\]"),
        ({"threshold": 1.0}, r"threshold=1.0 must lie in \[0, 1\)"),
    ],
)
def test_settings_out_of_range_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(OverpaintError, match=message):
        Iassa(**settings)
