"""Which layer is looked at, and how its output is folded to a map."""

from collections.abc import Callable

import pytest
import torch
from conftest import SIZES, PooledNetwork, frozen_classifier, noise_images, torchvision_classifier
from torch import Tensor, nn

from overpaint.attribution.layers import Layout, LayoutReader, choose_layer, spatial_layers
from overpaint.attribution.state import preserve_state
from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.networks.residual import build_classifier_network
from overpaint.saliency.grad_cam import GradCam

AUTO = {
    "resnet18": ("layer4", Layout((2, 2)), 512),
    "vgg11": ("features", Layout((2, 2)), 512),
    "mobilenet_v3_small": ("features", Layout((2, 2)), 576),
    "squeezenet1_1": ("classifier.2", Layout((3, 3)), 5),
    "swin_t": ("permute", Layout((2, 2)), 768),
    "vit_b_16": ("encoder.layers.encoder_layer_11.ln_1", Layout((14, 14), channels_last=True, extra=1), 768),
}


def _auto(classifier: NetworkClassifier, images: Tensor) -> str:
    with preserve_state(classifier, "a test"):
        return choose_layer(classifier, images, "auto", "a test")


@pytest.mark.parametrize("name", AUTO)
def test_auto_takes_the_last_layer_with_a_map(name: str) -> None:
    classifier, images = torchvision_classifier(name), noise_images(1, SIZES[name], 3)
    chosen = _auto(classifier, images)
    layers = {layer.name: layer for layer in spatial_layers(classifier, images)}
    assert (chosen, layers[chosen].layout, layers[chosen].channels) == AUTO[name]
    assert chosen == list(layers)[-1]


def test_auto_in_networks_of_this_project() -> None:
    residual = frozen_classifier(build_classifier_network("residual", 1, 3), 32)
    assert _auto(residual, torch.zeros(2, 1, 32, 32)) == "stages"
    grey = frozen_classifier(build_classifier_network("resnet18", 1, 3), 64)
    assert _auto(grey, torch.zeros(2, 1, 64, 64)) == "network.layer4"
    assert _auto(grey.train(), torch.zeros(2, 1, 64, 64)) == "network.layer4"


def test_without_any_gradient_the_last_layer_is_taken_and_its_map_is_flat() -> None:
    network = PooledNetwork()
    nn.init.zeros_(network.head.weight)
    classifier, images = frozen_classifier(network, 16), noise_images(2, 16, 1)
    with pytest.warns(OverpaintWarning, match="gradient of the scores is zero at every layer"):
        layer = _auto(classifier, images)
    assert layer == _auto(frozen_classifier(PooledNetwork(), 16), images)
    with pytest.warns(OverpaintWarning, match="is flat"):
        found = GradCam()(classifier, images, torch.zeros(2, 1, dtype=torch.int64))
    assert not bool(found.maps.any())


def test_swins_maps_have_their_channels_last() -> None:
    layers = {layer.name: layer for layer in spatial_layers(torchvision_classifier("swin_t"), noise_images(1, 64, 3))}
    assert layers["features.5"].layout == Layout((4, 4), channels_last=True)
    assert layers["features.5"].channels == 384
    assert not any("attn.softmax" in name for name in layers)


class TokenNetwork(nn.Module):
    """A transformer as others write it: patches, class and register tokens, attention that shows its weights."""

    def __init__(
        self, extra: int = 1, convolution: bool = True, read: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.convolution = convolution
        self.patches = nn.Conv2d(1, 8, 4, 4) if convolution else nn.Linear(16, 8)
        self.tokens = nn.Parameter(torch.randn(1, extra, 8))
        self.norm, self.qkv, self.weights, self.last = nn.LayerNorm(8), nn.Linear(8, 24), nn.Identity(), nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)
        self.read = read or (lambda tokens: tokens[:, 0])

    def forward(self, images: Tensor) -> Tensor:
        if self.convolution:
            patches = self.patches(images).flatten(2).transpose(1, 2)
        else:
            patches = self.patches(nn.functional.unfold(images, 4, stride=4).transpose(1, 2))
        tokens = torch.cat([self.tokens.expand(len(images), -1, -1), patches], 1)
        query, key, value = self.qkv(self.norm(tokens)).chunk(3, -1)
        weights = self.weights((query @ key.transpose(1, 2)).softmax(-1)[:, None].expand(-1, 2, -1, -1))
        return self.head(self.read(self.last(tokens + weights[:, 0] @ value)))


