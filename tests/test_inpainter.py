"""Variants judged by classifiers whose rule is known, and the whole explanation of a batch."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import FunctionClassifier
from probe_inputs import small_probe_inputs
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.core.results import Explanation
from overpaint.inpainting.blending import blend_into
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.inpainting.variant_sets import distances_inside, mark_duplicates
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.networks.residual import ResidualNetwork
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.runner import Runner
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.rise import Rise

SIDE = 6
REGION = torch.zeros(SIDE, SIDE, dtype=torch.bool)
REGION[2:4, 2:5] = True


class GreyGenerator(Generator):
    """Paints latent ``k`` of a list of grey levels in one colour; a latent is a single number."""

    def __init__(self, channels: int = 1) -> None:
        nn.Module.__init__(self)
        self.output_size, self.channels, self.latent_dim, self.latent_distribution = (
            (SIDE, SIDE),
            channels,
            1,
            "uniform",
        )
        self.levels: Tensor = torch.empty(0)
        self.eval()

    def forward(self, latents: Tensor) -> Tensor:
        return latents[:, :, None, None].expand(-1, self.channels, SIDE, SIDE)

    def sample_latents(self, count: int, rng: torch.Generator) -> Tensor:
        return self.levels[:count, None].clone()


class MeanDiscriminator(Discriminator):
    """D(x) = 3 times the image's mean; remembers how many images it is shown at once."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.channels, self.input_size = 1, (SIDE, SIDE)
        self.rows: list[int] = []
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        self.rows.append(len(images))
        return 3 * images.mean((1, 2, 3))


def _maker(levels: Sequence[float], channels: int = 1, **settings: Any) -> Inpainter:
    """Paints the region in these grey levels, in this order, without a search."""
    generator = GreyGenerator(channels)
    generator.levels = torch.tensor(levels)
    search = LatentSearch(num_variants=len(levels), steps=0, num_candidates=0)
    return Inpainter(generator, MeanDiscriminator(), search, RegionRule(), **settings)


def _brightness_classifier(channels: int = 1) -> FunctionClassifier:
    """Class 1's score is the mean brightness of the region, so a region brighter than 0.5 is class 1."""
    return FunctionClassifier(lambda images: images[:, :, REGION].mean((1, 2)), channels)


def _images(count: int = 1, channels: int = 1, side: int = SIDE) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0))


def test_acceptance_confidence_and_diversity_by_hand() -> None:
    levels = [0.9, 0.2, 0.6, 0.905, 0.7, 0.21]  # the 4th and the last are duplicates of the 1st and the 2nd
    images, targets = _images(), torch.tensor([1])
    variants = _maker(levels)(_brightness_classifier(), images, targets, REGION[None])
    torch.testing.assert_close(variants.confidences, torch.tensor([levels]))
    assert variants.predictions.tolist() == [[1, 0, 1, 1, 1, 0]]
    assert variants.accepted.tolist() == [[True, False, True, True, True, False]]
    assert variants.duplicate.tolist() == [[False, False, False, True, False, True]]
    assert variants.acceptance_rates.tolist() == [3 / 4]
    torch.testing.assert_close(variants.mean_confidences, torch.tensor([(0.9 + 0.6 + 0.7) / 3]))
    # The pairs of 0.9, 0.6 and 0.7.
    torch.testing.assert_close(variants.diversities, torch.tensor([(0.3 + 0.2 + 0.1) / 3]))
    assert variants.latents[0, :, 0].tolist() == pytest.approx(levels)
    assert variants.steps.tolist() == [0]
    for k, level in enumerate(levels):
        expected = torch.where(REGION, torch.tensor(level), images[0])
        assert torch.equal(variants.images[0, k], expected)
        assert float(variants.realism[0, k]) == pytest.approx(3 * float(expected.mean()))
    ring = RegionRule().ring_weights(REGION[None])[0]
    expected_losses = [float((ring * (level - images[0, 0]).abs()).sum()) for level in levels]
    assert variants.contextual_losses[0].tolist() == pytest.approx(expected_losses)


def test_the_other_class_accepts_the_others() -> None:
    levels = [0.9, 0.2, 0.6, 0.905, 0.7, 0.3]
    images, regions = _images().expand(2, -1, -1, -1), REGION.expand(2, -1, -1)
    variants = _maker(levels)(_brightness_classifier(), images, torch.tensor([0, 1]), regions)
    assert variants.acceptance_rates.tolist() == pytest.approx([2 / 5, 3 / 5])
    torch.testing.assert_close(variants.mean_confidences[0], torch.tensor((0.8 + 0.7) / 2))
    torch.testing.assert_close(variants.diversities[0], torch.tensor(0.1))
    torch.testing.assert_close(variants.confidences.sum(0), torch.ones(6))


