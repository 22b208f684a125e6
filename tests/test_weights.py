"""Whatever holds all the tensors of a network loads: its scores are then those of the network that was saved."""

import argparse
import sys
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from omegaconf import OmegaConf
from torch import Tensor, nn

from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.options import ClassifierOptions
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.networks.opening import open_generator
from overpaint.networks.options import GeneratorOptions
from overpaint.networks.weights import read_weights

Tensors = dict[str, Tensor]


class Network(nn.Module):
    def __init__(self, num_classes: int = 2, width: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 1)
        self.norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU())
        self.fc = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.fc(self.blocks(self.norm(self.conv1(images))).mean((2, 3)))
        return logits


@pytest.fixture
def saved() -> Network:
    torch.manual_seed(0)
    network = Network(3).eval()
    network.norm.running_mean.uniform_()
    return network


def _load(path: Path, network: nn.Module) -> nn.Module:
    read_weights(path, "classifier.weights").load(network)
    return network


def _same(first: nn.Module, second: nn.Module) -> None:
    for name, tensor in second.state_dict().items():
        assert torch.equal(first.state_dict()[name], tensor), name


def _prefixed(state: Tensors, prefix: str) -> Tensors:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


CONTAINERS: dict[str, Callable[[Tensors], Any]] = {
    "plain": lambda state: state,
    "nested": lambda state: {"checkpoint": {"model": state}, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}},
    "with a module's extra state": lambda state: {"state_dict": state | {"version": 2}},
    "in a list": lambda state: [state, {"epoch": 3}],
    "in a list of an entry": lambda state: {"models": [state]},
    "in parts": lambda state: {
        part: {name.removeprefix(f"{part}."): tensor for name, tensor in state.items() if name.startswith(f"{part}.")}
        for part in ("conv1", "norm", "blocks", "fc")
    },
    "in parts of an entry": lambda state: {
        "model": {
            part: {n.removeprefix(f"{part}."): tensor for n, tensor in state.items() if n.startswith(f"{part}.")}
            for part in ("conv1", "norm", "blocks", "fc")
        }
    },
}
ENTRIES = ["state_dict", "model_state_dict", "model", "net", "ema", "weights", "student"]
PREFIXES = ["", "module.", "_orig_mod.", "model.", "net.", "backbone.", "module._orig_mod.", "my.own.wrapper."]


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers(tmp_path: Path, saved: Network, container: str) -> None:
    torch.save(CONTAINERS[container](saved.state_dict()), tmp_path / "w.pt")
    _same(_load(tmp_path / "w.pt", Network(3)), saved)


@pytest.mark.parametrize("entry", ENTRIES)
def test_entries(tmp_path: Path, saved: Network, entry: str) -> None:
    torch.save({entry: saved.state_dict(), "epoch": 3}, tmp_path / "w.pt")
    _same(_load(tmp_path / "w.pt", Network(3)), saved)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefixes(tmp_path: Path, saved: Network, prefix: str) -> None:
    torch.save({"state_dict": _prefixed(saved.state_dict(), prefix)}, tmp_path / "w.pt")
    _same(_load(tmp_path / "w.pt", Network(3)), saved)


def test_the_network_has_the_prefix(tmp_path: Path, saved: Network) -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = Network(3)

    torch.save(_prefixed(saved.state_dict(), "module."), tmp_path / "w.pt")
    _same(_load(tmp_path / "w.pt", Wrapper()).backbone, saved)  # type: ignore[arg-type]


