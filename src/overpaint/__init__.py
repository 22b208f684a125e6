"""Explains where a classifier looks, and what else could stand there without changing its prediction.

    import overpaint as op
    explanation = op.explain(model, images, methods=["surrogate", "grad_cam"])
    explanation.plot()

Names are imported when they are first used, so that the command line starts without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overpaint.api.classifiers import as_classifier
    from overpaint.api.explainer import Explainer, explain
    from overpaint.api.explanation import Explanation
    from overpaint.api.watcher import Watcher
    from overpaint.core.errors import OverpaintError
    from overpaint.core.scale import SeriesScale
    from overpaint.networks.checkpoint import load_generator
    from overpaint.networks.gan import Gan, as_generator

__all__ = [
    "Explainer",
    "Explanation",
    "Gan",
    "OverpaintError",
    "SeriesScale",
    "Watcher",
    "as_classifier",
    "as_generator",
    "explain",
    "load_generator",
]

_MODULES = {
    "Explainer": "api.explainer",
    "Explanation": "api.explanation",
    "Gan": "networks.gan",
    "OverpaintError": "core.errors",
    "SeriesScale": "core.scale",
    "Watcher": "api.watcher",
    "as_classifier": "api.classifiers",
    "as_generator": "networks.gan",
    "explain": "api.explainer",
    "load_generator": "networks.checkpoint",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return vars(import_module(f"overpaint.{_MODULES[name]}"))[name]
    raise AttributeError(f"module 'overpaint' has no attribute '{name}'; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
