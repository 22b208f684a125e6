"""Any attribution class of captum, by its name."""

import inspect
import random
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import captum.attr
import numpy as np
import torch
from captum.attr._utils.attribution import Attribution, InternalAttribution, PerturbationAttribution
from torch import Tensor, nn

from overpaint.attribution.batches import rows_of
from overpaint.attribution.sign_reduction import Sign, reduce_sign
from overpaint.attribution.state import network_of, preserve_state
from overpaint.core.bounds import Seed
from overpaint.core.choices import BASELINE_WORDS
from overpaint.core.errors import OverpaintError
from overpaint.core.instantiate import checked_settings
from overpaint.core.protocols import Classifier, Requirement, SaliencyMethod
from overpaint.core.results import SaliencyMaps
from overpaint.core.rng import image_rng
from overpaint.core.types import Images, TargetSets
from overpaint.perturbation.baselines import baseline_image

OURS = ("self", "forward_func", "model", "inputs", "target", "return_convergence_delta", "show_progress")
"""Arguments of captum that a user does not give."""

DRAWING = ("GradientShap", "KernelShap", "Lime", "ShapleyValueSampling")
"""The classes of captum that draw at random."""


class _Logits(nn.Module):
    """The classifier as the module that some classes of captum ask for; counts the images it is asked about."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.network = classifier.network  # captum looks for layers below this module
        self.logits, self.asked = classifier.logits, 0

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits."""
        self.asked += len(images)
        return self.logits(images)


@checked_settings
@dataclass(frozen=True)
class CaptumMethod(SaliencyMethod):
    """The attributions of a class of ``captum.attr``, summed over the channels.

    A row is explained by itself, so that it does not depend on its batch; random draws follow from the image's content
    and the seed. Memory is bounded by the class's own arguments, such as ``internal_batch_size``.

    Attributes:
        attribution: The class's name, such as ``DeepLift``.
        arguments: Arguments of its constructor and of its ``attribute``. ``baselines`` may be one of the words of
            `overpaint.perturbation.baselines`, such as ``mean``; ``layer: NAME`` is a layer of the network; a list
            becomes a tuple.
        sign: ``signed``, ``positive`` or ``absolute``, of the sum over the channels.
        seed: Seed of the random draws.

    Raises:
        OverpaintError: If captum has no such class or the class no such argument; at the call, if it needs gradients
            and there are none, or if its result is no map of the image.
    """

    attribution: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    sign: Sign = "signed"
    seed: Seed = 0

    def __post_init__(self) -> None:
        built, given = (_parameters(function) for function in (self._kind(), self._kind().attribute))
        usable = built | given
        for name in self.arguments:
            if name not in usable:
                raise OverpaintError(
                    f"captum's {self.attribution} takes no argument {name!r} here; it takes {', '.join(usable)}"
                )
        for name, parameter in usable.items():
            if parameter.default is parameter.empty and name not in self.arguments:
                raise OverpaintError(f"captum's {self.attribution} needs arguments.{name}")

    @property
    def requires(self) -> Requirement:
        """Gradients, unless captum's class perturbs the input."""
        return "scores" if issubclass(self._kind(), PerturbationAttribution) else "gradients"

    @property
    def is_stochastic(self) -> bool:
        """Whether the maps depend on the seed."""
        return self.attribution in DRAWING or self.arguments.get("baselines") == "noise"

    def __call__(self, classifier: Classifier, images: Images, targets: TargetSets) -> SaliencyMaps:
        """Returns maps without standard errors; the queries are counted."""
        states = random.getstate(), np.random.get_state()
        try:
            with self._guard(classifier), warnings.catch_warnings():
                # Hooks that captum says it sets; the guard removes what is left of them.
                warnings.filterwarnings("ignore", "(Setting|Input Tensor).*")
                found = [self._map(classifier, x, t) for x, t in zip(*rows_of(images, targets), strict=True)]
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
        maps, queries = zip(*found, strict=True)
        return SaliencyMaps(
            reduce_sign(torch.stack(maps), self.sign), None, torch.tensor(queries, device=images.device)
        )

    def _kind(self) -> type[Attribution]:
        kind = getattr(captum.attr, self.attribution, None)
        if (
            not (inspect.isclass(kind) and issubclass(kind, Attribution))
            or issubclass(kind, InternalAttribution)
            or not {"forward_func", "model"} & set(inspect.signature(kind).parameters)
        ):
            raise OverpaintError(
                f"attribution={self.attribution} is no class of captum.attr that attributes a model's output to its "
                "input, such as DeepLift, InputXGradient or GradientShap"
            )
        return kind

    def _guard(self, classifier: Classifier) -> AbstractContextManager[object]:
        """Keeps the network as it is; a black box has nothing to keep, and perturbations need nothing of it."""
        if classifier.network is None and issubclass(self._kind(), PerturbationAttribution):
            return torch.random.fork_rng()
        return preserve_state(classifier, self.attribution)

    def _map(self, classifier: Classifier, image: Tensor, target: Tensor) -> tuple[Tensor, int]:
        """Returns the map of one image and the queries it took."""
        seed = image_rng(image, self.seed, self.attribution).initial_seed()
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        images, kind = image[None].clone().requires_grad_(), self._kind()
        model = _Logits(classifier)
        built, given = self._arguments(classifier, images)
        try:
            result = kind(model, **built).attribute(images, target=int(target), **given)
        except (AssertionError, TypeError, ValueError) as error:
            raise OverpaintError(f"captum's {self.attribution}: {' '.join(str(error).split())}") from error
        if not isinstance(result, Tensor) or result.shape != images.shape:
            raise OverpaintError(f"captum's {self.attribution} gave no map of the image's size")
        return result.detach()[0].float().sum(0), model.asked

    def _arguments(self, classifier: Classifier, images: Images) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the arguments of the constructor and of ``attribute``, words turned into what they stand for."""
        ready = {name: tuple(value) if isinstance(value, list) else value for name, value in self.arguments.items()}
        if (baseline := ready.get("baselines")) in BASELINE_WORDS:
            ready["baselines"] = baseline_image(baseline, classifier, images[0], self.seed)[None]
        if "layer" in ready:
            layers = dict(network_of(classifier, self.attribution).named_modules())
            if ready["layer"] not in layers:
                raise OverpaintError(f"layer={ready['layer']} is not in the network; it has {', '.join(layers)}")
            ready["layer"] = layers[ready["layer"]]
        built = {name: value for name, value in ready.items() if name in _parameters(self._kind())}
        return built, {name: value for name, value in ready.items() if name not in built}


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Returns the parameters that a user may give."""
    parameters = inspect.signature(function).parameters
    return {name: p for name, p in parameters.items() if name not in OURS and p.kind is p.POSITIONAL_OR_KEYWORD}
