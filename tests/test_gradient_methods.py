"""What every method with gradients keeps to: the network is left as it was, and a row depends on nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from conftest import PooledNetwork, frozen_classifier, noise_images, planted
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.core.types import Batch
from overpaint.networks.residual import build_classifier_network
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.lightning import ExplainerModule
from overpaint.pipeline.runner import Runner
from overpaint.saliency.captum_method import CaptumMethod
from overpaint.saliency.deconvnet import Deconvnet
from overpaint.saliency.grad_cam import GradCam
from overpaint.saliency.grad_cam_plus_plus import GradCamPlusPlus
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.guided_backprop import GuidedBackprop
from overpaint.saliency.guided_grad_cam import GuidedGradCam
from overpaint.saliency.integrated_gradients import IntegratedGradients
from overpaint.saliency.smooth_grad import SmoothGrad

METHODS: dict[str, Callable[..., Any]] = {
    "gradient": Gradient(batch_size=2),
    "smooth_grad": SmoothGrad(samples=4),
    "integrated_gradients": IntegratedGradients(steps=64),
    "guided_backprop": GuidedBackprop(batch_size=2),
    "deconvnet": Deconvnet(batch_size=2),
    "grad_cam": GradCam(batch_size=2),
    "grad_cam_plus_plus": GradCamPlusPlus(batch_size=2),
    "guided_grad_cam": GuidedGradCam(batch_size=2),
    "captum": CaptumMethod("DeepLift", {"baselines": "mean"}),
    "captum_random": CaptumMethod("GradientShap", {"baselines": "mean", "n_samples": 3, "stdevs": 0.1}),
}
every_method = pytest.mark.parametrize("name", METHODS)


class MixedNetwork(nn.Module):
    """In-place and functional ReLUs, batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.block = nn.Conv2d(4, 6, 3, 1, 1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.drop(torch.relu(self.block(self.stem(images))).mean((2, 3))))


def _mixed(seed: int = 0) -> NetworkClassifier:
    torch.manual_seed(seed)
    return frozen_classifier(MixedNetwork())


@contextmanager
def _traceless(classifier: NetworkClassifier) -> Iterator[None]:
    """Checks that everything is afterwards as it was before."""

    def state() -> list[Any]:
        modules = [
            {k: list(v.items()) if isinstance(v, dict) else v for k, v in vars(m).items()} for m in classifier.modules()
        ]
        gradients = [(p.requires_grad, p.grad) for p in classifier.parameters()]
        return [modules, gradients]

    before, tensors = state(), [t.clone() for t in classifier.state_dict().values()]
    rng, numpy_rng = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    yield
    assert state() == before
    assert all(torch.equal(a, b) for a, b in zip(tensors, classifier.state_dict().values(), strict=True))
    assert torch.equal(rng, torch.random.get_rng_state())
    assert (numpy_rng == np.random.get_state()[1]).all()


@every_method
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.filterwarnings("ignore:integrated_gradients")  # in train mode the path is not one function
def test_nothing_is_left_behind(name: str, frozen: bool, training: bool) -> None:
    classifier = _mixed().requires_grad_(not frozen).train(training)
    classifier.network.head.weight.grad = torch.ones(3, 6) if not frozen else None
    images = noise_images(3, 16)
    with _traceless(classifier):
        found = METHODS[name](classifier, images, torch.tensor([[0], [2], [1]]))
    assert found.maps.shape == (3, 16, 16)
    assert not found.maps.requires_grad
    assert bool(found.maps.isfinite().all())
    assert bool(found.maps.any())
    assert not images.requires_grad


