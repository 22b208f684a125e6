"""The Python interface: models, images and targets as a user has them, and what an explanation offers."""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms._presets import ImageClassification

import overpaint as op
from overpaint.core.rng import image_rng
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.insertion_deletion import Insertion
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.networks.gan import Gan
from overpaint.pipeline.cache import read_result
from overpaint.probes.controls import Controls
from overpaint.saliency.center import Center
from overpaint.saliency.rise import Rise

SURROGATE = Rise(queries=64)


def _resnet(classes: int = 4) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torchvision.models.resnet18(weights=None, num_classes=classes)


def _vit() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torchvision.models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=4)
        nn.init.normal_(network.heads.head.weight)  # a head of zeros passes no gradient
    return network


def _images(count: int = 2, size: tuple[int, int] = (32, 32)) -> Tensor:
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(0))


def _gan() -> Gan:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Gan(Generator(32, 3, 4, 2).eval(), Discriminator(32, 3, 2).eval())


SEARCH = LatentSearch(num_variants=4, steps=2, num_candidates=8)


@pytest.mark.parametrize("make", [_resnet, _vit])
def test_a_network_is_explained_in_five_lines_and_left_as_it_was(make: Any) -> None:
    model = make().train()
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    explanation = op.explain(
        model, _images(), methods=[SURROGATE, "grad_cam"], metrics=["insertion"], region=RegionRule()
    )
    assert set(explanation.maps) == {"rise", "grad_cam"}
    assert all(maps.shape == (2, 32, 32) for maps in explanation.maps.values())
    assert set(explanation.standard_errors) == {"rise"}
    assert explanation.region.dtype == torch.bool
    assert explanation.region.flatten(1).float().mean(1).tolist() == pytest.approx([0.1, 0.1], abs=1e-3)
    assert explanation.variants is None
    assert explanation.metrics["grad_cam"]["insertion"].shape == (2,)
    assert explanation.class_names == ["0", "1", "2", "3"]
    assert explanation.targets.tolist() == explanation.scores.argmax(1).tolist()
    expected = make().eval()(_images()).softmax(1)
    torch.testing.assert_close(explanation.scores, expected.detach(), rtol=1e-4, atol=1e-5)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_nothing_is_written_and_no_trainer_is_started(tmp_path: Path) -> None:
    code = (
        "import sys, torch, overpaint as op\n"
        "net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))\n"
        "op.explain(net, torch.rand(1, 3, 4, 4), methods='random')\n"
        "assert not [m for m in ('wandb', 'streamlit') if m in sys.modules], sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert not list(tmp_path.iterdir())


def test_a_double_network_is_asked_in_its_own_precision() -> None:
    model = _resnet().double().eval()
    explanation = op.explain(model, _images(1), methods="gradient")
    torch.testing.assert_close(explanation.scores.double(), model(_images(1).double()).softmax(1), rtol=1e-5, atol=1e-6)
    assert next(model.parameters()).dtype == torch.float64


def test_a_transform_gives_size_mean_and_std() -> None:
    transform = ImageClassification(crop_size=48, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    classifier = op.as_classifier(_resnet().eval(), class_names=list("abcd"), transform=transform)
    assert classifier.input_size == (48, 48)
    assert classifier.class_names == list("abcd")
    images = _images(2, (48, 48))
    mean, std = (torch.tensor(values)[None, :, None, None] for values in ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)))
    torch.testing.assert_close(classifier.scores(images), _resnet().eval()((images - mean) / std).softmax(1))
    with pytest.raises(op.OverpaintError, match="not the transform of torchvision's weights"):
        op.as_classifier(_resnet(), transform=torchvision.transforms.CenterCrop(3))


def test_a_function_of_arrays_is_a_classifier() -> None:
    def brightness(images: np.ndarray) -> np.ndarray:
        bright = images.mean((1, 2, 3))
        return np.stack([1 - bright, bright], 1)

    explanation = op.explain(brightness, _images(1), targets=1, methods={"mine": SURROGATE})
    assert explanation.scores[0, 1] == pytest.approx(float(_images(1).mean()), abs=1e-5)
    with pytest.raises(op.OverpaintError, match=r"grad_cam: no gradients \(a function\)"):
        op.explain(brightness, _images(1), methods="grad_cam")


