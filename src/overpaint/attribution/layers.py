"""The layers of a network whose output is a map of the image."""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from overpaint.attribution.state import network_of, preserve_state
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.protocols import Classifier

MOST_EXTRA = 9
"""Tokens beside those of the patches that a transformer may have: a class token and up to eight registers."""

RESHAPING = (nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd, nn.Dropout)
"""Layers that make no features; they may even stretch a small map (VGG's pooling does)."""


@dataclass(frozen=True)
class Layout:
    """How a map lies in a layer's output.

    Attributes:
        grid: The map's cells along each axis.
        channels_last: Whether the channels are the last axis, as in a transformer.
        extra: Tokens before the grid's (class and register tokens).
    """

    grid: tuple[int, ...]
    channels_last: bool = False
    extra: int = 0

    def fold(self, values: Tensor) -> Tensor:
        """Brings an output (or its gradient) to ``(batch, channel, *grid)``."""
        if not self.channels_last:
            return values
        tokens = values.flatten(1, -2)[:, self.extra :].movedim(-1, 1)
        return tokens.reshape(*tokens.shape[:2], *self.grid)


@dataclass(frozen=True)
class SpatialLayer:
    """A layer that Grad-CAM can look at."""

    name: str
    channels: int
    layout: Layout


class LayoutReader:
    """Tells of each output of a forward pass how it holds a map, from what the pass has shown so far.

    - ``(batch, channel, *grid)`` and ``(batch, *grid, channel)`` are maps if the grid has the proportions of the
      network's input; where both fit, the channels are first;
    - ``(batch, token, channel)`` is one if the tokens are the cells of a map seen before (the patches) and up to
      `MOST_EXTRA` others, which come first; or, without such a map, the largest square that leaves so few.
    """

    def __init__(self) -> None:
        self.batch = 0
        self.space: tuple[int, ...] = ()
        self._grids: list[tuple[int, ...]] = []
        self._lengths: set[int] = set()

    def begin(self, inputs: Tensor) -> None:
        """Notes the network's input."""
        self.batch, self.space = len(inputs), tuple(inputs.shape[2:])

    def layout(self, output: Any) -> Layout | None:
        """Returns how an output holds a map; None if it holds none."""
        if not isinstance(output, Tensor) or output.ndim < 3 or len(output) != self.batch:
            return None
        shape = tuple(output.shape[1:])
        if len(shape) == len(self.space) + 1:
            if self._fits(shape[1:]):
                self._grids.append(shape[1:])
                return Layout(shape[1:])
            return Layout(shape[:-1], channels_last=True) if self._fits(shape[:-1]) else None
        return self._of_tokens(shape[0]) if len(shape) == 2 == len(self.space) else None

    def _fits(self, grid: tuple[int, ...]) -> bool:
        if any(not 1 < cells <= pixels for cells, pixels in zip(grid, self.space, strict=True)):
            return False
        if set(grid) & self._lengths:  # attention weights, or the heads of a transformer's queries
            return False
        # The same stride along each axis; where the input is not square, rounding may cost a cell.
        spread = [cells * max(self.space) / pixels for cells, pixels in zip(grid, self.space, strict=True)]
        return max(spread) - min(spread) <= (0 if len(set(self.space)) == 1 else max(self.space) / min(self.space))

    def _of_tokens(self, tokens: int) -> Layout | None:
        self._lengths.add(tokens)
        for grid in reversed(self._grids):
            extra = tokens - math.prod(grid)
            if 0 <= extra <= MOST_EXTRA and 2 * extra < math.prod(grid):
                return Layout(grid, channels_last=True, extra=extra)
        side = math.isqrt(tokens)
        extra = tokens - side**2
        square = self.space[0] == self.space[1] and 1 < side <= self.space[0]
        if square and (extra == 0 or (not self._grids and extra <= MOST_EXTRA and 2 * extra < side**2)):
            return Layout((side, side), channels_last=True, extra=extra)
        return None


