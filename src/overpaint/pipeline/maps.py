"""The saliency maps of several methods and seeds, all masked queries in common batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from overpaint.attribution.separate_channels import SeparateAttributions
from overpaint.core.choices import ChannelMode
from overpaint.core.errors import OverpaintError
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import SaliencyMaps, SeededName
from overpaint.core.types import Images, TargetSets
from overpaint.core.value_range import is_series
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import ImageMaps, PerturbationMethod
from overpaint.perturbation.separate_channels import SeparateChannels
from overpaint.perturbation.tasks import concatenate_image_maps, concatenate_known, method_task

OnMaps = Callable[[SeededName, int, ImageMaps], bool]
"""Sees the maps of a method and an image after each round of queries; True ends the sampling."""


def with_seeds(methods: Mapping[str, SaliencyMethod], seeds: int) -> dict[SeededName, SaliencyMethod]:
    """Returns each method, and of those that draw at random one for each further seed: its own plus 1, plus 2, ..."""
    seeded: dict[SeededName, SaliencyMethod] = {}
    for name, method in methods.items():
        for k in range(seeds if method.is_stochastic else 1):
            changed: Any = method
            seeded[name, k] = method if k == 0 else replace(changed, seed=changed.seed + k)
    return seeded


def check_channel_mode(mode: ChannelMode, classifier: Classifier) -> None:
    """Checks that a classifier has channels that can be explained apart, if they are to be.

    Raises:
        OverpaintError: If it takes images, or series of one channel.
    """
    series = is_series(classifier.input_size)
    if mode == "separate" and not (series and classifier.channels > 1):
        kind = "series of one channel" if series else "images"
        raise OverpaintError(
            f"channels=separate explains each channel of series that have several, and this classifier takes {kind}; "
            "take channels=joint"
        )


def as_asked(method: SaliencyMethod, mode: ChannelMode, classifier: Classifier) -> SaliencyMethod:
    """Returns a method, which explains each channel of a classifier's series by itself if it is to."""
    if mode == "joint":
        return method
    if isinstance(method, PerturbationMethod):
        return SeparateChannels(method, classifier.channels)
    return SeparateAttributions(method)


def maps_of_images(
    classifier: Classifier,
    engine: Engine,
    methods: Mapping[SeededName, SaliencyMethod],
    images: Images,
    targets: TargetSets,
    wanted: Sequence[tuple[SeededName, int]],
    on_maps: OnMaps | None = None,
) -> list[SaliencyMaps]:
    """Computes maps, those of all targets of an image together.

    Args:
        classifier: The classifier.
        engine: Asks the masked queries of all methods and images together.
        methods: The methods, see `with_seeds`.
        images: Images in ``[0, 1]``.
        targets: The classes to explain of each image.
        wanted: A method and the index of an image for each of the results.
        on_maps: Sees the maps of methods that sample in rounds, while they do.
    """
    found: dict[tuple[SeededName, int], SaliencyMaps] = {}
    # Methods with gradients first: they are quick, and where one can't explain this classifier no queries are lost.
    for name, method in methods.items():
        rows = [image for wanted_name, image in wanted if wanted_name == name]
        if rows and not isinstance(method, PerturbationMethod):
            maps, each = method(classifier, images[rows], targets[rows]), targets.shape[1]
            parts = [rows_of_maps(maps, slice(i * each, (i + 1) * each)) for i in range(len(rows))]
            found |= {(name, image): part for image, part in zip(rows, parts, strict=True)}
    keys, tasks = [], []
    for name, image in wanted:
        method = methods[name]
        if isinstance(method, PerturbationMethod):
            keys.append((name, image))
            watch = None if on_maps is None else partial(on_maps, name, image)
            tasks.append(method_task(method, classifier, images[image], targets[image], watch))
    found |= {key: concatenate_image_maps([result]) for key, result in zip(keys, engine.run(tasks), strict=True)}
    return [found[key] for key in wanted]


def with_absent(parts: Sequence[SaliencyMaps | None], each: int, images: Images) -> list[SaliencyMaps]:
    """Returns the maps of each image, with NaN in the place of those that could not be computed.

    Args:
        parts: One method's maps of each image.
        each: Maps of an image.
        images: The images.
    """
    known = next((part for part in parts if part is not None), None)
    nan = torch.full((each, *images.shape[2:]), torch.nan, device=images.device)
    has_errors = known is not None and known.standard_errors is not None
    measures = {} if known is None else {name: nan.new_full((each,), torch.nan) for name in known.measures}
    queries = torch.zeros(each, dtype=torch.long, device=images.device)
    by_channel = None if known is None or known.by_channel is None else torch.full_like(known.by_channel, torch.nan)
    absent = SaliencyMaps(
        nan, nan if has_errors else None, queries, measures, by_channel, by_channel if has_errors else None
    )
    return [absent if part is None else part for part in parts]


def rows_of_maps(maps: SaliencyMaps, chosen: slice) -> SaliencyMaps:
    """Returns some rows of maps."""
    measures = {name: values[chosen] for name, values in maps.measures.items()}
    optional = (maps.standard_errors, maps.by_channel, maps.errors_by_channel)
    errors, by_channel, errors_by_channel = (None if values is None else values[chosen] for values in optional)
    return SaliencyMaps(maps.maps[chosen], errors, maps.queries[chosen], measures, by_channel, errors_by_channel)


def concatenate_maps(parts: Sequence[SaliencyMaps], device: torch.device) -> SaliencyMaps:
    """Joins the rows of one method's maps."""

    def joined(values: Sequence[Tensor | None]) -> Tensor | None:
        return concatenate_known([None if each is None else each.to(device) for each in values])

    return SaliencyMaps(
        torch.cat([part.maps.to(device) for part in parts]),
        joined([part.standard_errors for part in parts]),
        torch.cat([part.queries.to(device) for part in parts]),
        {name: torch.cat([part.measures[name].to(device) for part in parts]) for name in parts[0].measures},
        joined([part.by_channel for part in parts]),
        joined([part.errors_by_channel for part in parts]),
    )
