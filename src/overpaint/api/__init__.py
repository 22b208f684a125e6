"""The Python interface: explains a model of one's own in a notebook, a script or a test."""

from overpaint.api.classifiers import as_classifier
from overpaint.api.explainer import Explainer, explain
from overpaint.api.explanation import Explanation
from overpaint.core.errors import OverpaintError
from overpaint.networks.checkpoint import load_generator
from overpaint.networks.gan import Gan, as_generator

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
