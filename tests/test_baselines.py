"""The line across what a mask hides in a series, against numpy's interpolation."""

import numpy as np
import pytest
import torch
from conftest import FunctionClassifier
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.perturbation.baselines import LineAcross, baseline_image, fill_of, masked
from overpaint.perturbation.engine import Engine
from overpaint.saliency.integrated_gradients import IntegratedGradients
from overpaint.saliency.occlusion import Occlusion
from overpaint.saliency.rise import Rise

LENGTH = 24


def _rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _classifier() -> FunctionClassifier:
    classifier = FunctionClassifier(lambda x: x[:, 0, 8:16].mean(1), channels=2, dimensions=1)
    classifier.mean = torch.tensor([0.3, 0.6]).reshape(1, 2, 1)
    return classifier


def _line(series: Tensor, mask: Tensor, mean: Tensor) -> Tensor:
    kept = np.flatnonzero(mask.numpy() >= 0.5)
    if not len(kept):
        return mean.expand(len(series), LENGTH)
    lines = [np.interp(np.arange(LENGTH), kept, channel[kept]) for channel in series.double().numpy()]
    return torch.from_numpy(np.stack(lines)).float()


@pytest.mark.parametrize("hard", [True, False])
def test_holes_are_crossed_by_a_straight_line(hard: bool) -> None:
    series, masks = 4 * _rand(2, LENGTH) - 1, _rand(40, LENGTH, seed=1)
    masks[:8] *= 0.49 + torch.linspace(0, 0.5, 8)[:, None]
    masks[0], masks[1] = 0, 1
    masks = (masks > 0.5).float() if hard else masks
    classifier = _classifier()
    fill = fill_of("linear", classifier, series, 0)
    assert isinstance(fill, LineAcross)
    shown = masked(series, fill, masks)
    for mask, found in zip(masks, shown, strict=True):
        expected = torch.lerp(_line(series, mask, classifier.mean[0]), series, mask)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert torch.equal(shown[1], series)


def test_a_ramp_has_no_hole_that_is_seen() -> None:
    """Occlusion by the line leaves a ramp as it is, so that nothing on it matters; by the mean everything does."""
    series = torch.linspace(0, 1, 32).expand(1, 2, 32).clone()
    classifier, targets = _classifier(), torch.tensor([[1]])
    flat = Engine(classifier).run_methods({"": Occlusion(0.25, 2, "linear")}, series, targets)[""].maps
    seen = Engine(classifier).run_methods({"": Occlusion(0.25, 2, "mean")}, series, targets)[""].maps
    inside = slice(8, 24)  # holes at the ends have one end alone
    torch.testing.assert_close(flat[:, inside], torch.zeros_like(flat[:, inside]), rtol=0, atol=1e-6)
    assert float(seen.abs().max()) > 0.05


def test_where_the_line_has_no_meaning() -> None:
    classifier, series = _classifier(), _rand(2, LENGTH)
    with pytest.raises(OverpaintError, match="here nothing is masked; take mean"):
        baseline_image("linear", classifier, series, 0)
    with pytest.raises(OverpaintError, match="across a hole in a series; for images"):
        fill_of("linear", classifier, _rand(2, 8, 8), 0)


def test_the_default_is_the_line_for_series_and_the_mean_for_images() -> None:
    classifier, series = _classifier(), _rand(2, LENGTH)
    assert isinstance(fill_of(Rise().baseline, classifier, series, 0), LineAcross)
    pictures = FunctionClassifier(lambda x: x[:, 0].mean((1, 2)))
    assert torch.equal(fill_of("auto", pictures, _rand(1, 8, 8), 0), torch.zeros(1, 8, 8))
    assert torch.equal(baseline_image("auto", classifier, series, 0), classifier.mean[0].expand(2, LENGTH))


def test_another_series_is_a_baseline() -> None:
    classifier, series, other = _classifier(), _rand(2, LENGTH), _rand(2, LENGTH, seed=3) + 1
    assert torch.equal(masked(series, fill_of(other, classifier, series, 0), torch.zeros(1, LENGTH))[0], other)
    assert IntegratedGradients(baseline=other).baseline is other
