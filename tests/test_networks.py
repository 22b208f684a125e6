"""The networks, their checkpoints, and the classifier around a network."""

import inspect
import json
import math
import os
import pickle
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier, classifier_from_settings, load_classifier
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier
from overpaint.networks.checkpoint import FORMAT_KEY, load_generator, read_checkpoint
from overpaint.networks.dcgan import Discriminator, Generator, initialise_normal
from overpaint.networks.pyramid import fitted, start_and_doublings, widths
from overpaint.networks.residual import RepeatGrey, ResidualBlock, ResidualNetwork, build_classifier_network


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("size", [32, 64, 128, 224])
@torch.no_grad()
def test_generator_and_discriminator_fit_each_other(size: int, channels: int) -> None:
    generator = Generator(size, channels, latent_dim=5, base_channels=2)
    discriminator = Discriminator(size, channels, base_channels=2)
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, channels, size, size)
    assert float(images.min()) >= 0
    assert float(images.max()) <= 1
    assert discriminator(images).shape == (3,)


def test_generator_reaches_both_ends_of_its_range() -> None:
    generator = Generator(32, 1, 5, 2)
    last = generator.layers[-2]
    assert isinstance(last, nn.ConvTranspose2d)
    with torch.no_grad():
        last.weight.mul_(1000)
        images = generator(torch.randn(4, 5))
    assert float(images.min()) == 0
    assert float(images.max()) == 1


@torch.no_grad()
def test_discriminator_sees_images_from_minus_one_to_one() -> None:
    discriminator, images = Discriminator(32, 3, 2), torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(discriminator(images), discriminator.layers(2 * images - 1).flatten())
    assert not torch.allclose(discriminator(images), discriminator.layers(images).flatten(), atol=1e-4)


