"""The whole explanation of a batch of images: calls the parts and adds nothing of its own."""

from collections.abc import Mapping

import torch

from overpaint.checks import check_images
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.proposals import PerturbationMethod
from overpaint.region import RegionRule, is_flat
from overpaint.types import Classifier, Explanation, Images, SaliencyMethod, TargetSets
from overpaint.variants import VariantMaker


def explain(
    classifier: Classifier,
    images: Images,
    targets: TargetSets,
    methods: Mapping[str, SaliencyMethod | PerturbationMethod],
    rule: RegionRule,
    maker: VariantMaker | None,
    engine: Engine | None = None,
) -> Explanation:
    """Explains why ``classifier`` gives ``images`` their score for ``targets``.

    Args:
        classifier: The classifier.
        images: Images in ``[0, 1]``.
        targets: The classes to explain of each image.
        methods: Saliency methods by name; the first one's map gives the region.
        rule: How a map becomes a region.
        maker: Makes the variants; None leaves them out.
        engine: Asks the masked queries of all methods together; None: one of its own.

    Raises:
        OverpaintError: If the images are not in ``[0, 1]``.
    """
    check_images(images)
    asking = {name: method for name, method in methods.items() if isinstance(method, PerturbationMethod)}
    # The others first: they are quick, and where one can't explain this classifier no queries are lost.
    found = {
        name: method(classifier, images, targets)
        for name, method in methods.items()
        if not isinstance(method, PerturbationMethod)
    } | (engine or Engine(classifier)).run(asking, images, targets)
    saliency = {name: found[name] for name in methods}
    first = next(iter(saliency.values())).maps
    regions = rule.salient_region(first)
    each = targets.shape[1]
    rows, row_targets = images.repeat_interleave(each, dim=0), targets.flatten()
    variants = maker(classifier, rows, row_targets, regions) if maker is not None else None
    scores = torch.cat([classifier.scores(image[None]) for image in images])  # the same whatever the batch
    return Explanation(
        images=rows,
        targets=row_targets,
        scores=scores.repeat_interleave(each, dim=0),
        saliency=saliency,
        regions=regions,
        flat=is_flat(first),
        variants=variants,
    )
