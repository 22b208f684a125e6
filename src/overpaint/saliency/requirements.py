"""Requirements of methods, metrics and probes, and the reasons why a classifier does not meet them."""

import warnings
from collections.abc import Mapping
from typing import Protocol, TypeVar, runtime_checkable

import torch

from overpaint.classifiers.archives import Archive
from overpaint.classifiers.blackbox import CallableClassifier
from overpaint.core.choices import ChannelMode
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.protocols import Classifier, Requirement, SaliencyMethod
from overpaint.core.value_range import is_series


def usable_methods(
    methods: Mapping[str, SaliencyMethod], classifier: Classifier, channels: ChannelMode = "joint"
) -> dict[str, SaliencyMethod]:
    """Returns the methods that can explain a classifier; a warning names each of the others, with the reason.

    Args:
        methods: The methods by name.
        classifier: The classifier.
        channels: Whether channels are explained apart, which methods that look at layers can't do.

    Raises:
        OverpaintError: If none can.
    """
    reasons = {name: unmet(method, classifier, channels) for name, method in methods.items()}
    if methods and None not in reasons.values():
        said = ", ".join(f"{name}: {why}" for name, why in reasons.items())
        raise OverpaintError(
            f"no method can explain this classifier ({said}); use methods that need its scores alone, such as "
            "methods=[surrogate]"
        )
    return usable_parts(methods, classifier, channels)


@runtime_checkable
class HasRequirement(Protocol):
    """A method, metric or probe: it says what of the classifier it needs."""

    @property
    def requires(self) -> Requirement:
        """What it needs."""
        ...

    @property
    def pictures_only(self) -> bool:
        """Whether it has a meaning for images and none for series."""
        ...


Part = TypeVar("Part", bound=HasRequirement)


def usable_parts(parts: Mapping[str, Part], classifier: Classifier, channels: ChannelMode = "joint") -> dict[str, Part]:
    """Returns the parts that a classifier permits; a warning names each of the others, with the reason."""
    usable = {}
    for name, part in parts.items():
        if (why := unmet(part, classifier, channels)) is None:
            usable[name] = part
        else:
            warnings.warn(f"{name} is left out: this classifier has {why}", OverpaintWarning, stacklevel=2)
    return usable


def unmet(part: HasRequirement, classifier: Classifier, channels: ChannelMode = "joint") -> str | None:
    """Returns what a part needs and a classifier lacks, such as ``no gradients (quantised)``; None: nothing."""
    requires = part.requires
    if part.pictures_only and is_series(classifier.input_size):
        return "no pictures to explain (it takes series)"
    if requires == "layers" and channels == "separate":
        return "layers that see all channels together, and channels=separate asks for each of them"
    if requires == "scores":
        return None
    network = classifier.network
    if network is None:
        return f"no gradients ({classifier.kind if isinstance(classifier, CallableClassifier) else 'a black box'})"
    scripted = any(isinstance(module, torch.jit.ScriptModule) for module in network.modules())
    if requires == "relus" and (scripted or (isinstance(network, Archive) and network.scripted)):
        return "no ReLUs that can be reached (TorchScript)"
    if requires == "layers" and isinstance(network, Archive):
        return f"no layers that can be reached ({'TorchScript' if network.scripted else 'an exported program'})"
    return None
