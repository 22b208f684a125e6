"""Which methods can explain a classifier: what they require of it, and why it may lack that."""

import warnings
from collections.abc import Mapping

import torch

from overpaint.classifiers.archives import Archive
from overpaint.classifiers.blackbox import CallableClassifier
from overpaint.core.errors import OverpaintError, OverpaintWarning
from overpaint.core.protocols import Classifier, SaliencyMethod


def usable_methods(methods: Mapping[str, SaliencyMethod], classifier: Classifier) -> dict[str, SaliencyMethod]:
    """Returns the methods that can explain a classifier; a warning names each of the others, with the reason.

    Raises:
        OverpaintError: If none can.
    """
    lacking = {name: why for name, method in methods.items() if (why := unmet(method, classifier)) is not None}
    if methods and len(lacking) == len(methods):
        said = ", ".join(f"{name}: {why}" for name, why in lacking.items())
        raise OverpaintError(
            f"no method can explain this classifier ({said}); use methods that need its scores alone, such as "
            "methods=[surrogate]"
        )
    for name, why in lacking.items():
        warnings.warn(f"{name} is left out: this classifier has {why}", OverpaintWarning, stacklevel=2)
    return {name: method for name, method in methods.items() if name not in lacking}


def unmet(method: SaliencyMethod, classifier: Classifier) -> str | None:
    """Returns what a method requires and the classifier lacks, such as ``no gradients (quantised)``; None: nothing."""
    if method.requires == "scores":
        return None
    network = classifier.network
    if network is None:
        return f"no gradients ({classifier.kind if isinstance(classifier, CallableClassifier) else 'a black box'})"
    scripted = any(isinstance(module, torch.jit.ScriptModule) for module in network.modules())
    if method.requires == "relus" and (scripted or (isinstance(network, Archive) and network.scripted)):
        return "no ReLUs that can be reached (TorchScript)"
    if method.requires == "layers" and isinstance(network, Archive):
        return f"no layers that can be reached ({'TorchScript' if network.scripted else 'an exported program'})"
    return None
