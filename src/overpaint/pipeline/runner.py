"""The whole explanation of a batch of images: calls the parts and adds nothing of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from overpaint.core.checks import check_images
from overpaint.core.types import (
    Classifier,
    Explanation,
    Images,
    KnownRow,
    ProbeResult,
    Regions,
    SaliencyMaps,
    SeededName,
    TargetSets,
)
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.region import RegionRule, is_flat
from overpaint.inpainting.variant_sets import merged_variants
from overpaint.metrics.base import MetricContext, MetricInputs
from overpaint.metrics.suite import MetricSuite
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.maps import Method, find_maps, with_seeds
from overpaint.probes.base import Probe, ProbeInputs


@dataclass(frozen=True)
class Plan:
    """How images are explained.

    Attributes:
        methods: Saliency methods by name; the first one's map gives the region.
        rule: How a map becomes a region.
        inpainter: Makes the variants; None leaves them out.
        judge: Judges the maps.
        probes: Questions about the variants, by name.
        oracle: A second classifier, for probes that ask it.
    """

    methods: Mapping[str, Method]
    rule: RegionRule = field(default_factory=RegionRule)
    inpainter: Inpainter | None = None
    judge: MetricSuite = field(default_factory=MetricSuite)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    oracle: Classifier | None = None


def explain(
    classifier: Classifier,
    images: Images,
    targets: TargetSets,
    plan: Plan,
    engine: Engine | None = None,
    ground_truth: Regions | None = None,
    known: Sequence[KnownRow] | None = None,
) -> Explanation:
    """Explains why ``classifier`` gives ``images`` their score for ``targets``.

    Args:
        classifier: The classifier.
        images: Images in ``[0, 1]``.
        targets: The classes to explain of each image.
        plan: How they are explained.
        engine: Asks the masked queries of all methods together; None: one of its own.
        ground_truth: True where an annotated object is, for each image and target (image-major).
        known: What is known of each image and target (image-major) and need not be found again.

    Raises:
        OverpaintError: If the images are not in ``[0, 1]``.
    """
    check_images(images)
    engine, judge = engine or Engine(classifier), plan.judge
    each = targets.shape[1]
    rows, row_targets = images.repeat_interleave(each, dim=0), targets.flatten()
    known = known or [KnownRow()] * len(rows)
    found = find_maps(classifier, images, targets, with_seeds(plan.methods, judge.seeds), engine, known)
    inputs = {name: _evidence(name, found, rows, row_targets, plan.rule, ground_truth) for name in plan.methods}
    contexts = {
        name: MetricContext(method, classifier, engine, plan.inpainter) for name, method in plan.methods.items()
    }
    measured = judge(inputs, contexts, engine, known)
    first = next(iter(inputs.values()))
    variants, probed = None, {}
    if plan.inpainter is not None:
        open_ = [i for i, row in enumerate(known) if row.variants is None]
        new = plan.inpainter(classifier, rows[open_], row_targets[open_], first.regions[open_]) if open_ else None
        variants = merged_variants([row.variants for row in known], new)
        painted = ProbeInputs(
            classifier, plan.oracle, plan.inpainter, rows, row_targets, first.maps, first.regions, variants
        )
        probed = {name: _probed(name, probe, painted, known) for name, probe in plan.probes.items()}
    scores = torch.cat([classifier.scores(image[None]) for image in images])  # the same whatever the batch
    return Explanation(
        images=rows,
        targets=row_targets,
        scores=scores.repeat_interleave(each, dim=0),
        saliency={name: found[name, 0] for name in plan.methods},
        repeats={name: maps for name, maps in found.items() if name[1] > 0},
        regions={name: own.regions for name, own in inputs.items()},
        flat={name: is_flat(found[name, 0].maps) for name in plan.methods},
        ground_truth=ground_truth,
        metric_results=measured,
        variants=variants,
        probe_results=probed,
    )


def _probed(name: str, probe: Probe, inputs: ProbeInputs, known: Sequence[KnownRow]) -> list[ProbeResult]:
    """Asks a probe about the rows of which its answer is not known."""
    open_ = [i for i, row in enumerate(known) if name not in row.probe_results]
    answers = iter(probe(inputs.rows(open_)) if open_ else [])
    return [row.probe_results[name] if name in row.probe_results else next(answers) for row in known]


def _evidence(
    name: str,
    found: Mapping[SeededName, SaliencyMaps],
    images: Images,
    targets: torch.Tensor,
    rule: RegionRule,
    ground_truth: Regions | None,
) -> MetricInputs:
    """Gathers what metrics may look at of one method."""
    seeds = [maps.maps for (own, _), maps in found.items() if own == name]
    regions = [rule.salient_region(maps) for maps in seeds]
    several = len(seeds) > 1
    return MetricInputs(
        images=images,
        targets=targets,
        maps=found[name, 0].maps,
        regions=regions[0],
        queries=found[name, 0].queries,
        standard_errors=found[name, 0].standard_errors,
        ground_truth=ground_truth,
        repeats=torch.stack(seeds) if several else None,
        repeated_regions=torch.stack(regions) if several else None,
    )
