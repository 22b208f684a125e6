"""The generator on the page: its samples, and their measures."""

from pathlib import Path
from typing import NamedTuple

from overpaint.core.files import read_csv
from overpaint.report.generator_gallery import INTERPOLATION, NEIGHBOURS
from overpaint.report.html.pictures import Picture, PictureSource
from overpaint.report.sample_grid import SAMPLES

PICTURES = {
    SAMPLES: "Painted from random latents: what the variants are made of.",
    INTERPOLATION: "From one random latent to another, a row for each pair: a generator that has learnt its domain "
    "changes its picture all the way.",
    NEIGHBOURS: "Samples, each beside the training example nearest to it: first those that are nearest to one, then "
    "others from near to far. Were the distances far below those of held-out examples, the samples would be copies.",
}
"""What the run's pictures of its generator show."""

MEASURES = {
    "samples/confident": "share of samples that the classifier gives 0.9 or more",
    "samples/least_fraction": "smallest share of a class among the samples",
    "samples/precision": "precision: share of samples that lie among real examples",
    "samples/recall": "recall: share of real examples that lie among the samples",
    "samples/coverage": "coverage: share of real examples near which a sample lies",
    "samples/kid": "KID in the classifier's features",
    "samples/fid_like": "Fréchet distance in the classifier's features (FID-like)",
    "dcgan/memorization_ratio": "distance of samples to training examples, relative to that of real held-out ones",
}
"""What the run's measures of its generator are."""


class GeneratorPicture(NamedTuple):
    """A picture of the generator's samples.

    Attributes:
        picture: The picture.
        pixelated: Whether it consists of samples alone, which the page enlarges.
    """

    picture: Picture
    pixelated: bool


def generator_pictures(run: Path, source: PictureSource) -> list[GeneratorPicture]:
    """Returns the pictures that training has left in the run's folder."""
    return [
        GeneratorPicture(source.picture(run / file, text), file != NEIGHBOURS)
        for file, text in PICTURES.items()
        if (run / file).is_file()
    ]


def generator_measures(run: Path) -> dict[str, str]:
    """Returns the last value of each measure of the generator's samples in the run's ``metrics.csv``."""
    last: dict[str, str] = {}
    for row in read_csv(run / "metrics.csv"):
        last |= {MEASURES[name]: f"{float(value):.3g}" for name, value in row.items() if name in MEASURES and value}
    return last
