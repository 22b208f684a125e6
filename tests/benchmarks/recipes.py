"""Which recipe trains the better generator? Run by hand after ``python train.py``, which makes the evaluator.

    python tests/benchmarks/recipes.py [epochs] [setting=value ...]

Trains the DCGAN with each recipe on the digits, one after the other, evaluated by the classifier of ``outputs/digits``,
and prints a row for each: the share of 2000 samples to which the classifier gives at least 0.9, the smallest share of a
class, KID and FID-like distance in the classifier's features, and the time relative to the first recipe's.

Trials that led to ``stable`` (share of samples at 0.9 or more; 32 base channels, 64 latent dimensions unless said; one
core, so compare at equal steps and mind that a step with batch 32 takes half as long as one with 64):

- Digits of 70 to 90 % of the side on brighter photographs, batch 64, after 500 / 1000 steps. Radford with batch
  normalisation: .25 / .30 (.36 after 1500). Logistic loss, no normalisation, R1: weight 1 at rate 5e-4 .29 / .36;
  weight .05 at 1e-3 .34 / .44; the same with Adam's first decay .5 .23 / .36. Relativistic loss with R1 and R2:
  weight .05 at 1e-3 .37 / .47, at 2e-3 .43 / .49; weight .01 .35 / .45.
- Digits of 80 to 92 %, relativistic, one batch of fakes for both steps. Batch 64 .48 / .55; batch 32 at 1.5e-3 .45 /
  .49 and .60 after 2000 (the same time as 1000 of 64). No better for their time: generator or discriminator 1.5 times
  as wide, 16 or 128 latent dimensions, generator's rate 4e-3, DiffAugment's translation. Rates 2e-3 / 1.5e-3 falling
  over the last 40 %: .54 after 1200, .62 after 2400, .66 after 3600, .68 after 4800 steps.
- Digits of 85 to 97 %, darker: .59 after 1200, .64 after 1800, .71 after 3600 steps. The default lies between.
- A random one-hot vector of 32 beside 32 normal dimensions: .72 where normal latents gave .68, but with larger one-
  hot vectors the generator painted about one picture for each, which no class share shows. Dropped.
- The default for ten epochs (.711, KID .104) with one thing changed: penalty .02 .735 but KID .140; rates 3e-3 and
  2.25e-3 .696 and .143; rates falling over the last 60 % .714 and .128. Another random stream alone moves the default
  to .714 and .151, so none of these differences is one.
- Told the classes (``conditional``), 2500 steps of one core; share at 0.9 / KID / precision / coverage against the test
  split, whose own training images have .999 / .024 / .483 / .611: not told .66 / .118 / .126 / .265. Class of a normal
  latent by its greatest of ten numbers, and nothing else .81 / .022 / .249 / .446. Concrete choice at temperature
  .1 .948 / .014 / .396 / .54, at .25 .920 / .013 / .380 / .535 (5000 steps .925 / .008 / .398 / .565), at .5 .871 /
  .011 / .355 / .483. The lower, the farther apart the classes lie for a latent search; .25 is kept. A head of the
  discriminator that learns the classes of real images, and a generator that paints what it is sure of, without telling
  either the class: .684 / .108 / .144 / .309. Dropped.

R1 and R2 have the weight for images in [-1, 1] here, four times that of the code.
"""

import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from overpaint.cli.allocator import keep_freed_memory
from overpaint.cli.entry import train
from overpaint.core.files import read_csv
from overpaint.training.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Prints the table."""
    keep_freed_memory()
    epochs, *words = sys.argv[1:] or ["10"]
    evaluator = Path("outputs/digits/classifier.ckpt")
    table = Table("recipe", "at least 0.9", "smallest class", "KID", "FID-like", "time")
    unit = 0.0
    for recipe in RECIPES:
        output = Path("outputs/recipes") / recipe
        output.mkdir(parents=True, exist_ok=True)
        (output / "classifier.ckpt").write_bytes(evaluator.read_bytes())
        start = time.perf_counter()
        own = [f"output={output}", f"model.dcgan.recipe={recipe}", f"trainer.max_epochs={epochs}"]
        train(ROOT / "configs", ["model=dcgan", "logger.mode=none", *own, *words])
        spent = time.perf_counter() - start
        unit = unit or spent
        last = [row for row in read_csv(output / "metrics.csv") if row.get("samples/kid")][-1]
        names = ("confident", "least_fraction", "kid", "fid_like")
        table.add_row(recipe, *[f"{float(last[f'samples/{n}']):.3g}" for n in names], f"{spent / unit:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
