"""Do saliency maps repeat from seed to seed, and are they right? Run by hand.

    python tests/benchmarks/agreement.py [digits|photos] [classifier.ckpt]

``digits``: twelve test digits, six seeds, after ``python train.py``. ``photos``: twenty photographs, two seeds,
SqueezeNet; ``OVERPAINT_DATA`` is a folder with ``squeezenet1_0_imagenet.pt``, ``photos/*.jpg`` and
``photos/annotations.json`` (COCO; a category's number is the ImageNet class). Columns:

- agreement: mean Spearman correlation of the maps of two seeds, averaged to at most 56 pixels a side;
- spread / error: standard deviation over seeds divided by the reported standard error; 1 is calibrated;
- on object: share of the most salient tenth of the pixels that lie on the digit's strokes, or in the class's boxes;
- insertion, deletion: area under the score of the class while pixels come (higher is better) or give way to the mean
  colour (lower is better) in the order of saliency, in 32 steps; the maps of the first seed. Photographs start from
  ``rise_blur``, as in RISE's protocol; digits, which are still read when blurred, start from the mean colour;
- queries for .95: how many the method would need for a mean agreement of .95, if each image's agreement follows
  ``r = N / (N + c)``, which holds for averages of independent queries.

Tried for the surrogate on twenty photographs (agreement of two seeds, insertion, deletion over 20 or 12 steps; pairs of
complementary masks unless said otherwise; 14 or 21 blocks an axis; ridge on the log-odds; insertion from ``blur``):

=============================================  =======  =========  =========  ========
what                                           queries  agreement  insertion  deletion
=============================================  =======  =========  =========  ========
RISE as published (7 cells)                        512       .542
RISE as published                                 2048       .753       .642      .114
RISE, covariance                                  2048       .916       .642      .081
5 cells, told for 5                                128       .946       .598      .102
5 cells, told for 7                                128       .891       .601      .092
7 cells, told for 7                                128       .767       .588      .089
5 cells, told for 7 (kept below 384 queries)       256       .944       .615      .090
7 cells, told for 7                                256       .887       .620      .084
7 cells, told for 10                               256       .806       .632      .074
5 cells, told for 10                               512       .944       .622      .084
7 cells, told for 7                                512       .945       .619      .082
7 cells, told for 10                               512       .900       .628      .075
7 cells, no pairs, told for 10                     512       .875       .641      .076
7 cells, told for 8                                768       .951       .635      .077
7 cells, told for 10                               768       .921       .638      .072
7 cells, told for 9 (kept from 384 queries on)    1024       .948       .639      .077
7 cells, no pairs, told for 10                    1024       .932       .644      .075
half 5, half 7 cells, told for 10                 1024       .943       .628      .077
=============================================  =======  =========  =========  ========

Dropped (7 cells, 512 queries; kept: .945 told for 7, .900 told for 10): the score instead of its log-odds .894 told for
7, its root .916, its logarithm .851 told for 10; log-odds clamped at .01 .908, at 1e-6 .902 told for 10 (1e-4 kept); a
smooth Gaussian-process prior over the blocks .941; one whose variance follows a first coarse fit .955, not worth its
second stage; a cubic kernel for the interactions beside the linear one .896 instead of .888 told for 10; shrinking
the difference between a fine and a coarse map by its error: no gain; grids of two sizes in one model: more
agreement, less insertion.

Tried for mask estimation's map and dropped (agreement on the digits with an earlier classifier): the covariance of
score and mask .77, ridge on the score itself .83, ridge on the log-odds .84 (kept); ridge weights .1, .5, 2: .82, .84,
.86 at insertion .911, .909, .907 (.5 kept); 6x6 cells .95 at insertion .881 (8x8 kept); without Δp and TV .84.
"""

import itertools
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torchmetrics.functional import spearman_corrcoef

from overpaint.classifiers.loading import open_classifier
from overpaint.classifiers.network import load_classifier
from overpaint.classifiers.options import ClassifierOptions
from overpaint.cli.allocator import keep_freed_memory
from overpaint.core.choices import BaselineWord
from overpaint.core.protocols import Classifier
from overpaint.data.digits import DigitsData
from overpaint.perturbation.baselines import baseline_image
from overpaint.perturbation.engine import Engine
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.rise import Rise
from overpaint.saliency.surrogate import Surrogate

STEPS = 32
DIGITS: dict[str, tuple[Any, int]] = {
    "RISE as published": (Rise(queries=1024, estimator="mean"), 6),
    "rise (covariance)": (Rise(queries=1024), 6),
    "mask_estimation, authors' chain": (MaskEstimation(queries=1024, variant="authors"), 3),
    "mask_estimation": (MaskEstimation(queries=1024), 6),
    "surrogate": (Surrogate(queries=1024), 6),
    "surrogate, 256": (Surrogate(queries=256), 6),
}
PHOTOS: dict[str, tuple[Any, int]] = {
    "RISE as published": (Rise(queries=1024, estimator="mean"), 2),
    "surrogate": (Surrogate(queries=1024), 2),
    "surrogate, 256": (Surrogate(queries=256), 2),
    "mask_estimation": (MaskEstimation(queries=1024), 2),
}
Subjects = tuple[Classifier, Tensor, Tensor, Tensor]


def digits(path: Path) -> Subjects:
    """Returns the classifier, twelve digits, their classes and their strokes."""
    data = DigitsData(train_count=1, val_count=1, test_count=12)
    data.setup("test")
    assert data.test.ground_truth is not None
    labels = data.test.labels
    strokes = torch.stack([found.of_class(int(t)) for found, t in zip(data.test.ground_truth, labels, strict=True)])
    return load_classifier(path), data.test.images.float() / 255, labels, strokes