def _as_kind(kind: str, folder: Path) -> Any:
    bytes_ = (255 * _images(1)[0]).round().to(torch.uint8)
    picture = Image.fromarray(bytes_.permute(1, 2, 0).numpy())
    picture.save(folder / "cat.png")
    return {
        "tensor in [0, 1]": bytes_.float() / 255,
        "uint8 tensor": bytes_,
        "batch": bytes_[None].float() / 255,
        "array, channels last": bytes_.permute(1, 2, 0).numpy(),
        "array, channels first": bytes_.numpy().astype(np.float64) / 255,
        "PIL image": picture,
        "path": folder / "cat.png",
        "path as text": str(folder / "cat.png"),
        "list": [picture],
    }[kind]


KINDS = (
    *("tensor in [0, 1]", "uint8 tensor", "batch", "array, channels last", "array, channels first"),
    *("PIL image", "path", "path as text", "list"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_any_kind_are_the_same_image(kind: str, tmp_path: Path) -> None:
    explanation = op.explain(_resnet().eval(), _as_kind(kind, tmp_path), methods="center")
    expected = (255 * _images(1)).round() / 255
    torch.testing.assert_close(explanation.images, expected.float(), rtol=0, atol=1e-6)
    assert len(explanation) == 1
    assert explanation.names == (["cat"] if "path" in kind else explanation.names)


def test_a_list_mixes_kinds_and_files_take_the_classifiers_size(tmp_path: Path) -> None:
    Image.new("RGB", (90, 50), "orange").save(tmp_path / "wide.png")
    Image.new("L", (40, 64), 30).save(tmp_path / "grey.png")
    classifier = op.as_classifier(_resnet(), image_size=(24, 40))
    explanation = op.explain(classifier, [tmp_path / "wide.png", tmp_path / "grey.png"], methods="center")
    assert explanation.images.shape == (2, 3, 24, 40)
    assert explanation.names == ["wide", "grey"]
    grey = op.explain(classifier, [np.full((24, 40), 30, np.uint8), tmp_path / "grey.png"], methods="center")
    torch.testing.assert_close(grey.images[0], grey.images[1])
    with pytest.raises(op.OverpaintError, match="the images have 2 sizes and the classifier says none"):
        op.explain(_resnet(), [tmp_path / "wide.png", tmp_path / "grey.png"])


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([], "empty list"),
        (3, "images holds a int"),
        (torch.rand(2, 2, 3, 8, 8), "images has shape"),
        (torch.rand(1, 3, 8, 8) * 3, r"images must lie in \[0, 1\]"),
        (torch.full((1, 3, 8, 8), float("nan")), r"images must lie in \[0, 1\]"),
        ("nowhere.png", "nowhere.png can't be read"),
        ([torch.rand(3, 8, 8), torch.rand(3, 9, 9)], "images have different sizes"),
        (torch.rand(1, 2, 8, 8), "2 channels|can't take images"),
    ],
)
def test_wrong_images_are_one_sentence(images: Any, said: str) -> None:
    with pytest.raises(op.OverpaintError, match=said):
        op.explain(_resnet(), images, methods="center")


def test_targets_of_any_kind() -> None:
    classifier = op.as_classifier(_resnet(), class_names=list("abcd"))

    def targets(given: Any) -> list[int]:
        return op.explain(classifier, _images(), given, methods="center").targets.tolist()

    assert targets(2) == [2, 2]
    assert targets("d") == [3, 3]
    assert targets(["a", 1]) == [0, 1, 0, 1]
    assert targets(torch.tensor([3, 1])) == [3, 1]
    assert targets(torch.tensor([[3, 1], [0, 2]])) == [3, 1, 0, 2]
    assert len(targets("top3")) == 6
    explanation = op.explain(classifier, _images(), ["a", "b"], methods="center")
    assert explanation.names == ["image-00000@a", "image-00000@b", "image-00001@a", "image-00001@b"]
    for wrong in ("e", 4, torch.tensor([4, 0]), torch.tensor([0])):
        with pytest.raises(op.OverpaintError, match="target"):
            targets(wrong)


