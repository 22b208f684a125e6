"""What probes are tried on: a generator that paints one grey, classifiers whose rule is known, small real networks."""

from collections.abc import Sequence
from typing import Any

import torch
from conftest import FunctionClassifier, frozen_classifier
from torch import Tensor, nn

from overpaint.core.protocols import Classifier
from overpaint.core.results import ProbeResult
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.probes.base import ProbeInputs

SIDE = 6
REGION = torch.zeros(SIDE, SIDE, dtype=torch.bool)
REGION[2:4, 2:5] = True

MAP = torch.zeros(SIDE, SIDE)
MAP[REGION] = torch.tensor([6.0, 5, 4, 3, 2, 1])
"""Its most salient sixth is `REGION`, the first row of it before the second."""


class GreyGenerator(Generator):
    """Paints latent ``k`` of a list of grey levels in one colour; a latent is a single number."""

    def __init__(self, levels: Sequence[float]) -> None:
        nn.Module.__init__(self)
        self.output_size, self.channels, self.latent_dim, self.latent_distribution = (SIDE, SIDE), 1, 1, "uniform"
        self.levels = torch.tensor(levels)
        self.eval()

    def forward(self, latents: Tensor) -> Tensor:
        return latents[:, :, None, None].expand(-1, 1, SIDE, SIDE)

    def sample_latents(self, count: int, rng: torch.Generator) -> Tensor:
        return self.levels[:count, None].clone()


class MeanDiscriminator(Discriminator):
    """D(x) = 3 times the image's mean."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.channels, self.input_size = 1, (SIDE, SIDE)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return 3 * images.mean((1, 2, 3))


class RegionNetwork(nn.Module):
    """Class 1 where the region is brighter than a middle grey, with gradients."""

    def forward(self, images: Tensor) -> Tensor:
        brightness = images[:, 0, REGION].mean(1)
        return torch.stack([-brightness, brightness], dim=1)


def bright_region(share: float = 0.5) -> FunctionClassifier:
    """Class 1's score is the mean brightness of the region, raised so that ``share`` of white gives a half."""
    return FunctionClassifier(lambda images: images[:, 0, REGION].mean(1) + 0.5 - share)


def bright_network() -> Classifier:
    return frozen_classifier(RegionNetwork(), SIDE, 1, 2)


def grey_inpainter(levels: Sequence[float], **search: Any) -> Inpainter:
    """Paints the region in these grey levels, in this order; without a search where none is described."""
    settings = {"num_variants": len(levels), "steps": 0, "num_candidates": 0, "spare": 0.0} | search
    rule = RegionRule(fraction=1 / 6)
    return Inpainter(GreyGenerator(levels), MeanDiscriminator(), LatentSearch(**settings), rule)


def probe_inputs_of(
    inpainter: Inpainter,
    classifier: Classifier,
    images: Tensor,
    maps: Tensor,
    targets: Sequence[int],
    oracle: Classifier | None = None,
    other_images: Tensor | None = None,
) -> ProbeInputs:
    regions, wanted = inpainter.rule.salient_region(maps), torch.tensor(targets)
    variants = inpainter(classifier, images, wanted, regions)
    return ProbeInputs(classifier, oracle, other_images, inpainter, images, wanted, maps, regions, variants)


def small_probe_inputs(count: int = 3) -> ProbeInputs:
    """Random networks of 32 pixels, random maps, one of them flat, and few steps."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator, discriminator = Generator(32, 1, 6, 4).eval(), Discriminator(32, 1, 4).eval()
        network = nn.Sequential(nn.Conv2d(1, 6, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        network.append(nn.Linear(24, 3))
    classifier = frozen_classifier(network, 32)
    inpainter = Inpainter(
        generator, discriminator, LatentSearch(num_variants=4, steps=3, num_candidates=8), RegionRule()
    )
    rng = torch.Generator().manual_seed(1)
    images, maps = torch.rand(count, 1, 32, 32, generator=rng), torch.randn(count, 32, 32, generator=rng)
    maps[-1] = 1
    targets = classifier.scores(images).argmax(1).tolist()
    return probe_inputs_of(inpainter, classifier, images, maps, targets)


def same_probed(mine: ProbeResult, other: ProbeResult) -> bool:
    """Whether two findings are equal bit for bit, NaN to NaN."""
    if mine.numbers.keys() != other.numbers.keys() or mine.arrays.keys() != other.arrays.keys():
        return False
    numbers = [torch.tensor([float(n) for n in one.numbers.values()]).nan_to_num(-7) for one in (mine, other)]
    return torch.equal(*numbers) and all(torch.equal(mine.arrays[key], other.arrays[key]) for key in mine.arrays)