def test_a_part_that_was_compiled(tmp_path: Path, saved: Network) -> None:
    state = {name.replace("blocks.", "blocks._orig_mod."): tensor for name, tensor in saved.state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    _same(_load(tmp_path / "w.pt", Network(3)), saved)


def test_leftovers_are_left_out_and_said(tmp_path: Path, saved: Network) -> None:
    state = _prefixed(saved.state_dict(), "model.")
    torch.save({"state_dict": state | {"criterion.weight": torch.ones(3)}}, tmp_path / "lightning.ckpt")
    torch.save(_prefixed(saved.state_dict(), "module.") | {"n_averaged": torch.tensor(4)}, tmp_path / "average.pt")
    for name, left in (("lightning.ckpt", r"criterion\.weight"), ("average.pt", "n_averaged")):
        with pytest.warns(OverpaintWarning, match=rf"holds 1 tensors beside .*, which are left out \({left}\)"):
            _same(_load(tmp_path / name, Network(3)), saved)


def test_one_of_several_states_is_used_and_said(tmp_path: Path, saved: Network) -> None:
    torch.save({"ema": Network(3).state_dict(), "state_dict": saved.state_dict()}, tmp_path / "w.pt")
    with pytest.warns(OverpaintWarning, match="holds several states of the network; 'state_dict' is used, not ema"):
        _same(_load(tmp_path / "w.pt", Network(3)), saved)


def test_what_does_not_fit_is_named(tmp_path: Path, saved: Network) -> None:
    state = saved.state_dict()
    torch.save({name: tensor for name, tensor in state.items() if name != "fc.bias"}, tmp_path / "w.pt")
    with pytest.raises(OverpaintError, match=r"1 tensors are missing \(fc\.bias\)"):
        _load(tmp_path / "w.pt", Network(3))
    torch.save(state | {"blocks.4.weight": torch.ones(2)}, tmp_path / "w.pt")
    with pytest.raises(OverpaintError, match=r"1 tensors belong to no layer \(blocks\.4\.weight\)"):
        _load(tmp_path / "w.pt", Network(3))
    torch.save(_prefixed(state | {"conv2.weight": torch.ones(2)}, "model."), tmp_path / "w.pt")
    with pytest.raises(OverpaintError, match=r"1 tensors belong to no layer \(conv2\.weight\)"):
        _load(tmp_path / "w.pt", Network(3))
    torch.save(_prefixed(state, "model."), tmp_path / "w.pt")
    with pytest.raises(OverpaintError, match=r"have another shape \(fc\.weight \(3, 3\) instead of \(5, 3\)"):
        _load(tmp_path / "w.pt", Network(5))
    torch.save({"other.weight": torch.ones(2)}, tmp_path / "w.pt")
    with pytest.raises(OverpaintError, match=r"\d+ tensors are missing \(conv1\.weight, .*"):
        _load(tmp_path / "w.pt", Network(3))


def test_harmless_extras(tmp_path: Path, saved: Network) -> None:
    extras = {
        "state_dict": saved.state_dict(),
        "args": argparse.Namespace(lr=0.1, out=Path("runs/1")),
        "best": np.float64(0.5),
        "step": np.int64(3),
        "history": np.arange(4.0),
        "hparams": OmegaConf.create({"lr": 0.1, "names": ["a"], "home": "${oc.env:HOME}"}),
        "paths": [Path("a")],
        "losses": defaultdict(list, {"train": [1.0, 2.0]}),
        "last": deque([1, 2, 3], maxlen=3),
    }
    torch.save(extras, tmp_path / "w.pt")
    _same(_load(tmp_path / "w.pt", Network(3)), saved)


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("import pathlib; pathlib.Path('harm').touch()",))


