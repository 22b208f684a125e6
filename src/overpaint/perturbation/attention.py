"""Attention without parameters: the similarity of an image's places, by a network's layers or by colour and place."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Level = Float[Tensor, "_ *cells"]
"""What tells places apart at one depth: a vector for each place."""

SHARPNESS = 4.0
"""Weight of a likeness in colour or place against one of a network's features, so that one temperature suits both:
among vectors of few entries nearly all are alike. Found by looking at maps of photographs."""


def network_levels(network: nn.Module, run: Callable[[], object], cells: tuple[int, ...]) -> list[Level]:
    """Returns the deepest output of a network at each of its resolutions, from one forward pass.

    Outputs count as maps if they have the dimensions of the network's input and its proportions (tokens, and maps
    whose channels come last, have not) and more than one place. Each is averaged to ``cells``, each channel is centred
    over the places (behind a ReLU all places look alike otherwise), and each place is brought to length 1.

    Args:
        network: The network; its hooks are as before afterwards.
        run: Runs it on one image.
        cells: Places along each axis.

    Returns:
        The levels from fine to coarse; none if no output is a map, or all layers are inside TorchScript.
    """
    inputs: list[tuple[int, ...]] = []
    found: dict[tuple[int, ...], Tensor] = {}

    def enter(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        inputs.append(tuple(arguments[0].shape[2:]))

    def leave(_module: nn.Module, _arguments: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 2 + len(inputs[0]):
            space = tuple(output.shape[2:])
            ratios = [before / after for before, after in zip(inputs[0], space, strict=True)]
            if math.prod(space) > 1 and max(ratios) < 1.1 * min(ratios):
                found[space] = output

    hookable = [module for module in network.modules() if not isinstance(module, torch.jit.ScriptModule)]
    if network not in hookable:
        return []
    handles = [network.register_forward_pre_hook(enter)]
    handles += [module.register_forward_hook(leave) for module in hookable]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    levels = [F.interpolate(output.detach().float(), cells, mode="area")[0] for output in found.values()]
    return [F.normalize(level - level.flatten(1).mean(1).reshape(-1, *[1] * len(cells)), dim=0) for level in levels]


def colour_and_place(image: Float[Tensor, "channel *space"], cells: tuple[int, ...]) -> list[Level]:
    """Returns two levels for an image of which no network knows: the cells' mean colours, and where they lie.

    Each value ``v`` in ``[0, 1]`` becomes ``(cos πv, sin πv)``, so that the product of two such vectors is
    ``cos π(v - v')``: 1 for equal values, -1 for opposite ones, whatever they are; here its mean over a level's values,
    times `SHARPNESS`.
    """
    colours = F.interpolate(image[None], cells, mode="area")[0]
    axes = [(torch.arange(count, device=image.device) + 0.5) / count for count in cells]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    angles = [math.pi * values for values in (colours, places)]
    return [torch.cat([a.cos(), a.sin()]) * math.sqrt(SHARPNESS / len(a)) for a in angles]


def attention(levels: Sequence[Level], temperature: float) -> Float[Tensor, "place place"]:
    """Returns ``A = softmax(C / temperature)`` over each row, ``C`` the mean of the levels' products of vectors.

    Row ``i`` says which places are like place ``i``; it sums to 1.
    """
    features = torch.cat([level.flatten(1) for level in levels]).double() / math.sqrt(len(levels))
    return (features.T @ features / temperature).softmax(1)