def test_channels_double_towards_the_latent() -> None:
    convolutions = [m for m in Generator(64, 3, 5, 2).modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [(5, 16), (16, 8), (8, 4), (4, 2), (2, 3)]
    convolutions = [m for m in Discriminator(64, 3, 2).modules() if isinstance(m, nn.Conv2d)]  # type: ignore[misc]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [(3, 2), (2, 4), (4, 8), (8, 16), (16, 1)]


@pytest.mark.parametrize(
    ("size", "start", "doublings"),
    [
        *[((32, 32), (4, 4), 3), ((64, 64), (4, 4), 4), ((128, 128), (4, 4), 5), ((224, 224), (7, 7), 5)],
        *[((96, 160), (6, 10), 4), ((16, 64), (4, 16), 2), ((28, 28), (7, 7), 2)],
    ],
)
@torch.no_grad()
def test_sizes_start_small(size: tuple[int, int], start: tuple[int, int], doublings: int) -> None:
    assert start_and_doublings(size) == (start, doublings)
    generator, discriminator = Generator(size, 1, 5, 1), Discriminator(size, 1, 1)
    first, last = generator.layers[0], discriminator.layers[-1]
    assert isinstance(first, nn.ConvTranspose2d)
    assert isinstance(last, nn.Conv2d)
    assert first.kernel_size == last.kernel_size == start
    assert generator.output_size == discriminator.input_size == size
    images = generator(torch.randn(2, 5))
    assert images.shape == (2, 1, *size)
    assert discriminator(images).shape == (2,)


@pytest.mark.parametrize(
    ("size", "near"),
    [
        (50, "48 and 52"),
        (8, "16 and 32"),
        (100, "96 and 104"),
        (1000, "960 and 1024"),
        ([96, 161], r"\[96, 160\] and \[96, 176\]"),
        ([256, 32], r"\[128, 32\] and \[256, 64\]"),
    ],
)
def test_a_size_that_is_none_names_its_neighbours(size: int | list[int], near: str) -> None:
    with pytest.raises(OverpaintError, match=rf"is not a size of this DCGAN.*; near are {near}$") as caught:
        Generator(size)
    for word in re.findall(r"\d+(?=$| and)|\[.*?\]", str(caught.value).partition("near are ")[2]):
        Generator(json.loads(word), base_channels=1, latent_dim=1)


@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_another_size_is_refused(network: Any) -> None:
    with pytest.raises(OverpaintError, match=r"image_size=50 is not a size of this DCGAN.*; near are 48 and 52"):
        network(50)


def test_unknown_kinds_are_refused() -> None:
    # Without the tests' type checker, which would be the first to refuse them.
    with pytest.raises(OverpaintError, match="latent_distribution='cauchy' is neither"):
        inspect.unwrap(Generator.__init__)(Generator.__new__(Generator), latent_distribution="cauchy")
    with pytest.raises(OverpaintError, match="normalisation='layer' is not one of"):
        inspect.unwrap(Discriminator.__init__)(Discriminator.__new__(Discriminator), normalisation="layer")


@pytest.mark.parametrize(("normalisation", "layers"), [("none", 0), ("batch", 2), ("spectral", 0)])
def test_normalisation_of_the_discriminator(normalisation: Any, layers: int) -> None:
    discriminator = Discriminator(32, 1, 4, normalisation)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in discriminator.modules()) == layers
    images = torch.rand(4, 1, 32, 32)
    with torch.no_grad():
        for _ in range(30):  # training steps of the power iteration
            discriminator(images)
        convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
        norms = [float(torch.linalg.matrix_norm(c.weight.flatten(1), 2)) for c in convolutions]
        if normalisation == "spectral":
            assert norms == pytest.approx([1] * 4, abs=1e-2)
        else:
            assert min(abs(n - 1) for n in norms) > 1e-2
        together = discriminator(images)
        alone = torch.cat([discriminator(image[None]) for image in images])
        assert torch.allclose(together, alone, atol=1e-5) == (normalisation != "batch")


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_latents_have_the_distribution_that_was_asked_for(distribution: Any) -> None:
    generator = Generator(32, 1, 50, 1, distribution)
    latents = generator.sample_latents(2000, torch.Generator().manual_seed(3))
    assert latents.shape == (2000, 50)
    variance, fourth = (1, 3) if distribution == "normal" else (1 / 3, 1 / 5)
    # Five standard errors of 100 000 draws.
    assert float(latents.mean()) == pytest.approx(0, abs=5 * (variance / 1e5) ** 0.5)
    assert float(latents.square().mean()) == pytest.approx(variance, abs=5 * ((fourth - variance**2) / 1e5) ** 0.5)
    assert (float(latents.abs().max()) <= 1) == (distribution == "uniform")
    again = generator.sample_latents(2000, torch.Generator().manual_seed(3))
    assert torch.equal(latents, again)


def test_the_way_between_normal_latents_is_an_arc() -> None:
    generator = Generator(latent_dim=64)
    start, end = generator.sample_latents(10, torch.Generator().manual_seed(0)).chunk(2)
    way = generator.interpolate_latents(start, end, 5)
    assert way.shape == (5, 5, 64)
    torch.testing.assert_close(way[0], start)
    torch.testing.assert_close(way[-1], end)
    angles = torch.stack([torch.cosine_similarity(a, b).acos() for a, b in pairwise(way)])
    unit = generator.interpolate_latents(start / start.norm(dim=1)[:, None], end / end.norm(dim=1)[:, None], 5)
    torch.testing.assert_close(unit.norm(dim=2), torch.ones(5, 5))
    torch.testing.assert_close(
        torch.stack([torch.cosine_similarity(a, b).acos() for a, b in pairwise(unit)]),
        (torch.cosine_similarity(start, end).acos() / 4).expand(4, -1),
    )
    assert bool((angles > 0).all())
    # A quarter of a circle by hand: its middle is at 45 degrees.
    middle = generator.interpolate_latents(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 3)[1, 0]
    assert middle.tolist() == pytest.approx([math.sqrt(0.5)] * 2)


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_latents_of_one_or_opposite_directions_have_a_straight_way(factor: float) -> None:
    generator = Generator(latent_dim=8)
    start = generator.sample_latents(3, torch.Generator().manual_seed(0))
    way = generator.interpolate_latents(start, factor * start, 3)
    torch.testing.assert_close(way[1], (1 + factor) / 2 * start)