@pytest.mark.parametrize("convolution", [True, False])
@pytest.mark.parametrize("extra", [1, 2, 5])
def test_class_and_register_tokens_are_left_out(extra: int, convolution: bool) -> None:
    torch.manual_seed(0)
    network = TokenNetwork(extra, convolution)
    found = {
        layer.name: layer.layout for layer in spatial_layers(frozen_classifier(network, 32), torch.zeros(1, 1, 32, 32))
    }
    grid = Layout((8, 8), channels_last=True, extra=extra)
    # Behind the attention only the class token is read, and the attention's weights are no map of the image.
    assert found == {**({"patches": Layout((8, 8))} if convolution else {"patches": Layout((8, 8), True)}),
                     "norm": grid, "qkv": grid}  # fmt: skip


def test_a_transformer_that_reads_all_tokens_is_seen_to_its_end() -> None:
    torch.manual_seed(0)
    network = TokenNetwork(read=lambda tokens: tokens.mean(1))
    assert _auto(frozen_classifier(network, 32), torch.zeros(1, 1, 32, 32)) == "last"


def test_folding_puts_every_token_in_its_place() -> None:
    places = torch.arange(12.0).reshape(1, 3, 4)
    tokens = torch.cat([torch.full((1, 2, 5), -1.0), places.reshape(1, 12, 1).expand(-1, -1, 5)], 1)
    folded = Layout((3, 4), channels_last=True, extra=2).fold(tokens)
    assert torch.equal(folded, places[:, None].expand(-1, 5, -1, -1))
    last = torch.rand(2, 3, 4, 5)
    assert torch.equal(Layout((3, 4), channels_last=True).fold(last), last.permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("space", "shape", "layout"),
    [
        ((224, 224), (8, 7, 7), Layout((7, 7))),
        ((224, 224), (7, 7, 8), Layout((7, 7), channels_last=True)),
        ((224, 224), (7, 7, 7), Layout((7, 7))),
        ((224, 224), (8, 1, 1), None),
        ((224, 224), (8, 7, 6), None),
        ((100, 200), (8, 4, 7), Layout((4, 7))),
        ((100, 200), (8, 4, 4), None),
        ((224, 224), (49, 8), Layout((7, 7), channels_last=True)),
        ((224, 224), (60, 8), None),  # 49 and 11 more: none that is known
        ((100, 200), (33, 8), None),  # not square: the patches' grid must be known
        ((64,), (8, 16), Layout((16,))),
    ],
)
def test_what_is_a_map(space: tuple[int, ...], shape: tuple[int, ...], layout: Layout | None) -> None:
    reader = LayoutReader()
    reader.begin(torch.zeros(2, 3, *space))
    assert reader.layout(torch.zeros(2, *shape)) == layout
    assert reader.layout(torch.zeros(3, *shape)) is None  # no row for each image: windows
    assert reader.layout((torch.zeros(2, *shape),)) is None


def test_an_impossible_layer_is_an_error_that_lists_the_possible_ones() -> None:
    torch.manual_seed(0)
    classifier = frozen_classifier(PooledNetwork())
    with pytest.raises(OverpaintError, match=r"m: layer=nowhere has no .* are features.0, features.1, features$"):
        choose_layer(classifier, torch.zeros(1, 1, 16, 16), "nowhere", "m")
    blind = frozen_classifier(nn.Sequential(nn.Flatten(), nn.Linear(256, 3)))
    with pytest.raises(OverpaintError, match="found no layer with a spatial map"):
        choose_layer(blind, torch.zeros(1, 1, 16, 16), "auto", "m")
