"""The bundled series: the formula, its ranges and moments, the annotated stretch, the scale."""

import math

import pytest
import torch
from torch import Tensor

from overpaint.core.errors import OverpaintError
from overpaint.core.scale import SeriesScale
from overpaint.data.module import ImageData
from overpaint.data.series.cylinder_bell_funnel import (
    CLASS_NAMES,
    CylinderBellFunnelData,
    Pulses,
    draw_pulses,
    pulse_heights,
)
from overpaint.data.series.module import MARGIN, scale_of
from overpaint.data.split import channel_statistics

COUNT = 20000


@pytest.fixture(scope="module")
def pulses() -> Pulses:
    return draw_pulses(COUNT, torch.Generator().manual_seed(3))


def _data(seed: int = 0, length: int | None = None) -> CylinderBellFunnelData:
    data = CylinderBellFunnelData(300, 20, 50, length=length, seed=seed)
    data.setup()
    return data


def test_onset_and_length_have_every_value_of_their_range_equally_often(pulses: Pulses) -> None:
    for values, low, high in ((pulses.onsets, 16, 32), (pulses.ends - pulses.onsets, 32, 96)):
        counts = values.bincount(minlength=high + 1)
        assert int(counts[:low].sum()) == 0
        assert len(counts) == high + 1
        expected = COUNT / (high - low + 1)
        assert bool(((counts[low:] - expected).abs() < 5 * math.sqrt(expected)).all())
    assert int(pulses.ends.max()) <= 128


def test_amplitude_and_noise_have_the_moments_of_their_distributions(pulses: Pulses) -> None:
    for values, mean in ((pulses.amplitudes, 6.0), (pulses.noise, 0.0)):
        count = values.numel()
        assert float(values.double().mean()) == pytest.approx(mean, abs=5 / math.sqrt(count))
        assert float(values.double().var()) == pytest.approx(1, abs=5 * math.sqrt(2 / count))
    assert pulses.labels.bincount().tolist() == pytest.approx([COUNT / 3] * 3, abs=5 * math.sqrt(COUNT / 3))


@pytest.mark.parametrize("label", [0, 1, 2])
def test_each_step_follows_the_formula_and_both_ends_are_inside(label: int) -> None:
    a, b, amplitude = 20, 60, 5.0
    drawn = Pulses(
        torch.tensor([label]), torch.tensor([a]), torch.tensor([b]), torch.tensor([amplitude]), torch.zeros(1, 128)
    )
    found = pulse_heights(drawn)[0]
    for t in range(1, 129):
        shape = [1.0, (t - a) / (b - a), (b - t) / (b - a)][label]
        expected = amplitude * shape if a <= t <= b else 0.0
        assert float(found[t - 1]) == pytest.approx(expected, abs=1e-5)


def test_the_annotated_stretch_is_where_the_pulse_is_higher_than_the_noise(pulses: Pulses) -> None:
    test = _data().test
    assert test.ground_truth is not None
    rng = torch.Generator().manual_seed(2)
    own = draw_pulses(50, rng)
    for index, label in enumerate(test.labels.tolist()):
        inside = test.ground_truth[index].of_class(label)
        assert inside.tolist() == [float(height) > 1 for height in pulse_heights(own)[index]]
        assert not bool(test.ground_truth[index].of_class((label + 1) % 3).any())
    heights = pulse_heights(pulses)
    share = (heights > 0).double().mean(), (heights > 1).double().mean()
    assert float(share[0]) == pytest.approx(0.5, abs=0.01)  # a cylinder's 65 steps, the other two have one of 0
    assert 0.42 < float(share[1]) < 0.48


def test_same_seed_same_series_in_any_order() -> None:
    data, again, other = _data(), _data(), _data(seed=1)
    for name in ("train", "val", "test"):
        first: Tensor = getattr(data, name).images
        assert torch.equal(first, getattr(again, name).images)
        assert not torch.equal(first, getattr(other, name).images)
    rows, _ = data.open_split("test").read([7, 3])
    assert torch.equal(rows.images, data.test.images[[7, 3]])
    assert list(rows.names) == ["test-00007", "test-00003"]
    assert data.open_split("test").stamp is not None


def test_values_lie_about_in_the_unit_range_and_come_back_in_their_units() -> None:
    data = _data()
    train, values = data.train.images, data.training_values()
    assert train.shape == (300, 1, 128)
    assert train.dtype == torch.float32
    assert float(train.amin()) == pytest.approx(MARGIN / (1 + 2 * MARGIN), abs=1e-5)
    assert float(train.amax()) == pytest.approx(1 - MARGIN / (1 + 2 * MARGIN), abs=1e-5)
    assert torch.allclose(data.scale.in_units(train), values, atol=1e-5)
    batch = data.train.__getitems__([4, 2])
    assert torch.equal(batch.images, train[[4, 2]])
    mean, std = channel_statistics(train)
    assert mean == pytest.approx([float(train.mean())], abs=1e-5)
    assert std == pytest.approx([float(train.std())], abs=1e-5)


def test_a_given_scale_is_used_and_a_wrong_one_refused() -> None:
    given = SeriesScale([-10.0], [30.0])
    data = CylinderBellFunnelData(4, 2, 3, scale=given)
    data.setup("test")
    assert data.scale == given
    with pytest.raises(OverpaintError, match="takes 2 channels, but the series have 1"):
        CylinderBellFunnelData(4, 2, 3, scale=SeriesScale([0.0, 0.0], [1.0, 1.0]))


def test_another_length_stretches_series_and_annotation() -> None:
    short, whole = _data(length=64), _data()
    assert short.input_size == (64,)
    assert short.test.images.shape == (50, 1, 64)
    assert short.test.ground_truth is not None
    assert whole.test.ground_truth is not None
    for index, label in enumerate(whole.test.labels.tolist()):
        halves = whole.test.ground_truth[index].of_class(label).reshape(64, 2).float().mean(1)
        found = short.test.ground_truth[index].of_class(label)
        assert int((found != (halves > 0.5)).sum()) <= 2  # at its two ends


def test_a_wrong_value_does_not_widen_the_scale_and_a_constant_channel_has_one() -> None:
    values = torch.zeros(100, 2, 50)
    values[:, 0] = torch.randn(100, 50, generator=torch.Generator().manual_seed(0))
    usual, extent = scale_of(values), float(values[:, 0].amax() - values[:, 0].amin())
    assert usual.high[0] - usual.low[0] == pytest.approx((1 + 2 * MARGIN) * extent, rel=1e-5)
    values[3, 0, 7] = 1e4
    spiked = scale_of(values)
    assert spiked.low[0] < usual.high[0] < spiked.high[0] < 5 * usual.high[0]
    assert (spiked.low[1], spiked.high[1]) == (-0.5, 0.5)


def test_sizes_of_another_kind_of_data_are_refused() -> None:
    assert CylinderBellFunnelData.size_argument((64,)) == {"length": 64}
    with pytest.raises(OverpaintError, match="series of a length, which 32x32 is not"):
        CylinderBellFunnelData.size_argument((32, 32))
    with pytest.raises(OverpaintError, match="images of a height and a width, which 128 is not"):
        ImageData.size_argument((128,))


def test_the_classes_are_named() -> None:
    assert _data().class_names == list(CLASS_NAMES) == ["cylinder", "bell", "funnel"]
