"""The ReLU rules on every way in which a network can call a ReLU."""

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from conftest import frozen_classifier, noise_images
from torch import Tensor, nn

from overpaint.attribution.batches import input_gradients
from overpaint.attribution.relu import Rule, relu_rule
from overpaint.core.errors import OverpaintError

TARGETS = torch.tensor([0, 2])


class Branches(nn.Module):
    """Two parallel branches, each with a ReLU, and one behind their sum."""

    def __init__(self, relus: list[Callable[[Tensor], Tensor]]) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.left, self.right = nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3)
            self.last, self.head = nn.Conv2d(4, 4, 3), nn.Linear(4, 3)
        self.modules_ = nn.ModuleList([r for r in relus if isinstance(r, nn.Module)])
        self.relus = relus

    def forward(self, images: Tensor) -> Tensor:
        left, right, last = self.relus
        hidden = last(self.last(left(self.left(images)) + right(self.right(images))))
        return self.head(hidden.mean((2, 3)))


ONE = nn.ReLU()
ONE_IN_PLACE = nn.ReLU(inplace=True)
WAYS: dict[str, list[Callable[[Tensor], Tensor]]] = {
    "one module": [ONE, ONE, ONE],
    "one module, in place": [ONE_IN_PLACE, ONE_IN_PLACE, ONE_IN_PLACE],
    "functional": [F.relu, torch.relu, Tensor.relu],
    "functional, in place": [lambda x: F.relu(x, inplace=True), torch.relu_, lambda x: x.relu_()],
    "by keyword": [lambda x: F.relu(input=x), lambda x: torch.relu(input=x), lambda x: F.relu(x, True)],
    "operators of exported programs": [torch.ops.aten.relu.default, torch.ops.aten.relu_.default, torch.ops.aten.relu],
}


@pytest.mark.parametrize("rule", ["guided", "deconvnet"])
@pytest.mark.parametrize("way", WAYS)
def test_every_call_of_a_relu_follows_the_rule(way: str, rule: Rule) -> None:
    """The oracle is captum with a module for each call, where it is right."""
    images = noise_images(2, 16)
    separate = frozen_classifier(Branches([nn.ReLU(), nn.ReLU(), nn.ReLU()]))
    captums = {"guided": GuidedBackprop, "deconvnet": Deconvolution}[rule]
    wrapped = nn.Sequential(separate.network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = captums(wrapped).attribute(((images - 0.5) / 0.25).requires_grad_(), target=TARGETS) / 0.25
    classifier = frozen_classifier(Branches(WAYS[way]))
    with relu_rule(rule, classifier.network, rule):
        found = input_gradients(classifier, images, TARGETS)
    torch.testing.assert_close(found, expected)


def test_what_is_relued_in_place_stays_so_for_its_other_readers() -> None:
    class Quirk(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            hidden = images * 2
            F.relu(hidden, inplace=True)
            return torch.stack([hidden.sum((1, 2, 3)), images.sum((1, 2, 3)), images.mean((1, 2, 3))], 1)

    classifier, images = frozen_classifier(Quirk()), noise_images(2, 8)
    plain = input_gradients(classifier, images, torch.tensor([0, 0]))
    with relu_rule("guided", classifier.network, "guided"):
        torch.testing.assert_close(input_gradients(classifier, images, torch.tensor([0, 0])), plain)


def test_an_exported_network_follows_the_rule() -> None:
    network = Branches([F.relu, F.relu, F.relu]).eval()
    exported = torch.export.export(network, (noise_images(2, 16),)).module()
    found = []
    for each in (network, exported):
        classifier = frozen_classifier(network)
        classifier.network = each
        with relu_rule("guided", each, "guided"):
            found.append(input_gradients(classifier, noise_images(2, 16), TARGETS))
    torch.testing.assert_close(found[0], found[1])


def test_torchscript_is_refused() -> None:
    class Scripted(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.relu(images).mean((2, 3))

    network = nn.Sequential(torch.jit.trace(Scripted(), noise_images(1, 8, 3)))
    with pytest.raises(OverpaintError, match="TorchScript can't be reached"), relu_rule("guided", network, "guided"):
        pass


def test_the_rule_ends_with_its_block() -> None:
    classifier, images = frozen_classifier(Branches(WAYS["functional"])), noise_images(2, 16)
    plain = input_gradients(classifier, images, TARGETS)
    with pytest.raises(KeyError), relu_rule("guided", classifier.network, "guided"):
        raise KeyError
    assert torch.equal(input_gradients(classifier, images, TARGETS), plain)