def photos(folder: Path, count: int = 20) -> Subjects:
    """Returns SqueezeNet, photographs, their classes and the places inside these classes' boxes."""
    weights = str(folder / "squeezenet1_0_imagenet.pt")
    classifier = open_classifier(ClassifierOptions(source="torchvision:squeezenet1_0", weights=weights))
    content = json.loads((folder / "photos" / "annotations.json").read_text())
    entries = sorted(content["images"], key=lambda entry: entry["file_name"])
    images, targets, objects = [], [], []
    for entry in [entries[i * len(entries) // count] for i in range(count)]:
        with Image.open(folder / "photos" / entry["file_name"]) as photo:
            across, down = 224 / photo.width, 224 / photo.height
            pixels = np.array(photo.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))
        images.append(torch.from_numpy(pixels).permute(2, 0, 1) / 255)
        boxes = [a for a in content["annotations"] if a["image_id"] == entry["id"]]
        targets.append(boxes[0]["category_id"])
        inside = torch.zeros(224, 224, dtype=torch.bool)
        for left, top, width, height in (box["bbox"] for box in boxes if box["category_id"] == targets[-1]):
            rows = slice(round(top * down), round((top + height) * down))
            inside[rows, round(left * across) : round((left + width) * across)] = True
        objects.append(inside)
    return classifier, torch.stack(images), torch.tensor(targets), torch.stack(objects)


def curve(classifier: Classifier, images: Tensor, fills: Tensor, targets: Tensor, ranks: Tensor, insert: bool) -> float:
    """Returns the mean area under the score while pixels are inserted or deleted in order."""
    first, second = (images, fills) if insert else (fills, images)
    areas = []
    for i, target in enumerate(targets.tolist()):
        counts = torch.linspace(0, ranks[i].numel(), STEPS + 1)[:, None, None, None]
        scores = [classifier.scores(torch.where(ranks[i] < c, first[i], second[i])) for c in counts.split(8)]
        areas.append(float(torch.trapezoid(torch.cat(scores)[:, target], dx=1 / STEPS)))
    return sum(areas) / len(areas)


def coarse(maps: Tensor) -> Tensor:
    """Averages maps of (seed, image, height, width) to at most 56 pixels a side, and flattens them."""
    step = -(-maps.shape[-1] // 56)
    return F.avg_pool2d(maps.flatten(0, 1)[:, None], step).reshape(*maps.shape[:2], -1)


def agreements(maps: Tensor) -> Tensor:
    """Returns each image's mean rank correlation over the pairs of seeds."""
    flat = coarse(maps)
    pairs = itertools.combinations(range(len(maps)), 2)
    return torch.stack([spearman_corrcoef(flat[i].T, flat[j].T) for i, j in pairs]).mean(0)


def needed(agreement: Tensor, queries: int, wanted: float = 0.95) -> float:
    """Returns how many queries would give the wanted mean agreement, by each image's ``r = N / (N + c)``."""
    c = queries * (1 / agreement.clamp(0.02, 0.9999) - 1)
    low, high = 1.0, 1e7
    while high / low > 1.001:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if float((middle / (middle + c)).mean()) < wanted else (low, middle)
    return high


def row(contexts: Subjects, method: Any, seeds: int) -> list[str]:
    """Returns the figures of a method."""
    classifier, images, targets, objects = contexts
    engine = Engine(classifier)
    runs = [engine.run_methods({"": replace(method, seed=s)}, images, targets[:, None])[""] for s in range(seeds)]
    maps = torch.stack([run.maps for run in runs])
    agreement, ratio = agreements(maps), "-"
    if runs[0].standard_errors is not None:
        errors = torch.stack([run.standard_errors for run in runs])
        ratio = f"{float((maps.var(0).mean((1, 2)) / errors.square().mean((0, 2, 3))).mean().sqrt()):.2f}"
    order = maps.flatten(2).argsort(dim=2, descending=True, stable=True)
    top = order[..., : order.shape[2] // 10]
    on_object = objects.flatten(1).expand(seeds, -1, -1).gather(2, top).float().mean()
    ranks = order[0].argsort(dim=1).reshape(len(images), 1, *images.shape[2:])
    start: BaselineWord = "mean" if images.shape[-1] < 64 else "rise_blur"
    begun, mean = (torch.stack([baseline_image(b, classifier, x, 0) for x in images]) for b in (start, "mean"))
    inserted = curve(classifier, images, begun, targets, ranks, True)
    deleted = curve(classifier, images, mean, targets, ranks, False)
    queries = int(runs[0].queries[0])
    figures = [f"{float(agreement.mean()):.3f}", ratio, f"{float(on_object):.3f}", f"{inserted:.3f}", f"{deleted:.3f}"]
    return [str(queries), *figures, f"{needed(agreement, queries):.0f}"]


def main() -> None:
    """Prints the table."""
    keep_freed_memory()
    which = sys.argv[1] if len(sys.argv) > 1 else "digits"
    path = Path(sys.argv[2] if len(sys.argv) > 2 else "outputs/digits/classifier.ckpt")
    contexts = digits(path) if which == "digits" else photos(Path(os.environ["OVERPAINT_DATA"]))
    columns = ("queries", "agreement", "spread / error", "on object", "insertion", "deletion", "for .95")
    table, console = Table("method", *columns), Console(width=130)
    for name, (method, seeds) in (DIGITS if which == "digits" else PHOTOS).items():
        figures = row(contexts, method, seeds)
        table.add_row(name, *figures)
        console.print(name, *figures)
        console.file.flush()  # a row takes minutes
    console.print(table)


if __name__ == "__main__":
    main()
