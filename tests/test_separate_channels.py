"""Maps of each channel of a series: the right channel is found, sums and errors add up, files keep them."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier
from torch import Tensor, nn

import overpaint as op
from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.protocols import SaliencyMethod
from overpaint.perturbation.baselines import LineAcross, masked
from overpaint.perturbation.engine import Engine, compute_maps
from overpaint.perturbation.separate_channels import SeparateChannels
from overpaint.saliency.gradient import Gradient
from overpaint.saliency.iassa import Iassa
from overpaint.saliency.integrated_gradients import IntegratedGradients
from overpaint.saliency.lime import Lime
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.occlusion import Occlusion
from overpaint.saliency.rise import Rise
from overpaint.saliency.smooth_grad import SmoothGrad
from overpaint.saliency.surrogate import Surrogate

CHANNELS, LENGTH = 3, 64
PLANTED = slice(20, 32)
SAMPLING: dict[str, SaliencyMethod] = {
    "surrogate": Surrogate(queries=256, baseline="black"),
    "rise": Rise(queries=512, baseline="black"),
    "mask_estimation": MaskEstimation(queries=512, baseline="black"),
    "lime": Lime(queries=256, baseline="black"),
    "occlusion": Occlusion(baseline="black"),
    "iassa": Iassa(baseline="black"),
}


def _planted() -> FunctionClassifier:
    """Class 1 is decided by the steps 20 to 31 of channel 1, over a hum in the others."""
    return FunctionClassifier(lambda series: 0.8 * series[:, 1, PLANTED].mean(1) + 0.1, CHANNELS, dimensions=1)


def _series(rows: int = 1) -> Tensor:
    return torch.ones(rows, CHANNELS, LENGTH)


def _network() -> NetworkClassifier:
    torch.manual_seed(0)
    layers = [nn.Conv1d(CHANNELS, 8, 5, padding=2), nn.Tanh(), nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(32, 3)]
    means = [0.5] * CHANNELS
    return NetworkClassifier(nn.Sequential(*layers), ["a", "b", "c"], [LENGTH], means, [0.25] * CHANNELS).eval()


@pytest.mark.parametrize("method", SAMPLING.values(), ids=SAMPLING.keys())
def test_the_planted_stretch_is_found_in_its_channel_alone(method: SaliencyMethod) -> None:
    found = op.explain(_planted(), _series(), 1, methods={"own": method}, channels="separate")
    maps = found.maps_by_channel["own"][0]
    assert maps.shape == (CHANNELS, LENGTH)
    channel, step = divmod(int(maps.argmax()), LENGTH)
    assert channel == 1
    assert PLANTED.start - 4 <= step < PLANTED.stop + 4
    assert maps[[0, 2]].abs().max() < 0.05 * maps[1].max()  # the others say nothing


def test_a_mask_hides_one_channel_and_costs_as_many_queries_for_each() -> None:
    classifier = _planted()
    found = op.explain(classifier, _series(), 1, methods={"own": Occlusion(baseline="black")}, channels="separate")
    joint = op.explain(classifier, _series(), 1, methods={"own": Occlusion(baseline="black")})
    torch.testing.assert_close(found.maps_by_channel["own"][0, 1], joint.maps["own"][0])  # nothing else matters here
    assert int(found.queries["own"]) == CHANNELS * int(joint.queries["own"])
    assert joint.maps_by_channel == {}


def test_maps_and_errors_add_up() -> None:
    found = op.explain(_planted(), _series(2), "top2", methods=["surrogate"], channels="separate")
    maps, errors = found.maps_by_channel["surrogate"], found.standard_errors_by_channel["surrogate"]
    assert maps.shape == errors.shape == (4, CHANNELS, LENGTH)
    torch.testing.assert_close(found.maps["surrogate"], maps.sum(1))
    torch.testing.assert_close(found.standard_errors["surrogate"], errors.square().sum(1).sqrt())


def test_signed_gradients_of_channels_are_those_of_the_series() -> None:
    classifier, series = _network(), torch.rand(2, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(1))
    found = op.explain(classifier, series, 0, methods={"own": Gradient(sign="signed")}, channels="separate")
    inputs = series.clone().requires_grad_()
    (expected,) = torch.autograd.grad(classifier.logits(inputs)[:, 0].sum(), inputs)
    torch.testing.assert_close(found.maps_by_channel["own"], expected, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(found.maps["own"], expected.sum(1), rtol=1e-5, atol=1e-7)


def test_integrated_gradients_are_complete_in_each_channel() -> None:
    classifier, series = _network(), torch.rand(1, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(1))
    own = IntegratedGradients(baseline="black")
    found = op.explain(classifier, series, 0, methods={"own": own}, channels="separate")
    for channel in range(CHANNELS):
        without = series.clone()
        without[:, channel] = 0
        difference = (classifier.logits(series) - classifier.logits(without))[0, 0].detach()
        assert float(found.maps_by_channel["own"][0, channel].sum()) == pytest.approx(float(difference), abs=1e-3)


def test_the_network_is_left_as_it_was_and_noise_has_its_error() -> None:
    classifier, series = _network(), torch.rand(1, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(1))
    found = op.explain(classifier, series, 0, methods={"own": SmoothGrad(samples=8)}, channels="separate")
    assert found.standard_errors_by_channel["own"].shape == (1, CHANNELS, LENGTH)
    assert int(found.queries["own"]) == 8 * CHANNELS
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_maps_do_not_depend_on_the_batch() -> None:
    series = torch.rand(3, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(2))
    explain = functools.partial(op.explain, _network(), targets=0, channels="separate")
    explain = functools.partial(explain, methods=["surrogate", "gradient"])
    together = explain(series)
    for row in range(3):
        alone = explain(series[row : row + 1])
        for name in together.maps:
            torch.testing.assert_close(
                together.maps_by_channel[name][row], alone.maps_by_channel[name][0], rtol=1e-5, atol=1e-6
            )


def test_channels_are_masked_apart_and_a_line_crosses_each_of_them() -> None:
    series = torch.arange(12.0).reshape(2, 6)
    masks = torch.ones(1, 2, 6)
    masks[0, 1, 2:4] = 0
    bent = series.clone()
    bent[1, 2:4] = 40
    seen = masked(bent, LineAcross(bent, torch.zeros_like(bent)), masks)
    torch.testing.assert_close(seen[0], series)  # the straight line that it was


def test_metrics_that_run_a_method_again_run_it_for_each_channel() -> None:
    classifier, series = _network(), torch.rand(1, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(3))
    explain = functools.partial(op.explain, classifier, series, 0, {"own": Gradient(sign="signed")})
    found = explain(metrics=["sensitivity_max"], channels="separate")
    joint = explain(metrics=["sensitivity_max"])
    assert float(found.metrics["own"]["sensitivity_max"]) == pytest.approx(
        float(joint.metrics["own"]["sensitivity_max"]), rel=1e-4
    )


def test_an_engine_shares_the_queries_of_the_channels() -> None:
    classifier = _planted()
    separate = SeparateChannels(Rise(queries=64, baseline="black"), CHANNELS)
    found = compute_maps(separate, classifier, _series(), torch.ones(1, 1, dtype=torch.long), Engine(classifier))
    assert found.by_channel is not None
    assert int(found.queries) == 64 * CHANNELS


@pytest.mark.parametrize(
    ("classifier", "images", "why"),
    [
        (FunctionClassifier(lambda s: s.mean((1, 2)), 1, dimensions=1), torch.ones(1, 1, 32), "series of one channel"),
        (FunctionClassifier(lambda s: s.mean((1, 2, 3)), 3), torch.ones(1, 3, 32, 32), "takes images"),
    ],
)
def test_what_has_no_channels_to_explain_is_refused(classifier: Any, images: Tensor, why: str) -> None:
    with pytest.raises(OverpaintError, match=f"channels=separate .*{why}"):
        op.explain(classifier, images, 1, methods=["occlusion"], channels="separate")


def test_methods_that_look_at_layers_are_left_out() -> None:
    series = torch.rand(1, CHANNELS, LENGTH, generator=torch.Generator().manual_seed(1))
    with pytest.warns(OverpaintWarning, match="grad_cam is left out: this classifier has layers that see all"):
        found = op.explain(_network(), series, 0, methods=["gradient", "grad_cam"], channels="separate")
    assert list(found.maps) == ["gradient"]


def test_files_and_pictures_keep_the_channels(tmp_path: Path) -> None:
    found = op.explain(_planted(), _series(), 1, methods=["surrogate"], channels="separate")
    found.save(tmp_path)
    (file,) = tmp_path.glob("*/saliency.npz")
    with np.load(file) as arrays:
        np.testing.assert_array_equal(arrays["channels_surrogate"], found.maps_by_channel["surrogate"][0].numpy())
        assert arrays["error_channels_surrogate"].shape == (CHANNELS, LENGTH)
    strips = [axes for axes in found.plot().axes if axes.images]
    assert strips[0].images[0].get_array().shape[0] == CHANNELS  # type: ignore[union-attr]
