"""The whole explanation of a batch of images: calls the parts and adds nothing of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from overpaint.checks import check_images
from overpaint.maps import Method, find_maps, with_seeds
from overpaint.metrics.judge import Judge
from overpaint.metrics.rows import Evidence, Subject
from overpaint.perturbation.engine import Engine
from overpaint.probes.painting import Painting, Probe
from overpaint.region import RegionRule, is_flat
from overpaint.types import (
    Classifier,
    Explanation,
    Images,
    KnownRow,
    Probed,
    Regions,
    SaliencyMaps,
    SeededName,
    TargetSets,
)
from overpaint.variant_sets import merged_variants
from overpaint.variants import VariantMaker


@dataclass(frozen=True)
class Plan:
    """How images are explained.

    Attributes:
        methods: Saliency methods by name; the first one's map gives the region.
        rule: How a map becomes a region.
        maker: Makes the variants; None leaves them out.
        judge: Judges the maps.
        probes: Questions about the variants, by name.
        oracle: A second classifier, for probes that ask it.
    """

    methods: Mapping[str, Method]
    rule: RegionRule = field(default_factory=RegionRule)
    maker: VariantMaker | None = None
    judge: Judge = field(default_factory=Judge)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    oracle: Classifier | None = None


def explain(
    classifier: Classifier,
    images: Images,
    targets: TargetSets,
    plan: Plan,
    engine: Engine | None = None,
    objects: Regions | None = None,
    known: Sequence[KnownRow] | None = None,
) -> Explanation:
    """Explains why ``classifier`` gives ``images`` their score for ``targets``.

    Args:
        classifier: The classifier.
        images: Images in ``[0, 1]``.
        targets: The classes to explain of each image.
        plan: How they are explained.
        engine: Asks the masked queries of all methods together; None: one of its own.
        objects: True where an annotated object is, for each image and target (image-major).
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
    evidence = {name: _evidence(name, found, rows, row_targets, plan.rule, objects) for name in plan.methods}
    subjects = {name: Subject(method, classifier, engine, plan.maker) for name, method in plan.methods.items()}
    measured = judge(evidence, subjects, engine, known)
    first = next(iter(evidence.values()))
    variants, probed = None, {}
    if plan.maker is not None:
        open_ = [i for i, row in enumerate(known) if row.variants is None]
        new = plan.maker(classifier, rows[open_], row_targets[open_], first.regions[open_]) if open_ else None
        variants = merged_variants([row.variants for row in known], new)
        painting = Painting(classifier, plan.oracle, plan.maker, rows, row_targets, first.maps, first.regions, variants)
        probed = {name: _probed(name, probe, painting, known) for name, probe in plan.probes.items()}
    scores = torch.cat([classifier.scores(image[None]) for image in images])  # the same whatever the batch
    return Explanation(
        images=rows,
        targets=row_targets,
        scores=scores.repeat_interleave(each, dim=0),
        saliency={name: found[name, 0] for name in plan.methods},
        repeats={name: maps for name, maps in found.items() if name[1] > 0},
        regions={name: own.regions for name, own in evidence.items()},
        flat={name: is_flat(found[name, 0].maps) for name in plan.methods},
        objects=objects,
        measured=measured,
        variants=variants,
        probed=probed,
    )


def _probed(name: str, probe: Probe, painting: Painting, known: Sequence[KnownRow]) -> list[Probed]:
    """Asks a probe about the rows of which its answer is not known."""
    open_ = [i for i, row in enumerate(known) if name not in row.probed]
    answers = iter(probe(painting.rows(open_)) if open_ else [])
    return [row.probed[name] if name in row.probed else next(answers) for row in known]


def _evidence(
    name: str,
    found: Mapping[SeededName, SaliencyMaps],
    images: Images,
    targets: torch.Tensor,
    rule: RegionRule,
    objects: Regions | None,
) -> Evidence:
    """Gathers what metrics may look at of one method."""
    seeds = [maps.maps for (own, _), maps in found.items() if own == name]
    regions = [rule.salient_region(maps) for maps in seeds]
    several = len(seeds) > 1
    return Evidence(
        images=images,
        targets=targets,
        maps=found[name, 0].maps,
        regions=regions[0],
        queries=found[name, 0].queries,
        standard_errors=found[name, 0].standard_errors,
        objects=objects,
        repeats=torch.stack(seeds) if several else None,
        repeated_regions=torch.stack(regions) if several else None,
    )
