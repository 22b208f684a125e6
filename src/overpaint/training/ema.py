"""The exponential moving average (EMA) of a network's weights."""

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = list[Tensor] | tuple[Tensor, ...]


class ExponentialMovingAverage(AveragedModel):
    """Moves each parameter and buffer towards the network's: ``a ← decay · a + (1 - decay) · w``.

    In the ``n``-th update the decay is ``min(decay, (1 + n) / (10 + n))``, so that the first, random weights are soon
    forgotten, as in TensorFlow's ``ExponentialMovingAverage`` with ``num_updates``. Buffers that are not floating-point
    are copied. (torch's ``get_ema_multi_avg_fn`` has one decay from the start, and averages whole numbers, too.)

    Args:
        network: The network; the average starts as a copy of it.
        decay: The decay.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__(network, multi_avg_fn=self._move, use_buffers=True)
        self.decay = decay
        self.n_averaged.fill_(1)  # AveragedModel would overwrite the copy in the first update

    n_averaged: Tensor

    def _move(self, averaged: Tensors, current: Tensors, updates: Tensor | int) -> None:
        n = int(updates)
        weight = 1 - min(self.decay, (1 + n) / (10 + n))
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, weight)
            else:
                mean.copy_(value)
