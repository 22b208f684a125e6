"""Callbacks of an explanation while it is made, for those who watch it."""

from collections.abc import Callable
from dataclasses import dataclass

from overpaint.core.results import Variants
from overpaint.perturbation.method import ImageMaps


@dataclass(frozen=True)
class Watcher:
    """Callbacks of an explanation. Whatever one of them raises ends it, and comes out of `Explainer.explain`.

    Attributes:
        on_queries: Called after each pass of masked queries with their number, and of all that there may be.
        on_maps: Called after each round of a method that samples in rounds (one whose ``stop_at`` is set; 1e-6 never
            stops it) with the method's name, the number of the image, and the maps of its targets so far. True says
            that they are good enough. Maps of channels that are explained apart are not shown.
        on_step: Called after each step of the latent search with its number, the number of steps at most, and the
            mean contextual loss so far.
        on_variants: Called after each step of the latent search, with what makes the variants so far.
    """

    on_queries: Callable[[int, int], None] | None = None
    on_maps: Callable[[str, int, ImageMaps], bool] | None = None
    on_step: Callable[[int, int, float], None] | None = None
    on_variants: Callable[[Callable[[], Variants]], None] | None = None
