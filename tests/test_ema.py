"""The moving average of weights, by its formula."""

import pytest
import torch
from torch import nn

from overpaint.training.ema import ExponentialMovingAverage


@pytest.mark.parametrize("decay", [0.0, 0.75, 1.0])
def test_average_moves_parameters_and_buffers(decay: float) -> None:
    def network(seed: int) -> nn.Sequential:
        layers = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        rng = torch.Generator().manual_seed(seed)
        for value in (*layers.parameters(), *layers.buffers()):
            if value.is_floating_point():
                value.data.copy_(torch.rand(value.shape, generator=rng))
            else:
                value.fill_(seed)
        return layers

    averaged, present = network(7), network(8)
    before = {name: value.clone() for name, value in averaged.state_dict().items()}
    ema = ExponentialMovingAverage(averaged, decay)
    ema.n_averaged.fill_(10**9)  # after the warm-up
    ema.update_parameters(present)
    averaged = ema.module
    for name, value in averaged.state_dict().items():
        now = present.state_dict()[name]
        expected = decay * before[name] + (1 - decay) * now if value.is_floating_point() else now
        torch.testing.assert_close(value, expected)
    assert int(averaged.state_dict()["1.num_batches_tracked"]) == 8
    assert not torch.equal(before["1.running_mean"], present.state_dict()["1.running_mean"])


def test_averages_follow_the_geometric_series() -> None:
    averaged, present = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.zeros_(averaged.weight)
    nn.init.ones_(present.weight)
    ema = ExponentialMovingAverage(averaged, 0.9)
    ema.n_averaged.fill_(10**9)  # after the warm-up
    for _ in range(10):
        ema.update_parameters(present)
    averaged = ema.module
    assert averaged.weight.item() == pytest.approx(1 - 0.9**10, rel=1e-6)
    assert averaged.weight.requires_grad
    assert present.weight.item() == 1


def test_the_decay_warms_up_and_goes_on_from_a_checkpoint() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    ema = ExponentialMovingAverage(network, 0.5)
    nn.init.ones_(network.weight)
    expected = 0.0
    for n in range(1, 31):
        if n == 4:
            state = ema.state_dict()
            ema = ExponentialMovingAverage(nn.Linear(1, 1, bias=False), 0.5)
            ema.load_state_dict(state)
        ema.update_parameters(network)
        decay = min(0.5, (1 + n) / (10 + n))
        expected = decay * expected + 1 - decay
        assert ema.module.weight.item() == pytest.approx(expected, rel=1e-6)
    assert ema(torch.ones(1, 1)).item() == ema.module.weight.item()