@pytest.mark.parametrize("extra", [Harmful(), nn.Linear(1, 1), np.array([Harmful()], dtype=object)])
def test_code_is_refused(tmp_path: Path, saved: Network, extra: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": saved.state_dict(), "extra": extra}, "w.pt")
    with pytest.raises(OverpaintError, match=r"w\.pt can't be loaded: .*, which is refused since it could run code"):
        _load(Path("w.pt"), Network(3))
    assert not Path("harm").exists()


def test_safetensors(tmp_path: Path, saved: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    for name in ("w.safetensors", "w.bin"):
        safetensors.save_file(_prefixed(saved.state_dict(), "model."), tmp_path / name)
        _same(_load(tmp_path / name, Network(3)), saved)
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(OverpaintError, match="is a damaged file of safetensors"):
        _load(tmp_path / "broken.safetensors", Network(3))
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(
        OverpaintError, match=r"needs safetensors, which is not installed: pip install 'overpaint\[safe"
    ):
        _load(tmp_path / "w.safetensors", Network(3))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_a_damaged_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(OverpaintError, match=r"w\.pt can't be loaded: it is damaged or no checkpoint"):
        _load(tmp_path / "w.pt", Network(3))


def test_old_names_of_densenet(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torchvision.models.DenseNet(4, (2, 2), 8, num_classes=3)
    old = {
        name.replace("norm1.", "norm.1.")
        .replace("conv2.", "conv.2.")
        .replace("norm2.", "norm.2.")
        .replace("conv1.", "conv.1."): tensor
        for name, tensor in network.state_dict().items()
    }
    assert old.keys() != network.state_dict().keys()
    torch.save(old, tmp_path / "w.pth")
    _same(_load(tmp_path / "w.pth", torchvision.models.DenseNet(4, (2, 2), 8, num_classes=3)), network)


LIGHTNING = """
import lightning as L
from torch import nn

class Theirs(L.LightningModule):
    def __init__(self, width, num_classes=2, learning_rate=0.1):
        super().__init__()
        self.save_hyperparameters()
        head = nn.Linear(width, num_classes)
        self.model = nn.Sequential(nn.Conv2d(3, width, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, images):
        return self.model(images)
"""


def test_someone_elses_lightning_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs_of_a_test.py").write_text(LIGHTNING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    from theirs_of_a_test import Theirs

    torch.manual_seed(0)
    network = Theirs(width=5, num_classes=4).eval()
    network.model[3].weight.data *= 20  # logits that no one takes for probabilities
    checkpoint = {
        "state_dict": network.state_dict(),
        "hyper_parameters": {"width": 5, "num_classes": 4, "folder": Path("x"), "rate": np.float32(1)},
        "pytorch-lightning_version": "2.5.0",
    }
    torch.save(checkpoint, tmp_path / "theirs.ckpt")
    options = ClassifierOptions("theirs_of_a_test:Theirs", weights="theirs.ckpt", image_size=8)
    classifier = open_classifier(options)
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(classifier.scores(images), network(images).softmax(1).detach())


TAKING = """
import lightning as L
from torch import nn

class OneDictionary(L.LightningModule):
    def __init__(self, hparams):
        super().__init__()
        self.save_hyperparameters(hparams)
        self.head = nn.Linear(hparams.width, hparams["classes"])

    def forward(self, images):
        return self.head(images.mean((2, 3)).repeat(1, 2)[:, :self.head.in_features])

class Keywords(L.LightningModule):
    def __init__(self, **settings):
        super().__init__()
        self.head = nn.Linear(settings["width"], settings["classes"])

    def forward(self, images):
        return self.head(images.mean((2, 3)).repeat(1, 2)[:, :self.head.in_features])

class Paints(nn.Module):
    def __init__(self, side=2):
        super().__init__()
        self.layer = nn.Linear(3, 3 * side * side)
        self.side = side

    def forward(self, latents):
        return self.layer(latents).reshape(-1, 3, self.side, self.side).tanh()
"""


@pytest.mark.parametrize(
    ("source", "about"),
    [("OneDictionary", {"hparams_name": "hparams"}), ("Keywords", {"hparams_name": "kwargs"}), ("Keywords", {})],
)
def test_constructors_that_take_all_hyperparameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, about: dict[str, str]
) -> None:
    (tmp_path / "taking_of_a_test.py").write_text(TAKING)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    head = nn.Linear(5, 4)
    head.weight.data *= 20
    content = {"state_dict": _prefixed(head.state_dict(), "head."), "hyper_parameters": {"width": 5, "classes": 4}}
    torch.save(content | about, "theirs.ckpt")
    classifier = open_classifier(ClassifierOptions(f"taking_of_a_test:{source}", "theirs.ckpt", image_size=8))
    images = torch.rand(2, 3, 8, 8)
    expected = head(images.mean((2, 3)).repeat(1, 2)[:, :5]).softmax(1).detach()
    torch.testing.assert_close(classifier.scores(images), expected)


def test_a_generator_gets_the_saved_hyperparameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taking_of_a_test.py").write_text(TAKING)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    layer = nn.Linear(3, 48)
    torch.save({"state_dict": _prefixed(layer.state_dict(), "layer."), "hyper_parameters": {"side": 4}}, "g.ckpt")
    generator = open_generator(GeneratorOptions("taking_of_a_test:Paints", "g.ckpt", latent_dim=3))
    latents = torch.randn(2, 3)
    painted = (layer(latents).reshape(2, 3, 4, 4).tanh() + 1) / 2
    torch.testing.assert_close(generator.generator(latents), painted.detach())


def test_a_foreign_checkpoint_says_how_it_is_loaded(tmp_path: Path) -> None:
    torch.save({"state_dict": nn.Linear(1, 1).state_dict()}, tmp_path / "theirs.ckpt")
    how = r"classifier=package\.module:Class classifier\.weights=.*theirs\.ckpt, which takes another network's weights"
    with pytest.raises(OverpaintError, match=how):
        open_classifier(ClassifierOptions(str(tmp_path / "theirs.ckpt")))
