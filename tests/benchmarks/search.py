"""How good is the latent search for its passes? Run by hand after ``python train.py``.

    python tests/benchmarks/search.py [curves|diversity|blends] [folder of the run]

Six test digits; the region is the most salient tenth of a surrogate's map of 256 queries; 64 latents each.

``curves``: the mean contextual loss against generator passes, a recipe beside the other, and where the run has an
encoder (``model.dcgan.encoder=true``) starts from its guesses beside random ones. A pass is one latent through the
generator; forward alone counts 1, with gradients 3. All are counted: starts that are only scored, and the copies that
fill up the last pass of a chunk. ``diversity`` and ``blends``: values of ``search.diversity`` and of
``variants.blend``.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from overpaint.classifiers.loading import load_classifier
from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.results import Variants
from overpaint.data.digits import DigitsData
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.networks.checkpoint import load_generator
from overpaint.perturbation.engine import run_method
from overpaint.saliency.surrogate import Surrogate

IMAGES = 6
PASSES = (20, 30, 50, 75, 100, 150, 200, 250, 300, 400, 500, 1000, 2000, 3000)
DIVERSITIES = (0.0, 0.1, 0.5, 1.0, 2.0)


class Bench:
    """The images, their regions, and what is asked about them."""

    def __init__(self, folder: Path) -> None:
        self.classifier: NetworkClassifier = load_classifier(folder / "classifier.ckpt")
        gan = load_generator(folder / "dcgan.ckpt")
        for network in gan.networks():
            network.to(memory_format=torch.channels_last)
        self.generator, self.discriminator, self.encoder = gan.generator, gan.discriminator, gan.encoder
        data = DigitsData()
        data.setup("test")
        self.images = data.test.images[:IMAGES].float() / 255
        self.targets = self.classifier.scores(self.images).argmax(1)
        maps = run_method(Surrogate(queries=256), self.classifier, self.images, self.targets[:, None]).maps
        self.regions = RegionRule().salient_region(maps)
        self.passes, self.curve = 0, list[tuple[float, float]]()
        gan.networks()[0].register_forward_pre_hook(self._count)

    def _count(self, _: object, inputs: tuple[Tensor]) -> None:
        self.passes += len(inputs[0]) * (3 if inputs[0].requires_grad else 1)

    def _note(self, step: int, steps: int, loss: float) -> None:
        self.curve.append((self.passes / IMAGES / 64, loss))

    def search(self, search: LatentSearch, blend: str = "paste") -> tuple[Variants, float]:
        """Returns the variants and the time in seconds; `curve` has (passes of a latent, mean contextual loss)."""
        self.passes, self.curve = 0, []
        search = replace(search, on_step=self._note)
        parts = {"generator": self.generator, "discriminator": self.discriminator, "encoder": self.encoder}
        inpainter = Inpainter(**parts, search=search, rule=RegionRule(), blend=blend)  # type: ignore[arg-type]
        start = time.process_time()
        found = inpainter(self.classifier, self.images, self.targets, self.regions)
        return found, time.process_time() - start


def summary(found: Variants) -> list[str]:
    """Returns contextual loss, acceptance, different variants, diversity and realism, means over the images."""
    numbers = (found.contextual_losses, found.acceptance_rates, (~found.duplicate).float().sum(1), found.diversities)
    loss, acceptance, different, diversity = (float(values.nanmean()) for values in numbers)
    return [
        f"{loss:.4f}",
        f"{acceptance:.3f}",
        f"{different:.1f}",
        f"{diversity:.4f}",
        f"{float(found.realism.mean()):.2f}",
    ]


SUMMARY = ("contextual loss", "acceptance", "different of 64", "diversity", "realism")


def curves(bench: Bench) -> list[Table]:
    """Compares the recipes."""
    searches = {name: LatentSearch(recipe=name, encoder=False) for name in ("lbfgs", "adam", "authors")}  # type: ignore[arg-type]
    if bench.encoder is not None:
        searches = {"lbfgs, encoder": LatentSearch(), "lbfgs": searches["lbfgs"], "authors": searches["authors"]}
    table = Table("recipe", "passes", "seconds", *SUMMARY)
    found = {}
    for name, search in searches.items():
        variants, spent = bench.search(search)
        found[name] = bench.curve
        table.add_row(name, f"{bench.passes / IMAGES / 64:.0f}", f"{spent:.0f}", *summary(variants))
    course = Table("passes", *found, title="mean contextual loss")
    for passes in PASSES:
        reached = [[loss for spent, loss in curve if spent <= passes][-1:] for curve in found.values()]
        course.add_row(str(passes), *[f"{loss[0]:.4f}" if loss else "" for loss in reached])
    last_passes, last_loss = found["authors"][-1]
    for name in [name for name in found if name != "authors"]:
        arrived = [spent for spent, loss in found[name] if loss <= last_loss]
        if arrived:
            share = arrived[0] / last_passes
            table.caption = f"{table.caption or ''} {name} has the authors' loss after {share:.1%} of their passes."
    return [course, table]


def diversity(bench: Bench) -> list[Table]:
    """Compares values of ``search.diversity``."""
    table = Table("diversity", "passes", *SUMMARY)
    for value in DIVERSITIES:
        variants, _ = bench.search(LatentSearch(diversity=value, encoder=False))
        table.add_row(str(value), f"{bench.passes / IMAGES / 64:.0f}", *summary(variants))
    return [table]


def blends(bench: Bench) -> list[Table]:
    """Compares the seams; outputs/blends.png has each image's first eight variants, a blend below the other."""
    table, rows = Table("blend", *SUMMARY), []
    for blend in ("paste", "feather", "poisson"):
        variants, _ = bench.search(LatentSearch(encoder=False), blend)
        table.add_row(blend, *summary(variants))
        rows.append(torch.cat([bench.images[:, None], variants.images[:, :8]], dim=1))
    with torch.no_grad():
        table.caption = f"realism of the images themselves: {float(bench.discriminator(bench.images).mean()):.2f}"
    grid = torch.stack(rows, dim=1).permute(0, 1, 4, 2, 5, 3)  # image, blend, height, variant, width, channel
    picture = (grid.flatten(3, 4).flatten(0, 2) * 255).round().byte().numpy()
    Path("outputs").mkdir(exist_ok=True)
    Image.fromarray(picture).resize(3 * np.array(picture.shape[1::-1]), Image.Resampling.NEAREST).save(
        "outputs/blends.png"
    )
    return [table]


def main() -> None:
    """Prints the tables."""
    what = sys.argv[1] if len(sys.argv) > 1 else "curves"
    bench = Bench(Path(sys.argv[2] if len(sys.argv) > 2 else "outputs/digits"))
    for table in {"curves": curves, "diversity": diversity, "blends": blends}[what](bench):
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