def test_the_way_between_uniform_latents_is_straight() -> None:
    generator = Generator(latent_dim=8, latent_distribution="uniform")
    start, end = generator.sample_latents(6, torch.Generator().manual_seed(0)).chunk(2)
    torch.testing.assert_close(generator.interpolate_latents(start, end, 3)[1], (start + end) / 2)


@pytest.mark.parametrize("deviation", [0.02, 0.5])
def test_initial_weights_are_normal(deviation: float) -> None:
    generator, discriminator = Generator(32, 3, 16, 16), Discriminator(32, 3, 16)
    kept = [p.clone() for n, p in generator.named_parameters() if p.ndim == 1]
    for network in (generator, discriminator):
        initialise_normal(network, deviation)
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                weights = module.weight.detach().flatten()
                count = len(weights)
                assert float(weights.mean()) == pytest.approx(0, abs=5 * deviation / count**0.5)
                assert float(weights.std()) == pytest.approx(deviation, rel=5 / (2 * count) ** 0.5)
    now = [p for n, p in generator.named_parameters() if p.ndim == 1]
    assert all(torch.equal(a, b) for a, b in zip(now, kept, strict=True))


@pytest.mark.parametrize(("size", "written"), [(64, 64), ((64, 64), 64), ((32, 64), [32, 64])])
@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_settings_build_the_same_network_again(network: Any, size: Any, written: Any) -> None:
    first = network(size, 1, base_channels=3)
    assert first.settings["image_size"] == written
    again = network(**first.settings)
    again.load_state_dict(first.state_dict())
    assert again.settings == first.settings
    assert json.loads(json.dumps(first.settings)) == first.settings


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32), (3, 64)])
@torch.no_grad()
def test_residual_network(channels: int, side: int) -> None:
    network = ResidualNetwork(channels, 7, width=4).eval()
    images = torch.rand(2, channels, side, side)
    assert network.stages(network.stem(images)).shape == (2, 16, side // 4, side // 4)
    assert network(images).shape == (2, 7)
    torch.testing.assert_close(network(images)[:1], network(images[:1]))
    assert sum(isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) for m in network.modules()) == 7


@torch.no_grad()
def test_a_residual_block_without_its_branch_is_its_shortcut() -> None:
    features = torch.randn(2, 4, 6, 6)
    block = ResidualBlock(4, 4, 1).eval()
    nn.init.zeros_(block.norm2.weight)
    torch.testing.assert_close(block(features), features.relu())
    block = ResidualBlock(4, 8, 2).eval()
    nn.init.zeros_(block.norm2.weight)
    torch.testing.assert_close(block(features), block.shortcut(features).relu())
    assert block(features).shape == (2, 8, 3, 3)


@pytest.mark.parametrize("architecture", ["residual", "resnet18", "squeezenet1_1", "googlenet"])
@pytest.mark.parametrize("channels", [1, 3, 5])
@torch.no_grad()
def test_architectures_by_name(architecture: str, channels: int) -> None:
    network = build_classifier_network(architecture, channels, 5).eval()
    assert network(torch.rand(2, channels, 64, 64)).shape == (2, 5)


@torch.no_grad()
def test_a_grey_image_is_shown_in_three_equal_channels() -> None:
    seen: list[Tensor] = []

    class Network(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images)
            return images.mean((2, 3))

    image = torch.rand(2, 1, 4, 4)
    RepeatGrey(Network())(image)
    assert torch.equal(seen[0], image.repeat(1, 3, 1, 1))
    assert isinstance(build_classifier_network("squeezenet1_1", 1, 2), RepeatGrey)


@pytest.mark.parametrize("name", ["resnet19", "fcn_resnet50", ""])
def test_an_unknown_architecture_is_refused(name: str) -> None:
    with pytest.raises(OverpaintError, match=f"architecture='{name}' is neither 'residual' nor .*alexnet"):
        build_classifier_network(name, 3, 2)


class _RunsCode:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.proof),)


def test_a_missing_checkpoint_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(OverpaintError, match=r"no checkpoint .*nowhere.ckpt; 'python train.py model=dcgan' makes one"):
        load_generator(tmp_path / "nowhere.ckpt")
    with pytest.raises(OverpaintError, match=r"no checkpoint .*; 'python train.py model=classifier' makes one"):
        load_classifier(tmp_path)  # a folder is no file


