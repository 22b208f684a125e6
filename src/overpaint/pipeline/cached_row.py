"""Results of one row, an image and a class, that need not be computed again."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from overpaint.core.results import MetricResult, ProbeResult, RegionSearch, SaliencyMaps, SeededName, Variants

Key = TypeVar("Key", bound=Hashable)
Result = TypeVar("Result")


@dataclass(frozen=True)
class CachedRow:
    """The results of a row that are there already.

    Attributes:
        maps: Maps of a single row, by method and seed.
        metric_results: By method and metric.
        region: How the region of a single row was found.
        variants: Variants of a single row.
        probe_results: By the probes' names.
    """

    maps: Mapping[SeededName, SaliencyMaps] = field(default_factory=dict)
    metric_results: Mapping[tuple[str, str], MetricResult] = field(default_factory=dict)
    region: RegionSearch | None = None
    variants: Variants | None = None
    probe_results: Mapping[str, ProbeResult] = field(default_factory=dict)


def complete(
    wanted: Sequence[Key], cached: Mapping[Key, Result], compute: Callable[[list[Key]], Sequence[Result]]
) -> dict[Key, Result]:
    """Returns a result for each wanted key: the cached one, or else a new one.

    Args:
        wanted: The keys.
        cached: The results that are there already.
        compute: Computes those of the keys that are not cached, in their order; not called where there are none.
    """
    missing = [key for key in wanted if key not in cached]
    new = dict(zip(missing, compute(missing), strict=True)) if missing else {}
    return {key: new[key] if key in new else cached[key] for key in wanted}