def test_parts_by_name_as_objects_and_what_is_wrong_with_them() -> None:
    explainer = op.Explainer(
        _resnet(), ["random", Center()], metrics={"mine": Insertion(), "deletion": "deletion"}, seed=3
    )
    assert list(explainer.methods) == ["random", "center"]
    assert explainer.methods["random"].seed == 3
    assert list(explainer.metrics) == ["mine", "deletion"]
    for settings, said in (
        ({"methods": "surogate"}, "methods=surogate is unknown; did you mean surrogate"),
        ({"methods": []}, "methods names no saliency method"),
        ({"methods": [Rise(), Rise(queries=4)]}, "methods has two of the name rise"),
        ({"methods": [3]}, "methods=3 is neither a name nor a SaliencyMethod"),
        ({"metrics": [Center()]}, "is neither a name nor a SaliencyMetric"),
        ({"probes": "controls"}, r"probes=\['controls'\] ask about variants"),
    ):
        with pytest.raises(op.OverpaintError, match=said):
            op.Explainer(_resnet(), **settings)
    with pytest.raises(AttributeError, match="no attribute 'explian'; it offers"):
        op.explian  # noqa: B018


def test_variants_metrics_and_probes_of_a_generator() -> None:
    explainer = op.Explainer(
        _resnet(),
        "center",
        _gan(),
        metrics=["retention"],
        probes=[Controls(draws=2)],
        region=RegionRule(fills=["sample", "mean"]),
        search=SEARCH,
        seeds=2,
    )
    explanation = explainer.explain(_images())
    assert explanation.variants is not None
    assert explanation.variants.images.shape == (2, 4, 3, 32, 32)
    outside = ~explanation.region[:, None, None].expand_as(explanation.variants.images)
    kept = explanation.images[:, None].expand_as(explanation.variants.images)
    assert torch.equal(explanation.variants.images[outside], kept[outside])
    assert "acceptance_rate_patch" in explanation.probes["controls"][0].numbers
    alone = explainer.explain(_images()[1:])
    assert torch.equal(alone.variants.images[0], explanation.variants.images[1])
    assert "4 variants each" in repr(explanation)


class Painter(nn.Module):
    """Someone else's generator: latents (n, 5, 1, 1), images in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.ConvTranspose2d(5, 4, 4), nn.BatchNorm2d(4), nn.ConvTranspose2d(4, 3, 4, 4))

    def forward(self, latents: Tensor) -> Tensor:
        return self.layers(latents).tanh()


def _painter() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Painter().eval()


def test_a_generator_of_ones_own_with_and_without_a_discriminator() -> None:
    gan = op.as_generator(_painter(), latent_dim=5)
    assert gan.generator.output_size == (16, 16)
    latents = gan.generator.sample_latents(3, image_rng(_images(1)[0], 0))
    torch.testing.assert_close(gan.generator(latents), (_painter()(latents[:, :, None, None]) + 1) / 2)
    without = op.explain(_resnet(), _images(), methods="center", generator=gan, search=SEARCH).variants
    assert without.realism.isnan().all()
    assert without.contextual_losses.isfinite().all()
    judge = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 1), nn.Sigmoid()).eval()
    gan = op.as_generator(_painter(), 5, discriminator=judge, discriminator_output="probabilities")
    images = _images(2, (16, 16))
    torch.testing.assert_close(gan.discriminator(images).sigmoid(), judge(2 * images - 1)[:, 0])
    scored = op.explain(_resnet(), _images(), methods="center", generator=gan, search=SEARCH).variants
    assert scored.realism.isfinite().all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"latent_dim": 6}, "takes no latents of length 6"),
        ({"latent_dim": 5, "range": "unit"}, "outside of .* of range=unit"),
        ({"latent_dim": 0}, "latent_dim=0 must be at least 1"),
        ({}, "as_generator needs latent_dim"),
    ],
)
def test_a_generator_that_is_not_what_is_said_of_it(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(op.OverpaintError, match=said):
        op.as_generator(_painter(), **settings)


def test_an_explanation_is_drawn_shown_and_saved(tmp_path: Path) -> None:
    explanation = op.explain(
        _resnet(), _images(), ["0", "1"], [SURROGATE, "center"], _gan(), ["insertion"], search=SEARCH
    )
    assert isinstance(explanation.plot(), Figure)
    assert isinstance(explanation.plot(-1), Figure)
    with pytest.raises(IndexError):
        explanation.plot(4)
    assert explanation._repr_html_().count("<img") == 4
    report = explanation.save(tmp_path / "out")
    assert report.read_text().startswith("<!doctype html>")
    folders = sorted(path for path in report.parent.iterdir() if path.is_dir())
    assert [read_result(folder)["name"] for folder in folders] == explanation.names
    with np.load(folders[1] / "saliency.npz") as arrays:
        np.testing.assert_array_equal(arrays["map_rise"], explanation.maps["rise"][1])
    for file in ("results.csv", "leaderboard.csv", "summary.json"):
        assert (report.parent / file).is_file()
