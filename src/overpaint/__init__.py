"""Where does a classifier look, and what else could stand there without changing its answer?

    import overpaint as op
    explanation = op.explain(model, images, methods=["surrogate", "grad_cam"])
    explanation.plot()

Names are imported when they are first used, so that the command line starts without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overpaint.api import (
        Explainer,
        Explanation,
        Gan,
        OverpaintError,
        as_classifier,
        as_generator,
        explain,
        load_generator,
    )

__all__ = [
    "Explainer",
    "Explanation",
    "Gan",
    "OverpaintError",
    "as_classifier",
    "as_generator",
    "explain",
    "load_generator",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return vars(import_module("overpaint.api"))[name]
    raise AttributeError(f"module 'overpaint' has no attribute '{name}'; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
