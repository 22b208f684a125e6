"""The maps of all methods and seeds that are not known yet, their queries in common passes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from overpaint.core.types import (
    Classifier,
    Images,
    KnownRow,
    SaliencyMaps,
    SaliencyMethod,
    SeededName,
    TargetSets,
)
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import PerturbationMethod, is_stochastic
from overpaint.perturbation.tasks import joined, method_task

Method = SaliencyMethod | PerturbationMethod


def with_seeds(methods: Mapping[str, Method], seeds: int) -> dict[SeededName, Method]:
    """Returns each method, and of those that draw at random one for each further seed: its own plus 1, plus 2, ..."""
    seeded: dict[SeededName, Method] = {}
    for name, method in methods.items():
        for k in range(seeds if is_stochastic(method) else 1):
            changed: Any = method
            seeded[name, k] = method if k == 0 else replace(changed, seed=changed.seed + k)
    return seeded


def find_maps(
    classifier: Classifier,
    images: Images,
    targets: TargetSets,
    methods: Mapping[SeededName, Method],
    engine: Engine,
    known: Sequence[KnownRow],
) -> dict[SeededName, SaliencyMaps]:
    """Returns the maps of each method, a row for each image and target; those that are known are not made again.

    Args:
        classifier: The classifier.
        images: Images in ``[0, 1]``.
        targets: The classes to explain of each image.
        methods: The methods, see `with_seeds`.
        engine: Asks the masked queries of all methods together.
        known: What is known of each row.
    """
    each = targets.shape[1]
    parts: dict[SeededName, list[SaliencyMaps | None]] = {}
    for name in methods:
        rows = [row.maps.get(name) for row in known]
        sets = [rows[i * each : (i + 1) * each] for i in range(len(images))]
        parts[name] = [None if None in own else merged(own, images.device) for own in sets]  # type: ignore[arg-type]
    missing = {name: [i for i, part in enumerate(own) if part is None] for name, own in parts.items()}
    # Methods with gradients first: they are quick, and where one can't explain this classifier no queries are lost.
    for name, method in methods.items():
        if missing[name] and not isinstance(method, PerturbationMethod):
            found = method(classifier, images[missing[name]], targets[missing[name]])
            for place, i in enumerate(missing[name]):
                parts[name][i] = _rows(found, slice(place * each, (place + 1) * each))
    asked = [(n, m, i) for n, m in methods.items() if isinstance(m, PerturbationMethod) for i in missing[n]]
    results = engine.run([method_task(m, classifier, images[i], targets[i]) for _, m, i in asked])
    for (name, _, i), result in zip(asked, results, strict=True):
        parts[name][i] = joined([result])
    return {name: merged(own, images.device) for name, own in parts.items()}  # type: ignore[arg-type]


def _rows(maps: SaliencyMaps, chosen: slice) -> SaliencyMaps:
    errors = None if maps.standard_errors is None else maps.standard_errors[chosen]
    measures = {name: values[chosen] for name, values in maps.measures.items()}
    return SaliencyMaps(maps.maps[chosen], errors, maps.queries[chosen], measures)


def merged(parts: Sequence[SaliencyMaps], device: torch.device) -> SaliencyMaps:
    """Joins the rows of one method's maps."""
    errors = [part.standard_errors.to(device) for part in parts if part.standard_errors is not None]
    return SaliencyMaps(
        torch.cat([part.maps.to(device) for part in parts]),
        torch.cat(errors) if errors else None,
        torch.cat([part.queries.to(device) for part in parts]),
        {name: torch.cat([part.measures[name].to(device) for part in parts]) for name in parts[0].measures},
    )