@pytest.mark.parametrize("legacy", [False, True])
def test_a_checkpoint_that_holds_code_is_refused_and_not_run(tmp_path: Path, legacy: bool) -> None:
    path, proof = tmp_path / "model.ckpt", tmp_path / "proof"
    content = {FORMAT_KEY: {"kind": "dcgan", "settings": {}}, "state_dict": {}, "extra": _RunsCode(proof)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(OverpaintError, match=r"model.ckpt can't be loaded: .*refused since it could run code; 'python"):
        read_checkpoint(path, "dcgan")
    assert not proof.exists()
    torch.load(path, weights_only=False)
    assert proof.exists()  # the file is what it is said to be


def test_a_plain_pickle_that_holds_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path, proof = tmp_path / "model.ckpt", tmp_path / "proof"
    path.write_bytes(pickle.dumps({FORMAT_KEY: {"kind": "dcgan"}, "extra": _RunsCode(proof)}))
    with pytest.raises(OverpaintError, match="refused since it could run code"):
        read_checkpoint(path, "dcgan")
    assert not proof.exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint\n", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\x80\x04."])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(content)
    with pytest.raises(
        OverpaintError, match=r"model.ckpt can't be loaded: it is damaged or no checkpoint.*model=dcgan"
    ):
        read_checkpoint(path, "dcgan")


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    torch.save({FORMAT_KEY: {"kind": "dcgan", "settings": {}}, "state_dict": {"a": torch.zeros(50)}}, path)
    content = path.read_bytes()
    for length in range(1, len(content) - 1, 97):
        path.write_bytes(content[:length])
        with pytest.raises(OverpaintError, match="it is damaged"):
            read_checkpoint(path, "dcgan")


@pytest.mark.parametrize(
    "content", [{"state_dict": {}}, [1, 2], {FORMAT_KEY: "dcgan"}, {FORMAT_KEY: {}}, torch.ones(2)]
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "model.ckpt"
    torch.save(content, path)
    with pytest.raises(OverpaintError, match=r"model.ckpt was not made by this project; a dcgan checkpoint is needed"):
        read_checkpoint(path, "dcgan")


def test_the_wrong_kind_of_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    torch.save({FORMAT_KEY: {"kind": "dcgan", "settings": {}}, "state_dict": {}}, path)
    with pytest.raises(OverpaintError, match=r"holds a dcgan; a classifier checkpoint .*'python train.py model=class"):
        load_classifier(path)
    assert read_checkpoint(path, "dcgan") == ({}, {})


def test_a_dcgan_comes_back_frozen(tmp_path: Path) -> None:
    generator, averaged = Generator(32, 1, 5, 2, "uniform"), Generator(32, 1, 5, 2, "uniform")
    discriminator = Discriminator(32, 1, 2, "spectral")
    tensors: dict[str, Tensor] = {}
    parts = (("generator", generator), ("averaged_generator", averaged), ("discriminator", discriminator))
    for name, network in parts:
        tensors |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
    settings = {"generator": generator.settings, "discriminator": discriminator.settings}
    content = {FORMAT_KEY: {"kind": "dcgan", "settings": settings}, "state_dict": tensors}
    torch.save(content, tmp_path / "model.ckpt")
    gan = load_generator(str(tmp_path / "model.ckpt"))
    loaded_generator, loaded_discriminator = gan.generator, gan.discriminator
    encoder, class_names = gan.encoder, gan.class_names
    assert encoder is None
    assert class_names == []
    latents = torch.randn(2, 5)
    for network in (generator, averaged, discriminator):
        network.eval().to(memory_format=torch.channels_last)  # as it is loaded, or the last bit may differ
    assert torch.equal(loaded_generator(latents), averaged(latents))
    assert not torch.equal(loaded_generator(latents), generator.eval()(latents))
    assert torch.equal(loaded_discriminator(averaged(latents)), discriminator(averaged(latents)))
    assert loaded_generator.latent_distribution == "uniform"
    for network in (loaded_generator, loaded_discriminator):
        assert not network.training
        assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(("size", "input_size"), [(16, (16, 16)), ([12, 20], (12, 20))])
def test_a_classifier_comes_back_frozen(tmp_path: Path, size: int | list[int], input_size: tuple[int, int]) -> None:
    settings = {
        "architecture": "residual",
        "class_names": ["cat", "dog"],
        "image_size": size,
        "mean": [0.4],
        "std": [0.2],
    }
    classifier = classifier_from_settings(settings).eval()
    tensors = {f"classifier.{key}": value for key, value in classifier.state_dict().items()}
    torch.save({FORMAT_KEY: {"kind": "classifier", "settings": settings}, "state_dict": tensors}, tmp_path / "c.ckpt")
    loaded = load_classifier(tmp_path / "c.ckpt")
    images = torch.rand(3, 1, 20, 20)
    assert torch.equal(loaded.scores(images), classifier.scores(images))
    assert loaded.class_names == ["cat", "dog"]
    assert (loaded.channels, loaded.input_size) == (1, input_size)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())


