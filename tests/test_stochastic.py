"""A method's maps differ with the seed exactly where it says so."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import noise_images
from omegaconf import OmegaConf
from torch import Tensor

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintWarning
from overpaint.core.instantiate import instantiate
from overpaint.inpainting.region import is_flat
from overpaint.perturbation.engine import Engine, compute_maps
from overpaint.saliency.captum_method import CaptumMethod

FILES = sorted((Path(__file__).parents[1] / "configs" / "saliency").glob("*.yaml"))
CHEAP = {"queries": 64, "chains": 8, "samples": 4, "steps": 4, "rounds": 1}


IMAGES = noise_images(1, 4, 3).repeat_interleave(8, 2).repeat_interleave(8, 3)
"""Patches of colour: in noise SLIC finds a single segment."""


def _section(file: Path, seed: int) -> dict[str, Any]:
    whole: Any = OmegaConf.to_container(OmegaConf.create({"seed": seed, "method": OmegaConf.load(file)}), resolve=True)
    section: dict[str, Any] = whole["method"]
    return section | {name: value for name, value in CHEAP.items() if name in section}


def _maps(method: Any, classifier: NetworkClassifier) -> Tensor:
    engine = Engine(classifier, batch_size=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverpaintWarning)  # four steps are few for integrated gradients
        maps = compute_maps(method, classifier, IMAGES, torch.tensor([[1]]), engine).maps
    assert not bool(is_flat(maps).any())
    return maps


def _differ(methods: list[Any], classifier: NetworkClassifier) -> bool:
    first, second = (_maps(method, classifier) for method in methods)
    return not torch.equal(first, second)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_two_seeds_differ_exactly_where_a_method_is_stochastic(file: Path, network: NetworkClassifier) -> None:
    methods = [instantiate(_section(file, seed), file.stem) for seed in (0, 1)]
    assert _differ(methods, network) is methods[0].is_stochastic


WITH_BASELINE = [file for file in FILES if "baseline" in _section(file, 0)]


@pytest.mark.parametrize("file", WITH_BASELINE, ids=lambda file: file.stem)
def test_a_baseline_of_noise_makes_any_method_stochastic(file: Path, network: NetworkClassifier) -> None:
    methods = [instantiate(_section(file, seed) | {"baseline": "noise"}, file.stem) for seed in (0, 1)]
    assert methods[0].is_stochastic
    assert _differ(methods, network)


def test_a_baseline_that_is_an_image_draws_nothing() -> None:
    file = next(file for file in WITH_BASELINE if file.stem == "occlusion")
    assert not instantiate(_section(file, 0), "occlusion", baseline=torch.zeros(3, 32, 32)).is_stochastic


BLOCKS = (torch.arange(1024).reshape(32, 32) // 128)[None, None]
CAPTUM: dict[str, dict[str, Any]] = {
    "DeepLift": {"baselines": "mean"},
    "GradientShap": {"baselines": "mean", "n_samples": 3, "stdevs": 0.1},
    "KernelShap": {"baselines": "mean", "n_samples": 20, "feature_mask": BLOCKS},
    "ShapleyValueSampling": {"baselines": "mean", "n_samples": 2, "feature_mask": BLOCKS},
    "IntegratedGradients": {"baselines": "noise", "n_steps": 4},
    "FeatureAblation": {"baselines": "mean", "feature_mask": BLOCKS},
}


@pytest.mark.parametrize("name", CAPTUM)
def test_captums_classes_too(name: str, network: NetworkClassifier) -> None:
    methods = [CaptumMethod(name, CAPTUM[name], seed=seed) for seed in (0, 1)]
    assert _differ(methods, network) is methods[0].is_stochastic
    assert methods[0].is_stochastic is (name not in ("DeepLift", "FeatureAblation"))
