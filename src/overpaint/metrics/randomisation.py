"""Model-parameter randomisation (Adebayo, Gilmer, Muelly, Goodfellow, Hardt & Kim, NeurIPS 2018)."""

import copy
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from torch import nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.bounds import Count, Seed
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier
from overpaint.core.results import MetricResult
from overpaint.metrics.agreement import spearman
from overpaint.metrics.base import MethodMetric, MetricContext, MetricInputs
from overpaint.metrics.charts import LayerCurve
from overpaint.metrics.rerun import rerun_method
from overpaint.perturbation.engine import Engine


@checked_settings
class Randomisation(MethodMetric):
    """How alike a method's maps stay when the network's layers are given random weights, from the output downwards.

    A map that explains the network must change with it; one that stays has explained the image. For stage ``k`` of
    the layers, in groups of about equal number, the map of the network with

    - ``order="cascading"``: all layers of the groups 1 to ``k``,
    - ``order="independent"``: the layers of group ``k`` alone

    re-initialised is compared with the map that is evaluated by Spearman's rank correlation ``r_k``, signed, of maps
    averaged to at most 56 pixels a side (section 3.2 of the paper, which also shows it of absolute values, and
    SSIM). The curve is ``1, r_1, r_2, …``; the value is the mean of ``|r_k|`` over the stages: 0 is best, since a map
    that is merely turned around has not forgotten the image either.

    A layer is a module with parameters of its own and ``reset_parameters`` (or ``_reset_parameters``, as attention
    has it), in the order in which the network registers them, which in torchvision's networks is that of the forward
    pass, side branches aside. Parameters outside of such modules (class token, position embedding, layer scale) stay.
    A layer's random weights depend on ``seed`` and its name alone. The classifier itself is never touched: a copy is
    randomised. A method that draws at random draws as before: where a map shows more of its masks than of the network,
    as RISE's published mean after few queries, it counts as alike, which under other draws would pass for a change.

    NaN: a classifier that is no network of torch or has no such layers; a flat map, which has no ranks to keep. A map
    that becomes flat has similarity 0.

    Args:
        order: ``cascading`` or ``independent``.
        stages: Number of groups; a network of fewer layers has a group for each.
        seed: Seed of the random weights.

    Raises:
        OverpaintError: If ``stages`` is not positive; at the update, if the network can't be copied.
    """

    higher_is_better = False
    label = "similarity to the maps of a randomised network (mean |rank correlation|)"
    needs = "a network of torch"
    chart = LayerCurve(
        name="randomisation",
        title="Does a map forget the network?",
        caption="Similarity of the maps while layers are randomised",
        x_label="randomised layers, from the output",
        y_label="rank correlation with the map",
        value="mean |rank correlation|",
    )

    def __init__(
        self, order: Literal["cascading", "independent"] = "cascading", stages: Count = 6, seed: Seed = 0
    ) -> None:
        super().__init__()
        self.order, self.stages, self.seed = order, stages, seed

    def stage_names(self, classifier: Classifier) -> list[list[str]]:
        """Returns the names of the layers of each stage, from the output downwards; none without such layers."""
        if not isinstance(classifier, NetworkClassifier):
            return []
        modules = dict(classifier.network.named_modules())
        names = [name for name, module in modules.items() if _reset_of(module) is not None][::-1]
        count = min(self.stages, len(names))
        return [names[k * len(names) // count : (k + 1) * len(names) // count] for k in range(count)]

    def point_names(self, classifier: Classifier) -> list[str]:
        """Returns ``none``, and for each stage the last layer that is randomised."""
        return ["none", *(names[-1] for names in self.stage_names(classifier))]

    def measure(self, inputs: MetricInputs, context: MetricContext) -> list[MetricResult]:
        """See `MethodMetric.measure`: one run of the method for each stage."""
        stages, count = self.stage_names(context.classifier), len(inputs.maps)
        if not isinstance(context.classifier, NetworkClassifier) or not stages:
            return [MetricResult(math.nan)] * count
        precision, curves = context.engine.precision or "auto", [torch.ones(count)]
        for randomised in self._randomised(context.classifier, stages):
            engine = Engine(randomised, context.engine.batch_size, precision)
            maps, _ = rerun_method(context.method, randomised, inputs.images, inputs.targets, engine)
            curves.append(spearman(inputs.maps, maps).cpu().float())
        places = torch.tensor([0, *(len(names) for names in stages)]).cumsum(0).float()
        flat = inputs.flat.tolist()
        return [
            MetricResult(math.nan) if row_is_flat else MetricResult(float(curve[1:].abs().mean()), curve, places)
            for curve, row_is_flat in zip(torch.stack(curves, 1), flat, strict=True)
        ]

    def _randomised(
        self, classifier: NetworkClassifier, stages: Sequence[Sequence[str]]
    ) -> Iterator[NetworkClassifier]:
        """Yields the randomised classifier of each stage; when the next one is asked for, the last one is done with."""
        changed: NetworkClassifier | None = None
        for names in stages:
            if changed is None or self.order == "independent":
                changed = _copied(classifier)
            randomise(changed.network, names, self.seed)
            yield changed


def _reset_of(module: nn.Module) -> Callable[[], None] | None:
    """Returns what re-initialises a layer; None for other modules."""
    if next(module.parameters(recurse=False), None) is None:
        return None
    reset: Callable[[], None] | None = getattr(module, "reset_parameters", None)
    return reset or getattr(module, "_reset_parameters", None)


def _copied(classifier: NetworkClassifier) -> NetworkClassifier:
    try:
        return copy.deepcopy(classifier)
    except (RuntimeError, TypeError) as error:
        raise OverpaintError(
            f"randomisation: the network can't be copied ({error}), so that its layers can't be randomised; leave "
            "this metric out"
        ) from error


def randomise(network: nn.Module, names: Sequence[str], seed: Seed) -> None:
    """Re-initialises layers as their class does; a layer's weights depend on the seed and its name, on no device.

    Args:
        network: The network.
        names: The layers' names.
        seed: The seed.
    """
    modules = dict(network.named_modules())
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for name in names:
            torch.default_generator.manual_seed(zlib.crc32(f"{seed} {name}".encode()))
            device = next(modules[name].parameters()).device
            reset = _reset_of(modules[name].cpu())
            assert reset is not None
            reset()
            modules[name].to(device)