class _Means(nn.Module):
    """The mean of each channel; keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        return images.mean((2, 3))


def test_scores_are_the_softmax_of_the_networks_logits() -> None:
    network = _Means()
    classifier = NetworkClassifier(network, ["r", "g", "b"], 8, [0.1, 0.2, 0.3], [0.5, 0.25, 2.0])
    assert isinstance(classifier, Classifier)
    images = torch.rand(4, 3, 8, 8)
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.25, 2.0])
    expected = (images.mean((2, 3)) - mean) / std
    torch.testing.assert_close(classifier.logits(images), expected)
    scores = classifier.scores(images)
    torch.testing.assert_close(scores, expected.exp() / expected.exp().sum(1, keepdim=True))
    torch.testing.assert_close(scores.sum(1), torch.ones(4))
    assert torch.equal(classifier.mean.flatten(), mean)


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (32, 32)])
def test_a_network_for_images_that_are_not_square(shape: tuple[int, int]) -> None:
    network = _Means()
    classifier = NetworkClassifier(network, ["a", "b", "c"], (6, 10), [0.1, 0.2, 0.3], [0.5, 0.25, 2.0], "auto")
    images = torch.rand(2, 3, *shape)
    classifier.scores(images)
    assert classifier.input_size == (6, 10)
    assert network.seen[-1].shape == (2, 3, 6, 10)
    assert classifier.compiled().input_size == (6, 10)


def test_a_network_of_series() -> None:
    class Series(nn.Module):
        def forward(self, series: Tensor) -> Tensor:
            return series.mean(2)

    classifier = NetworkClassifier(Series(), ["a", "b"], [20], [0.1, 0.2], [0.5, 0.25], "auto")
    assert isinstance(classifier, Classifier)
    assert classifier.input_size == (20,)
    assert classifier.mean.shape == (1, 2, 1)
    series = torch.rand(4, 2, 20)
    expected = (series.mean(2) - torch.tensor([0.1, 0.2])) / torch.tensor([0.5, 0.25])
    torch.testing.assert_close(classifier.logits(series), expected)
    assert classifier.scores(torch.rand(4, 2, 33)).shape == (4, 2)
    with pytest.raises(OverpaintError, match="inputs of size 20x20 can't be resized to 20: series"):
        classifier.scores(torch.rand(1, 2, 20, 20))


@pytest.mark.parametrize("shape", [(8, 8), (16, 16), (5, 11), (8, 16)])
def test_images_of_another_size_are_resized(shape: tuple[int, int]) -> None:
    network = _Means()
    classifier = NetworkClassifier(network, ["a"], 8, [0.0], [1.0])
    images = torch.rand(2, 1, *shape)
    classifier.logits(images)
    expected = F.interpolate(images, (8, 8), mode="bilinear", antialias=True)
    torch.testing.assert_close(network.seen[0], expected)
    if shape == (8, 8):
        assert torch.equal(network.seen[0], images)


def test_logits_have_gradients_and_scores_have_none() -> None:
    classifier = NetworkClassifier(_Means(), ["a"], 4, [0.5], [0.25])
    images = torch.rand(1, 1, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(classifier.logits(images).sum(), images)
    torch.testing.assert_close(gradient, torch.full_like(images, 4 / 16))
    assert not classifier.scores(images).requires_grad


def test_the_wrong_number_of_channels_is_refused() -> None:
    classifier = NetworkClassifier(_Means(), ["a"], 8, [0.5], [0.5])
    with pytest.raises(OverpaintError, match="the classifier takes 1 channels, but the images have 3"):
        classifier.scores(torch.rand(2, 3, 8, 8))


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_scores_that_are_no_numbers_are_refused(value: float) -> None:
    class Broken(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            logits = images.mean((2, 3))
            logits[1, 0] = value
            return logits

    classifier = NetworkClassifier(Broken(), ["a", "b", "c"], 8, [0.5] * 3, [0.5] * 3)
    with pytest.raises(OverpaintError, match="a score that is not a finite number"):
        classifier.scores(torch.rand(2, 3, 8, 8))


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c", "d"]])
def test_an_answer_of_another_shape_is_refused(names: list[str]) -> None:
    classifier = NetworkClassifier(_Means(), names, 8, [0.5] * 3, [0.5] * 3)
    with pytest.raises(OverpaintError, match=rf"answered with shape \(2, 3\) instead of \(2, {len(names)}\)"):
        classifier.scores(torch.rand(2, 3, 8, 8))


@pytest.mark.parametrize(("mean", "std"), [([0.5], [0.0]), ([0.5], [-1.0]), ([0.5, 0.5], [0.5])])
def test_an_impossible_transform_is_refused(mean: list[float], std: list[float]) -> None:
    with pytest.raises(OverpaintError, match=r"must have one entry a channel, std above 0"):
        NetworkClassifier(_Means(), ["a"], 8, mean, std)


@pytest.mark.parametrize(
    ("length", "start", "drawn"), [(128, 8, 128), (140, 9, 144), (24, 6, 24), (25, 7, 28), (1460, 12, 1536), (5, 2, 8)]
)
@pytest.mark.parametrize("channels", [1, 6])
@torch.no_grad()
def test_networks_of_series_have_any_length(length: int, start: int, drawn: int, channels: int) -> None:
    generator, discriminator = Generator([length], channels, 5, 2), Discriminator([length], channels, 2)
    first, last = generator.layers[0], discriminator.layers[-1]
    assert isinstance(first, nn.ConvTranspose1d)
    assert isinstance(last, nn.Conv1d)
    assert first.kernel_size == last.kernel_size == (start,)
    latents = torch.randn(3, 5)
    series = generator(latents)
    assert generator.output_size == discriminator.input_size == (length,)
    assert series.shape == (3, channels, length)
    whole = (generator.layers(latents[:, :, None]) + 1) / 2
    assert whole.shape == (3, channels, drawn)
    before = (drawn - length) // 2
    assert torch.equal(series, whole[..., before : before + length])
    assert discriminator(series).shape == (3,)
    assert max(m.out_channels for m in generator.modules() if isinstance(m, nn.ConvTranspose1d)) <= 16


def test_fitting_pads_with_zeros_and_cuts_the_same_off_both_ends() -> None:
    values = torch.arange(1.0, 7)[None, None]
    assert fitted(values, (3,))[0, 0].tolist() == [2, 3, 4]
    assert fitted(values, (4,))[0, 0].tolist() == [2, 3, 4, 5]
    assert fitted(values, (9,))[0, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 0]
    assert torch.equal(fitted(fitted(values, (9,)), (6,)), values)
    assert fitted(values, (6,)) is values
    assert fitted(torch.ones(1, 1, 2, 2), (4, 3))[0, 0].tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_the_layers_of_series_and_images_grow_alike() -> None:
    assert widths((64, 64), 2) == [2, 4, 8, 16]
    assert widths((128,), 4) == [2, 4, 8, 16]  # half of an image's
    assert widths((1460,), 4) == [2, 4, 8, 16, 16, 16, 16]
    assert widths((128,), 1) == [1, 2, 4, 8]


@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_volumes_are_refused(network: Any) -> None:
    with pytest.raises(OverpaintError, match="image_size=32x32x32 has 3 dimensions; there are networks for series"):
        network([32, 32, 32])
