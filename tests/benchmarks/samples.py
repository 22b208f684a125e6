"""Compares generators' samples with the test images, beside the real training images. Run by hand after ``train.py``.

    python tests/benchmarks/samples.py [folder of a run] [folder of another run ...]

2000 samples of each run's generator against the digits' 2000 test images, in the features of the first run's
classifier; the last row is 2000 of the real training images, which a generator that learnt them perfectly would give.
"""

import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from overpaint.classifiers.network import load_classifier
from overpaint.core.types import Images
from overpaint.data.digits import DigitsData
from overpaint.networks.checkpoint import load_generator
from overpaint.training.generation_metrics import generation_metrics

COUNT, PASS = 2000, 250
NAMES = ("confident", "least_fraction", "kid", "precision", "recall", "coverage")


@torch.no_grad()
def samples(folder: Path) -> Images:
    """Returns samples of a run's generator."""
    generator, rng = load_generator(folder / "dcgan.ckpt").generator, torch.Generator().manual_seed(5)
    return torch.cat([generator(generator.sample_latents(PASS, rng)) for _ in range(COUNT // PASS)])


def main() -> None:
    """Prints the table."""
    folders = [Path(word) for word in sys.argv[1:] or ["outputs/digits"]]
    data, classifier = DigitsData(), load_classifier(folders[0] / "classifier.ckpt")
    data.setup("fit")
    data.setup("test")
    table, real = Table("samples", *NAMES), data.test.images.float() / 255
    rows = {str(folder): samples(folder) for folder in folders}
    rows["real training images"] = data.train.images[:COUNT].float() / 255
    for name, images in rows.items():
        found = generation_metrics(real, images, classifier)
        table.add_row(name, *[f"{found[measure]:.3f}" for measure in NAMES])
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
