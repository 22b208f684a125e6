"""Do saliency maps repeat from seed to seed, and are they right? Run by hand after ``python train.py``.

    python tests/benchmarks/agreement.py [classifier.ckpt] [queries]

Twelve test digits, six seeds a method, the same number of queries for each. Columns:

- agreement: mean Spearman correlation of the maps of two seeds;
- spread / error: standard deviation over seeds divided by the reported standard error; 1 is calibrated;
- on stroke: share of the most salient tenth of the pixels that lie on the digit's strokes;
- insertion, deletion: mean score of the class while the pixels come (higher is better) or go (lower is better) in the
  order of saliency, over the mean colour, in 32 steps;
- time: relative to RISE as published, in the same process.

Tried for mask estimation's map and dropped (agreement on the same images with an earlier classifier): the covariance of
score and mask .77, ridge on the score itself .83, ridge on the log-odds .84 (kept); ridge weights .1, .5, 2: .82, .84,
.86 at insertion .911, .909, .907 (.5 kept); 6x6 cells .95 at insertion .881 (8x8 kept); without Δp and TV .84.
"""

import itertools
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torchmetrics.functional import spearman_corrcoef

from overpaint.app.memory import keep_freed_memory
from overpaint.classifiers.network import NetworkClassifier, load_classifier
from overpaint.data.digits import DigitsData
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.rise import Rise

SEEDS, IMAGES = 6, 12


def curve(
    classifier: NetworkClassifier, images: torch.Tensor, targets: torch.Tensor, ranks: torch.Tensor, insert: bool
) -> float:
    """Returns the mean score over 33 steps of inserting or deleting pixels in order."""
    filled = classifier.mean.expand_as(images)
    first, second = (images, filled) if insert else (filled, images)
    steps = [torch.where(ranks < count, first, second) for count in torch.linspace(0, ranks[0].numel(), 33).tolist()]
    return float(torch.stack([classifier.scores(s).gather(1, targets[:, None]).mean() for s in steps]).mean())


def main() -> None:
    """Prints the table."""
    keep_freed_memory()
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/digits/classifier.ckpt")
    queries = int(sys.argv[2]) if len(sys.argv) > 2 else 1024
    classifier = load_classifier(path)
    data = DigitsData(train_count=1, val_count=1, test_count=IMAGES)
    data.setup("test")
    images, targets = data.test.images.float() / 255, data.test.labels
    assert data.test.objects is not None
    methods: dict[str, tuple[Callable[..., object], int]] = {
        "RISE as published": (Rise(queries=queries, estimator="mean"), SEEDS),
        "RISE, covariance": (Rise(queries=queries), SEEDS),
        "mask estimation, authors' chain": (MaskEstimation(queries=queries, variant="authors"), 3),
        "mask estimation": (MaskEstimation(queries=queries), SEEDS),
    }
    table = Table("method", "agreement", "spread / error", "on stroke", "insertion", "deletion", "time")
    unit = 0.0
    for name, (method, seeds) in methods.items():
        start = time.perf_counter()
        runs = [replace(method, seed=seed)(classifier, images, targets[:, None]) for seed in range(seeds)]  # type: ignore[type-var]
        spent = (time.perf_counter() - start) / seeds
        unit = unit or spent
        maps = torch.stack([run.maps for run in runs])
        pairs = [
            float(spearman_corrcoef(maps[i, k].flatten(), maps[j, k].flatten()))
            for i, j in itertools.combinations(range(seeds), 2)
            for k in range(IMAGES)
        ]
        ratio = "-"
        if runs[0].standard_errors is not None:
            errors = torch.stack([run.standard_errors for run in runs])
            ratio = f"{float((maps.var(0).mean() / errors.square().mean()).sqrt()):.2f}"
        order = maps.flatten(2).argsort(dim=2, descending=True, stable=True)
        on_stroke = data.test.objects.flatten(1).expand(seeds, -1, -1).gather(2, order[..., :102]).float().mean()
        ranks = order[0].argsort(dim=1).reshape(IMAGES, 1, *maps.shape[2:])
        inserted, deleted = (curve(classifier, images, targets, ranks, insert) for insert in (True, False))
        table.add_row(
            name, f"{sum(pairs) / len(pairs):.3f}", ratio, f"{on_stroke:.3f}", f"{inserted:.3f}", f"{deleted:.3f}",
            f"{spent / unit:.2f}",
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
