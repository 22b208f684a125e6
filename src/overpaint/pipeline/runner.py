"""The runner: computes the explanation of a batch of images, and takes from the cache what is known."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from overpaint.core.checks import check_dimensions, check_images
from overpaint.core.choices import ChannelMode
from overpaint.core.memory import FLOAT, check_memory
from overpaint.core.protocols import Classifier, SaliencyMethod
from overpaint.core.results import (
    Explanation,
    MetricResult,
    ProbeResult,
    RegionSearch,
    SaliencyMaps,
    SeededName,
    Variants,
)
from overpaint.core.rows import concatenate_rows, select_rows
from overpaint.core.types import Images, Regions, StoredInputs, Targets, TargetSets
from overpaint.inpainting.decisive import find_regions, unsearched
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.region import RegionRule, is_flat
from overpaint.inpainting.region_fills import FillSource
from overpaint.metrics.base import MetricContext, MetricInputs, SaliencyMetric
from overpaint.metrics.suite import evaluate_metrics
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.cached_row import CachedRow, complete
from overpaint.pipeline.isolation import Isolation, called, note_results
from overpaint.pipeline.maps import (
    OnMaps,
    as_asked,
    check_channel_mode,
    concatenate_maps,
    maps_of_images,
    with_absent,
    with_seeds,
)
from overpaint.probes.base import Probe, ProbeInputs


@dataclass(frozen=True)
class Runner:
    """Explains images: maps, regions, metrics, variants, probes.

    The parts compute; the runner alone asks what is cached already. Without a cache it computes everything. The result
    of an image depends on its content, the parts and their seeds, and on no other image of the batch.

    Attributes:
        classifier: The classifier.
        methods: Saliency methods by name; the first one's map gives the region.
        engine: Asks the masked queries of all methods and metrics together.
        region_rule: How a map becomes a region.
        inpainter: Makes the variants; None leaves them out.
        metrics: Metrics of the maps, by name.
        channels: Whether the channels of series are explained together or apart. Regions, metrics and variants are of
            steps in all channels either way, by the sum of the channels' maps.
        seeds: How many seeds methods that draw at random are run with.
        probes: Probes of the variants, by name.
        oracle: A second classifier, for probes that ask it.
        other_images: Images or series whose parts fill regions, and with which probes compare an image.
        on_maps: Sees the maps of methods that sample in rounds, while they do.
    """

    classifier: Classifier
    methods: Mapping[str, SaliencyMethod]
    engine: Engine
    region_rule: RegionRule = field(default_factory=RegionRule)
    inpainter: Inpainter | None = None
    metrics: Mapping[str, SaliencyMetric] = field(default_factory=dict)
    channels: ChannelMode = "joint"
    seeds: int = 1
    probes: Mapping[str, Probe] = field(default_factory=dict)
    oracle: Classifier | None = None
    other_images: StoredInputs | None = None
    on_maps: OnMaps | None = None

    def __post_init__(self) -> None:
        channels, size = self.classifier.channels, self.classifier.input_size
        check_channel_mode(self.channels, self.classifier)
        for name, method in self.methods.items():
            check_memory(
                f"the method {name}, with its queries or samples,", FLOAT * method.numbers_kept(channels, size)
            )

    @property
    def seeded_methods(self) -> dict[SeededName, SaliencyMethod]:
        """Each method with each of its seeds, as it is asked."""
        seeded = with_seeds(self.methods, self.seeds)
        return {name: as_asked(method, self.channels, self.classifier) for name, method in seeded.items()}

    @property
    def uses_other_images(self) -> bool:
        """Whether any part looks at other images than the explained one."""
        return "patch" in self.region_rule.fills_drawn or any(probe.uses_other_images for probe in self.probes.values())

    def run(
        self,
        images: Images,
        targets: TargetSets,
        ground_truth: Regions | None = None,
        cached: Sequence[CachedRow] | None = None,
    ) -> Explanation:
        """Explains why the classifier gives images their score for the targets.

        Args:
            images: Images in ``[0, 1]``, or scaled series.
            targets: The classes to explain of each image.
            ground_truth: True where an annotated object is, for each row. Rows are image-major: all targets of the
                first image, then those of the second.
            cached: What is there already of each row; None: nothing.

        Raises:
            NumericalError: If the classifier's scores of an image are not finite. Where those of changed images are
                not, or the generator's or the discriminator's output is not, what was asked for is NaN, see
                `Explanation.troubles`.
            OverpaintError: If the images are not in ``[0, 1]``, the series not finite, or the inputs neither.
        """
        check_dimensions(images)
        check_images(images)
        scores = torch.cat([self.classifier.scores(image[None]) for image in images])  # the same whatever the batch
        each = targets.shape[1]
        rows, row_targets = images.repeat_interleave(each, dim=0), targets.flatten()
        cached = cached or [CachedRow()] * len(rows)
        isolation = Isolation.of(len(rows))
        maps = self._maps(images, targets, cached, isolation)
        inputs = {name: self._metric_inputs(name, maps, rows, row_targets, ground_truth) for name in self.methods}
        first = next(iter(inputs.values()))
        search = self._regions(first, cached, isolation)
        first = replace(first, regions=search.regions)
        variants = self._variants(first, cached, isolation)
        probe_results = {} if variants is None else self._probes(first, variants, cached, isolation)
        metric_results = self._metrics(inputs, cached, isolation)
        note_results(maps, variants, isolation)
        return Explanation(
            images=rows,
            targets=row_targets,
            scores=scores.repeat_interleave(each, dim=0),
            saliency={name: maps[name, 0] for name in self.methods},
            repeats={name: own for name, own in maps.items() if name[1] > 0},
            regions={name: own.regions for name, own in inputs.items()} | {next(iter(inputs)): search.regions},
            region_search=search,
            flat={name: is_flat(maps[name, 0].maps) for name in self.methods},
            ground_truth=ground_truth,
            metric_results=metric_results,
            variants=variants,
            probe_results=probe_results,
            troubles=isolation.troubles,
            scale=self.classifier.scale,
        )

    def _maps(
        self, images: Images, targets: TargetSets, cached: Sequence[CachedRow], isolation: Isolation
    ) -> dict[SeededName, SaliencyMaps]:
        """Returns the maps of each method and seed, a row for each image and target."""
        methods, each = self.seeded_methods, targets.shape[1]
        there: dict[tuple[SeededName, int], SaliencyMaps | None] = {}
        for name in methods:
            for image in range(len(images)):
                rows = [row.maps[name] for row in cached[image * each : (image + 1) * each] if name in row.maps]
                if len(rows) == each:  # the targets of an image share queries, so they are computed together
                    there[name, image] = concatenate_maps(rows, images.device)
        found = complete(
            [(name, image) for name in methods for image in range(len(images))],
            there,
            lambda missing: isolation.compute(
                missing,
                lambda keys: maps_of_images(self.classifier, self.engine, methods, images, targets, keys, self.on_maps),
                lambda key: (called(key[0]), range(key[1] * each, (key[1] + 1) * each)),
            ),
        )
        return {
            name: concatenate_maps(
                with_absent([found[name, image] for image in range(len(images))], each, images), images.device
            )
            for name in methods
        }

    def _metric_inputs(
        self,
        name: str,
        maps: Mapping[SeededName, SaliencyMaps],
        images: Images,
        targets: Targets,
        ground_truth: Regions | None,
    ) -> MetricInputs:
        """Gathers what metrics may look at of one method."""
        seeds = [own.maps for (method, _), own in maps.items() if method == name]
        regions = [self.region_rule.salient_region(own) for own in seeds]
        several = len(seeds) > 1
        return MetricInputs(
            images=images,
            targets=targets,
            maps=maps[name, 0].maps,
            regions=regions[0],
            queries=maps[name, 0].queries,
            standard_errors=maps[name, 0].standard_errors,
            ground_truth=ground_truth,
            repeats=torch.stack(seeds) if several else None,
            repeated_regions=torch.stack(regions) if several else None,
        )

    def _metrics(
        self, inputs: Mapping[str, MetricInputs], cached: Sequence[CachedRow], isolation: Isolation
    ) -> dict[str, dict[str, list[MetricResult]]]:
        """Returns the metrics of each row, by method and metric."""
        asked = self.seeded_methods
        contexts = {
            name: MetricContext(asked[name, 0], self.classifier, self.engine, self.inpainter) for name in self.methods
        }
        rows = range(len(cached))
        there: dict[tuple[str, str, int], MetricResult | None] = {
            (*names, row): result for row in rows for names, result in cached[row].metric_results.items()
        }
        found = complete(
            [(method, metric, row) for method in inputs for metric in self.metrics for row in rows],
            there,
            lambda missing: isolation.compute(
                missing,
                lambda keys: evaluate_metrics(self.metrics, inputs, contexts, self.engine, keys),
                lambda key: (f"{key[1]} of {key[0]}", [key[2]]),
            ),
        )
        absent = MetricResult(math.nan)
        return {
            method: {metric: [found[method, metric, row] or absent for row in rows] for metric in self.metrics}
            for method in inputs
        }

    def _regions(self, inputs: MetricInputs, cached: Sequence[CachedRow], isolation: Isolation) -> RegionSearch:
        """Returns the region of each row that is repainted, and what its fills did to the class."""
        generator = None if self.inpainter is None else self.inpainter.generator
        source = FillSource(self.region_rule.fills, self.classifier, generator, self.other_images)

        def compute(missing: list[int]) -> list[RegionSearch]:
            own = inputs.rows(missing)
            found = find_regions(self.region_rule, self.engine, own.images, own.targets, own.maps, source)
            return [select_rows(found, [i]) for i in range(len(missing))]

        there: dict[int, RegionSearch | None] = {
            row: own.region for row, own in enumerate(cached) if own.region is not None
        }
        found = complete(
            range(len(cached)), there, lambda rows: isolation.compute(rows, compute, lambda row: ("region", [row]))
        )
        parts = [own or unsearched(inputs.regions[row : row + 1]) for row, own in found.items()]
        return concatenate_rows(parts, inputs.images.device)

    def _variants(self, inputs: MetricInputs, cached: Sequence[CachedRow], isolation: Isolation) -> Variants | None:
        """Returns the variants of each row; None without a generator."""
        if (inpainter := self.inpainter) is None:
            return None

        def compute(missing: list[int]) -> list[Variants]:
            own = inputs.rows(missing)
            new = inpainter(self.classifier, own.images, own.targets, own.regions)
            return [select_rows(new, [i]) for i in range(len(missing))]

        there: dict[int, Variants | None] = {
            row: own.variants for row, own in enumerate(cached) if own.variants is not None
        }
        found = complete(
            range(len(cached)), there, lambda rows: isolation.compute(rows, compute, lambda row: ("variants", [row]))
        )
        parts = [own or inpainter.nothing(inputs.images[row : row + 1]) for row, own in found.items()]
        return concatenate_rows(parts, inputs.images.device)

    def _probes(
        self, inputs: MetricInputs, variants: Variants, cached: Sequence[CachedRow], isolation: Isolation
    ) -> dict[str, list[ProbeResult]]:
        """Returns what each probe finds out about each row."""
        assert self.inpainter is not None
        painted = ProbeInputs(
            classifier=self.classifier,
            oracle=self.oracle,
            other_images=self.other_images,
            inpainter=self.inpainter,
            images=inputs.images,
            targets=inputs.targets,
            maps=inputs.maps,
            regions=inputs.regions,
            variants=variants,
        )
        return {name: self._probe(name, probe, painted, cached, isolation) for name, probe in self.probes.items()}

    @staticmethod
    def _probe(
        name: str, probe: Probe, painted: ProbeInputs, cached: Sequence[CachedRow], isolation: Isolation
    ) -> list[ProbeResult]:
        """Returns what a probe finds out about each row; nothing about those whose variants could not be made."""
        made = painted.variants.confidences.isfinite().all(1).tolist()

        def compute(rows: list[int]) -> list[ProbeResult | None]:
            asked = [row for row in rows if made[row]]
            found = isolation.compute(asked, lambda keys: probe(painted.rows(keys)), lambda row: (name, [row]))
            by_row = dict(zip(asked, found, strict=True))
            return [by_row.get(row) for row in rows]

        there: dict[int, ProbeResult | None] = {
            row: own.probe_results[name] for row, own in enumerate(cached) if name in own.probe_results
        }
        return [own or ProbeResult() for own in complete(range(len(cached)), there, compute).values()]