@contextmanager
def watched(
    layers: Mapping[str, nn.Module], reader: LayoutReader, note: Callable[[str, Any, Layout | None], Any]
) -> Iterator[None]:
    """Calls ``note`` with the name, output and layout of each layer as it finishes; what it returns is passed on.

    Args:
        layers: The layers by name; that of the empty name is the whole network.
        reader: Tells the layouts.
        note: Returns None, or an output in the place of the layer's.
    """

    def hook(name: str) -> Callable[[nn.Module, Any, Any], Any]:
        return lambda _module, _inputs, output: note(name, output, reader.layout(output))

    handles = [layers[""].register_forward_pre_hook(lambda _module, inputs: reader.begin(inputs[0]))]
    handles += [module.register_forward_hook(hook(name)) for name, module in layers.items() if name]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Probe:
    """One forward pass over noise, whose outputs are kept: a layer is chosen by the network, not by the images.

    A layer counts if it holds a map and a gradient comes to the map's cells. In the last block of a vision transformer
    that ends where the patches have been mixed for the last time: after it, only the class token is read.
    """

    def __init__(self, classifier: Classifier, network: nn.Module, images: Tensor) -> None:
        rng = torch.Generator().manual_seed(0)
        rows = 2 if network.training else 1  # a batch norm in train mode needs two
        inputs = torch.rand(rows, *images.shape[1:], generator=rng).to(images.device)
        passing = tuple(name for name, module in network.named_modules() if isinstance(module, RESHAPING))
        found: dict[str, tuple[Tensor, Layout]] = {}

        def note(name: str, output: Any, layout: Layout | None) -> Any:
            found.pop(name, None)  # a shared module counts at its last call
            if layout is None:
                return None
            if name not in passing:
                found[name] = (output, layout)
            return output.clone()  # a later in-place operation must not change what is kept

        with watched(dict(network.named_modules()), LayoutReader(), note):
            logits = classifier.logits(inputs.requires_grad_())
        self.score = (logits * torch.rand(logits.shape, generator=rng).to(logits)).sum()
        self.layers = [
            (SpatialLayer(name, layout.fold(output).shape[1], layout), output)
            for name, (output, layout) in found.items()
            if output.requires_grad
        ]

    def reached(self, start: int = 0) -> list[SpatialLayer]:
        """Returns the layers that count, from the ``start``-th on."""
        return [layer for layer, gradient in self._gradients(start) if bool(layer.layout.fold(gradient).any())]

    def last_joined(self) -> SpatialLayer | None:
        """Returns the last layer that the scores are computed from, if every gradient there is zero."""
        joined = self._gradients(0)
        return None if not joined or any(bool(gradient.any()) for _, gradient in joined) else joined[-1][0]

    def _gradients(self, start: int) -> list[tuple[SpatialLayer, Tensor]]:
        """Returns the layers that the scores are computed from, from the ``start``-th on, with their gradients."""
        if not self.layers[start:]:
            return []
        layers, outputs = zip(*self.layers[start:], strict=True)
        gradients = torch.autograd.grad(self.score, outputs, retain_graph=True, allow_unused=True)
        return [(layer, g) for layer, g in zip(layers, gradients, strict=True) if g is not None]

    def last_reached(self) -> SpatialLayer | None:
        """Returns the last layer that counts; the backward pass goes no further than to it."""
        starts = range(len(self.layers) - 1, -1, -1)
        return next((found[-1] for start in starts if (found := self.reached(start))), None)


def spatial_layers(classifier: Classifier, images: Tensor) -> list[SpatialLayer]:
    """Returns the layers with a spatial map that the logits depend on, in the order in which they finish.

    Raises:
        OverpaintError: If the classifier has no network.
    """
    with preserve_state(classifier, "a layer's map") as network:
        return _Probe(classifier, network, images).reached()


def choose_layer(classifier: Classifier, images: Tensor, layer: str, method: str) -> str:
    """Returns the name of the layer to look at; called where the network is guarded, see `preserve_state`.

    Args:
        classifier: The classifier.
        images: Images of the size to explain.
        layer: A layer's name, or ``auto`` for the last one with a spatial map.
        method: The method's name, for errors.

    Raises:
        OverpaintError: If there is no such layer.
    """
    network = network_of(classifier, method)
    if layer != "auto":
        if layer not in dict(network.named_modules()):
            raise impossible_layer(classifier, images, layer, method)
        return layer
    probe = _Probe(classifier, network, images)
    last = probe.last_reached()
    if last is None:
        last = probe.last_joined()
        if last is None:
            raise OverpaintError(
                f"{method} found no layer with a spatial map that the scores of the classifier's network depend on"
            )
        warnings.warn(
            f"{method}: the gradient of the scores is zero at every layer, as that of a network whose last layer was "
            f"never trained; its map, of layer {last.name}, is flat",
            OverpaintWarning,
            stacklevel=2,
        )
    return last.name


def impossible_layer(classifier: Classifier, images: Tensor, layer: str, method: str) -> OverpaintError:
    """Returns the error about a layer without a map, with the names of those that have one."""
    names = [found.name for found in spatial_layers(classifier, images)]
    return OverpaintError(
        f"{method}: layer={layer} has no spatial map that the scores depend on; possible are {', '.join(names)}"
    )