@every_method
def test_nothing_is_left_behind_by_an_exception(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = _mixed()
    plain, calls = torch.autograd.grad, []

    def breaks(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("in the middle")
        return plain(*arguments, **more)

    monkeypatch.setattr(torch.autograd, "grad", breaks)
    with _traceless(classifier), pytest.raises(RuntimeError, match="in the middle"):
        METHODS[name](classifier, noise_images(3, 16), torch.tensor([[0], [2], [1]]))
    assert torch.is_grad_enabled()


@every_method
def test_a_row_does_not_depend_on_the_others(name: str) -> None:
    """Bit for bit, on the default classifier; every image has its own targets."""
    torch.manual_seed(0)
    classifier = frozen_classifier(build_classifier_network("residual", 1, 3), 32)
    images, targets = noise_images(3, 32), torch.tensor([[0, 2], [2, 1], [1, 0]])
    together = METHODS[name](classifier, images, targets).maps.reshape(3, 2, 32, 32)
    for i in (2, 0):
        for j in (1, 0):
            alone = METHODS[name](classifier, images[i : i + 1], targets[i : i + 1, j : j + 1])
            assert torch.equal(alone.maps[0], together[i, j])


@every_method
def test_the_map_changes_with_the_weights(name: str) -> None:
    """Adebayo et al. (2018): a method that shows the same for random weights shows no more than the image."""
    images, target = noise_images(1, 16), torch.tensor([[1]])
    first, other = (METHODS[name](_mixed(seed), images, target).maps[0].flatten() for seed in (0, 1))
    assert float(torch.corrcoef(torch.stack([first, other]))[0, 1]) < 0.9


@every_method
def test_a_black_box_is_refused_with_the_methods_that_work(name: str, white_images: Tensor) -> None:
    with pytest.raises(OverpaintError, match="needs a classifier with layers and gradients; use a method that"):
        METHODS[name](planted(lambda share: share), white_images, torch.tensor([[1]]))


@every_method
def test_inference_mode_is_refused(name: str) -> None:
    classifier = _mixed()
    with torch.inference_mode(), pytest.raises(OverpaintError, match=r"use Trainer\(inference_mode=False\)"):
        METHODS[name](classifier, noise_images(1, 16), torch.tensor([[0]]))
    with torch.inference_mode():
        loaded = _mixed()
    with pytest.raises(OverpaintError, match=r"loaded under torch\.inference_mode"):
        METHODS[name](loaded, noise_images(1, 16), torch.tensor([[0]]))


@every_method
@pytest.mark.filterwarnings("ignore:integrated_gradients")
def test_bf16_is_near_full_precision(name: str) -> None:
    """A network in bf16, with images in bf16 or not, and autocast after scores that cached its weights."""
    images, target = noise_images(1, 16).bfloat16().float(), torch.tensor([[1]])
    exact = METHODS[name](_mixed(), images, target).maps.flatten()
    converted = _mixed().bfloat16()
    casting = _mixed().requires_grad_(True)
    found = [METHODS[name](converted, x, target).maps for x in (images, images.bfloat16())]
    with torch.autocast("cpu", torch.bfloat16):
        casting.scores(images)
        found.append(METHODS[name](casting, images, target).maps)
    for maps in found:
        assert maps.dtype == torch.float32
        assert float(torch.corrcoef(torch.stack([exact, maps.flatten()]))[0, 1]) > 0.98


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if hasattr(method, "rows")])
def test_too_little_memory_halves_the_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that holds three images: the same maps, from smaller passes; on one that holds none, an error."""
    classifier, rows = _mixed(), []
    images, targets = noise_images(5, 16), torch.tensor([[0], [1], [2], [0], [1]])
    method = type(METHODS[name])(batch_size=8)
    expected = method(classifier, images, targets).maps
    logits, limit = classifier.logits, 3

    def little(images: Tensor) -> Tensor:
        if len(images) > limit:
            raise torch.OutOfMemoryError("full")
        rows.append(len(images))
        return logits(images)

    monkeypatch.setattr(classifier, "logits", little)
    torch.testing.assert_close(method(classifier, images, targets).maps, expected)
    assert max(rows) <= 3
    limit = 0
    monkeypatch.setattr("overpaint.saliency.grad_cam.choose_layer", lambda *_: "block")
    monkeypatch.setattr("overpaint.saliency.grad_cam_plus_plus.choose_layer", lambda *_: "block")
    monkeypatch.setattr("overpaint.saliency.guided_grad_cam.choose_layer", lambda *_: "block")
    with pytest.raises(OverpaintError, match="too little memory for the gradients of one image"):
        method(classifier, images, targets)


def test_settings_out_of_range_are_refused() -> None:
    for method in (Gradient, SmoothGrad, IntegratedGradients, GradCam):
        with pytest.raises(OverpaintError, match="batch_size=0 must be at least 1"):
            method(batch_size=0)
    with pytest.raises(OverpaintError, match="samples=1 must be at least 2"):
        SmoothGrad(samples=1)
    with pytest.raises(OverpaintError, match="steps=0 must be at least 1"):
        IntegratedGradients(steps=0)


class Pairs(torch.utils.data.Dataset[Any]):
    """Two images as a loader gives them."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return noise_images(2, 16)[index], torch.tensor(-1), f"image-{index}"


def _collate(items: list[Any]) -> Batch:
    images, labels, names = zip(*items, strict=True)
    return Batch(torch.stack(images), torch.stack(labels), list(names))


def test_lightnings_predict_has_gradients() -> None:
    torch.manual_seed(0)
    classifier = frozen_classifier(PooledNetwork())
    module = ExplainerModule(Runner(classifier, METHODS, Engine(classifier)), "predicted")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False, "accelerator": "cpu"}
    loader = torch.utils.data.DataLoader(Pairs(), batch_size=2, collate_fn=_collate)
    trainer = L.Trainer(inference_mode=False, enable_model_summary=False, **quiet)
    trainer.predict(module, loader, return_predictions=False)
    assert not classifier.network.features[0]._forward_hooks