@pytest.mark.parametrize(("levels", "rate"), [([0.1, 0.2, 0.3], 0.0), ([0.1, 0.2, 0.8], 1 / 3)])
def test_too_few_accepted_variants_have_no_mean(levels: list[float], rate: float) -> None:
    variants = _maker(levels)(_brightness_classifier(), _images(), torch.tensor([1]), REGION[None])
    assert variants.acceptance_rates.tolist() == pytest.approx([rate])
    assert bool(variants.diversities.isnan())
    if rate:
        assert variants.mean_confidences.tolist() == pytest.approx([0.8])
    else:
        assert bool(variants.mean_confidences.isnan())


def test_an_empty_region_has_no_acceptance_rate() -> None:
    images = _images(2)
    regions = torch.stack([torch.zeros_like(REGION), REGION])
    variants = _maker([0.9, 0.8, 0.1])(_brightness_classifier(), images, torch.tensor([1, 1]), regions)
    assert bool(variants.acceptance_rates[0].isnan())
    assert float(variants.acceptance_rates[1]) == pytest.approx(2 / 3)
    assert torch.equal(variants.images[0], images[0].expand(3, -1, -1, -1))
    assert variants.duplicate.tolist() == [[False, True, True], [False, False, False]]
    assert variants.contextual_losses[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_distances_are_the_slow_ones(channels: int) -> None:
    rng = torch.Generator().manual_seed(2)
    variants = torch.rand(3, 4, channels, 5, 7, generator=rng)
    regions = torch.rand(3, 5, 7, generator=rng) < 0.4
    regions[2] = False
    distances = distances_inside(variants, regions)
    expected = torch.zeros(3, 4, 4)
    for i, j, k in itertools.product(range(2), range(4), range(4)):
        squares = [
            float(variants[i, j, c, row, column] - variants[i, k, c, row, column]) ** 2
            for c in range(channels)
            for row, column in regions[i].nonzero().tolist()
        ]
        expected[i, j, k] = (sum(squares) / len(squares)) ** 0.5
    torch.testing.assert_close(distances, expected)
    assert (distances.diagonal(dim1=1, dim2=2) == 0).all()
    assert (distances[2] == 0).all()


def test_a_duplicate_of_a_duplicate_alone_is_none() -> None:
    positions = torch.tensor([0.0, 0.9, 1.8, 5.0, 1.0, 5.9, 6.8])
    distances = (positions[:, None] - positions).abs()
    # 0.9 falls to 0; 1.8 is near 0.9 only, which counts nowhere, so it stays; 1.0 lies on the limit of 0, near 1.8.
    expected = [False, True, False, False, True, True, False]
    assert mark_duplicates(distances, 1.0).tolist() == expected
    assert mark_duplicates(distances, 0.0).tolist() == [False] * 7


def test_duplicates_are_counted_by_what_is_seen_inside_the_region() -> None:
    """The tolerance is a root mean square in the images' unit, so it does not see the region's size or channels."""
    for channels, region in ((1, REGION), (3, REGION), (3, torch.ones_like(REGION))):
        inpainter = _maker([0.5, 0.5199, 0.54, 0.5601], channels)
        classifier = _brightness_classifier(channels)
        variants = inpainter(classifier, _images(1, channels), torch.tensor([1]), region[None])
        assert variants.duplicate.tolist() == [[False, True, False, False]]
        inpainter = _maker([0.5, 0.5199, 0.54, 0.5601], channels, duplicate_tolerance=0.05)
        variants = inpainter(classifier, _images(1, channels), torch.tensor([1]), region[None])
        assert variants.duplicate.tolist() == [[False, True, True, False]]


def test_each_image_is_judged_by_itself() -> None:
    """Every pass of classifier and discriminator has one image's variants, whatever the batch."""
    inpainter, classifier = _maker([0.1, 0.5, 0.6, 0.9, 0.3]), _brightness_classifier()
    inpainter(classifier, _images(3), torch.tensor([0, 1, 1]), REGION.expand(3, -1, -1))
    assert classifier.rows == [5, 5, 5]
    assert isinstance(inpainter.discriminator, MeanDiscriminator)
    assert inpainter.discriminator.rows[-3:] == [5, 5, 5]


def _networks(
    channels: int = 1, size: int | tuple[int, int] = 32
) -> tuple[Generator, Discriminator, NetworkClassifier]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator, discriminator = Generator(32, channels, 6, 4), Discriminator(32, channels, 4)
        network = ResidualNetwork(channels, 3, 8)
    names, mean, std = ["a", "b", "c"], [0.5] * channels, [0.25] * channels
    classifier = NetworkClassifier(network, names, size, mean, std)
    return generator.eval(), discriminator.eval(), classifier.eval()


@pytest.mark.parametrize("size", [(20, 20), (48, 48), (24, 40)])
@pytest.mark.parametrize("blend", ["paste", "feather", "poisson"])
def test_a_generator_of_another_size_is_searched_at_its_own(size: tuple[int, int], blend: Any) -> None:
    generator, discriminator, classifier = _networks(3, size)
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    regions = torch.zeros(2, *size, dtype=torch.bool)
    regions[0, 4:12, 5:15] = True
    regions[1, :6, -7:] = True
    rule, search = RegionRule(), LatentSearch(num_variants=3, steps=3, num_candidates=0)
    inpainter = Inpainter(generator, discriminator, search, rule, blend)
    variants = inpainter(classifier, images, torch.tensor([0, 1]), regions)
    assert variants.images.shape == (2, 3, 3, *size)
    for i in range(2):
        outside = ~regions[i]
        assert torch.equal(variants.images[i][:, :, outside], images[i][:, outside].expand(3, -1, -1))
        assert not torch.equal(variants.images[i][:, :, regions[i]], images[i][:, regions[i]].expand(3, -1, -1))

    def resize(values: Tensor, to: tuple[int, int]) -> Tensor:
        return F.interpolate(values, to, mode="bilinear", antialias=True)

    small_regions = resize(regions[:, None].float(), (32, 32))[:, 0] >= 0.5
    found = search(generator, discriminator, resize(images, (32, 32)), rule.ring_weights(small_regions))
    painted = torch.stack([resize(p, size) for p in found.images])
    torch.testing.assert_close(variants.images, blend_into(images, painted, regions, blend))
    torch.testing.assert_close(variants.latents, found.latents)
    torch.testing.assert_close(variants.contextual_losses, found.contextual_losses)
    with torch.no_grad():
        realism = torch.stack([discriminator(resize(v, (32, 32))) for v in variants.images])
    torch.testing.assert_close(variants.realism, realism)
    assert float(variants.images.min()) >= 0
    assert float(variants.images.max()) <= 1


def test_another_number_of_channels_is_refused() -> None:
    with pytest.raises(OverpaintError, match="the generator paints 3 channels, but the images have 1"):
        _maker([0.1], channels=3)(_brightness_classifier(), _images(), torch.tensor([0]), REGION[None])


METHODS = {"rise": Rise(queries=64), "mask_estimation": MaskEstimation(queries=64, chains=8, window=8)}
VARIANT_FIELDS = [
    "images", "latents", "confidences", "predictions", "accepted", "duplicate", "contextual_losses", "realism",
    "acceptance_rates", "mean_confidences", "diversities", "steps",
]  # fmt: skip


def _explain(images: Tensor, targets: Tensor, blend: Any = "paste", first: str = "rise") -> Explanation:
    generator, discriminator, classifier = _networks()
    rule, search = RegionRule(ring=0.3), LatentSearch(num_variants=4, steps=4, num_candidates=70)
    inpainter = Inpainter(generator, discriminator, search, rule, blend)
    methods = {first: METHODS[first]} | METHODS
    return Runner(classifier, methods, Engine(classifier), rule, inpainter).run(images, targets[:, None])


def test_an_explanation_holds_everything() -> None:
    images, targets = _images(2, 1, 32), torch.tensor([2, 0])
    found = _explain(images, targets)
    assert torch.equal(found.images, images)
    assert torch.equal(found.targets, targets)
    _, _, classifier = _networks()
    torch.testing.assert_close(found.scores, classifier.scores(images))
    assert list(found.saliency) == ["rise", "mask_estimation"]
    for saliency in found.saliency.values():
        assert saliency.maps.shape == (2, 32, 32)
        assert saliency.standard_errors is not None
        assert saliency.standard_errors.shape == (2, 32, 32)
        assert saliency.queries.tolist() == [64, 64]
    for name, saliency in found.saliency.items():
        assert found.flat[name].tolist() == [False, False]
        assert found.regions[name].flatten(1).sum(1).tolist() == [102, 102]  # a tenth of the pixels
        assert torch.equal(found.regions[name], RegionRule().salient_region(saliency.maps))
    variants = found.variants
    assert variants is not None
    assert variants.images.shape == (2, 4, 1, 32, 32)
    assert variants.latents.shape == (2, 4, 6)
    for name in ("confidences", "predictions", "accepted", "duplicate", "contextual_losses", "realism"):
        assert getattr(variants, name).shape == (2, 4)
    for name in ("acceptance_rates", "mean_confidences", "diversities", "steps"):
        assert getattr(variants, name).shape == (2,)


def test_the_first_method_gives_the_region() -> None:
    images, targets = _images(2, 1, 32), torch.tensor([2, 0])
    found = _explain(images, targets, first="mask_estimation")
    assert found.variants is not None
    changed = (found.variants.images != images[:, None]).flatten(2, 2).any(1).any(1)
    assert bool((changed & found.regions["mask_estimation"]).any())
    assert not bool((changed & ~found.regions["mask_estimation"]).any())
    assert not torch.equal(found.regions["mask_estimation"], found.regions["rise"])


def test_a_classifier_that_looks_nowhere_has_no_region() -> None:
    classifier = FunctionClassifier(lambda images: torch.full((len(images),), 0.75))
    images = _images(2, 1, 32)
    generator, discriminator, _ = _networks()
    inpainter = Inpainter(
        generator, discriminator, LatentSearch(num_variants=2, steps=1, num_candidates=0), RegionRule()
    )
    found = Runner(classifier, {"rise": Rise(queries=64)}, Engine(classifier), RegionRule(), inpainter).run(
        images, torch.tensor([[1], [1]])
    )
    assert found.flat["rise"].tolist() == [True, True]
    assert not found.regions["rise"].any()
    assert found.variants is not None
    assert bool(found.variants.acceptance_rates.isnan().all())
    assert torch.equal(found.variants.images, images[:, None].expand(-1, 2, -1, -1, -1))


def test_without_a_maker_there_are_no_variants() -> None:
    _, _, classifier = _networks()
    found = Runner(classifier, METHODS, Engine(classifier)).run(_images(1, 1, 32), torch.tensor([[1]]))
    assert found.variants is None
    assert bool(found.regions["rise"].any())


@pytest.mark.parametrize(("blend", "first"), [("paste", "rise"), ("poisson", "mask_estimation")])
def test_an_explanation_does_not_see_its_batch(blend: Any, first: str) -> None:
    images, targets, order = _images(3, 1, 32), torch.tensor([2, 0, 1]), [2, 0, 1]
    together = _explain(images[order], targets[order], blend, first)
    assert together.variants is not None
    for place, i in enumerate(order):
        alone = _explain(images[i : i + 1], targets[i : i + 1], blend, first)
        assert torch.equal(alone.regions[first][0], together.regions[first][place])
        for name in METHODS:
            for field in ("maps", "standard_errors", "queries"):
                mine, theirs = getattr(alone.saliency[name], field), getattr(together.saliency[name], field)
                assert torch.equal(mine[0], theirs[place])
        for field in VARIANT_FIELDS:
            mine, theirs = getattr(alone.variants, field)[0], getattr(together.variants, field)[place]
            assert torch.equal(mine.double().nan_to_num(-7), theirs.double().nan_to_num(-7))


def test_an_explanation_leaves_the_global_random_state_alone() -> None:
    state = torch.get_rng_state()
    _explain(_images(1, 1, 32), torch.tensor([1]))
    assert torch.equal(torch.get_rng_state(), state)


def test_painting_the_latents_that_were_found_gives_the_same_variants() -> None:
    inputs = small_probe_inputs()
    asked = (inputs.classifier, inputs.images, inputs.targets, inputs.regions)
    again = inputs.inpainter.repainted(*asked, inputs.variants.latents)
    for field in dataclasses.fields(again):
        if field.name not in ("steps", "improved"):  # of a search
            found, expected = getattr(again, field.name), getattr(inputs.variants, field.name)
            torch.testing.assert_close(found, expected, atol=0, rtol=0, equal_nan=True)
    assert not again.steps.any()


def test_any_loss_of_the_logits_can_guide_the_search() -> None:
    inputs = small_probe_inputs()
    asked = (inputs.classifier, inputs.images, inputs.targets, inputs.regions)
    confident = inputs.inpainter(*asked, guidance=3.0)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return 3 * F.cross_entropy(logits, targets, reduction="none")

    torch.testing.assert_close(inputs.inpainter.searched(*asked, loss).latents, confident.latents)
    assert not torch.equal(inputs.inpainter.searched(*asked).latents, confident.latents)
