"""Latents that choose a class: their distribution, the drawing of a given class, and networks that are told classes."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from scipy.special import softmax
from torch import Tensor

from overpaint.cli.entry import train
from overpaint.core.choices import LatentDistribution
from overpaint.core.errors import OverpaintError
from overpaint.core.types import Latents
from overpaint.data.split import class_shares
from overpaint.networks.checkpoint import FORMAT_KEY, load_generator
from overpaint.networks.class_latents import SCALE, TEMPERATURE, ClassLatents
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.networks.gan import sample_latents
from overpaint.report import generator_gallery
from overpaint.training.dcgan import DCGANModule
from overpaint.training.gan_losses import gradient_penalties, gradient_penalty
from overpaint.training.recipes import RECIPES

SHARES = (0.5, 0.3, 0.15, 0.05)
DISTRIBUTIONS: dict[LatentDistribution, Callable[[Tensor], np.ndarray]] = {
    "normal": lambda z: stats.norm.cdf(z.double().numpy()),
    "uniform": lambda z: stats.uniform(-1, 2).cdf(z.double().numpy()),
}

both_distributions = pytest.mark.parametrize("distribution", ["normal", "uniform"])


def _rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@both_distributions
def test_the_choice_is_a_sample_of_the_concrete_distribution(distribution: LatentDistribution) -> None:
    numbers = sample_latents(distribution, 200, 4, _rng())
    gumbel = stats.gumbel_r.ppf(DISTRIBUTIONS[distribution](numbers))
    expected = SCALE * softmax((gumbel + np.log(SHARES)) / TEMPERATURE, axis=1)
    found = ClassLatents(SHARES, distribution)(numbers)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    assert float((found.amax(1) > 0.9 * SCALE).float().mean()) > 0.5  # nearly one-hot


@both_distributions
def test_random_latents_have_the_shares_of_the_data(distribution: LatentDistribution) -> None:
    chosen = ClassLatents(SHARES, distribution).chosen(sample_latents(distribution, 20_000, 4, _rng()))
    counts = chosen.bincount(minlength=4).numpy()
    assert stats.chisquare(counts, 20_000 * np.array(SHARES)).pvalue > 0.01


@both_distributions
@pytest.mark.parametrize("wanted", [0, 3])
def test_latents_of_a_class_are_those_of_all_that_choose_it(distribution: LatentDistribution, wanted: int) -> None:
    """Rejection is the oracle: of random latents those that choose the class."""
    latents = ClassLatents(SHARES, distribution)
    drawn = latents.sample(torch.full((3000,), wanted), _rng(1))
    assert (latents.chosen(drawn) == wanted).all()
    free = sample_latents(distribution, 60_000, 4, _rng(2))
    kept = free[latents.chosen(free) == wanted]
    assert len(kept) > 2000
    for place in range(4):
        assert stats.ks_2samp(drawn[:, place], kept[:, place]).pvalue > 0.01
    assert stats.ks_2samp(drawn[:, 0] - drawn[:, 3], kept[:, 0] - kept[:, 3]).pvalue > 0.01  # nor apart: jointly


@both_distributions
def test_latents_of_the_data_s_classes_are_independent_numbers_again(distribution: LatentDistribution) -> None:
    """Training draws by class and a user without: both must mean the same latents."""
    labels = torch.multinomial(torch.tensor(SHARES), 20_000, replacement=True, generator=_rng())
    drawn = ClassLatents(SHARES, distribution).sample(labels, _rng(1))
    probabilities = DISTRIBUTIONS[distribution](drawn)
    for place in range(4):
        assert stats.kstest(probabilities[:, place], "uniform").pvalue > 0.01
    assert np.abs(np.corrcoef(probabilities.T) - np.eye(4)).max() < 0.03


@both_distributions
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 40.0, -40.0])
def test_gradients_are_finite_wherever_a_search_may_go(distribution: LatentDistribution, value: float) -> None:
    numbers = torch.full((2, 4), value).requires_grad_()
    found = ClassLatents((0.5, 0.5, 0.0, 0.0), distribution)(numbers)
    (gradients,) = torch.autograd.grad(found[:, 0].sum(), numbers)
    assert found.isfinite().all()
    assert gradients.isfinite().all()


def test_a_class_that_the_data_lack_is_not_chosen() -> None:
    latents = ClassLatents((0.6, 0.0, 0.4), "normal")
    assert set(latents.chosen(sample_latents("normal", 2000, 3, _rng())).tolist()) == {0, 2}
    drawn = latents.sample(torch.tensor([0, 2] * 500), _rng())
    assert drawn.isfinite().all()
    assert torch.equal(latents.chosen(drawn), torch.tensor([0, 2] * 500))


@pytest.mark.parametrize("shares", [(1.0,), (0.5, 0.4), (1.2, -0.2), (math.nan, 1.0)])
def test_shares_that_are_none_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(OverpaintError, match=r"class_shares=.* must be"):
        ClassLatents(shares, "normal")


def test_shares_of_labels() -> None:
    assert class_shares(torch.tensor([0, 2, 2, 0, 2]), 3) == pytest.approx([0.4, 0, 0.6])
    assert class_shares(torch.tensor([0, 0]), 1) == []
    assert class_shares(torch.tensor([0, -1, 1]), 2) == []


@pytest.mark.parametrize("size", [(32, 32), (64,)])
def test_a_generator_takes_the_class_from_its_latent(size: tuple[int, ...]) -> None:
    generator = Generator(size, 1, 5, 2, class_shares=SHARES).eval()
    assert generator.latent_dim == 9
    latents = generator.sample_latents(3, _rng())
    assert latents.shape == (3, 9)
    seen: list[Tensor] = []
    generator.layers.register_forward_pre_hook(lambda _, given: seen.append(given[0].flatten(1)))
    generator(latents)
    assert generator.class_latents is not None
    torch.testing.assert_close(seen[0], torch.cat([generator.class_latents(latents[:, :4]), latents[:, 4:]], dim=1))
    of_class = generator.sample_latents_of(torch.tensor([3, 1, 1]), _rng())
    assert generator.class_latents.chosen(of_class[:, :4]).tolist() == [3, 1, 1]


def test_a_generator_without_classes_draws_what_it_did() -> None:
    generator = Generator(32, 1, 5, 2)
    assert generator.latent_dim == 5
    drawn = generator.sample_latents_of(torch.tensor([3, 1]), _rng())
    assert torch.equal(drawn, generator.sample_latents(2, _rng()))


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (64,)])
def test_a_discriminator_is_told_the_class_or_weighs_all(size: tuple[int, ...]) -> None:
    judge, images = Discriminator(size, 1, 2, classes=3).eval(), torch.rand(4, 1, *size, generator=_rng())
    answers = judge.layers(2 * images - 1).flatten(1)
    labels = torch.tensor([2, 0, 1, 2])
    expected = [float(answers[i, 0] + answers[i, 1 + label]) for i, label in enumerate(labels.tolist())]
    torch.testing.assert_close(judge(images, labels), torch.tensor(expected))
    odds = sum(judge(images, torch.full((4,), label)).exp() for label in range(3)) / 3
    torch.testing.assert_close(judge(images), odds.log())


def test_a_penalty_is_that_of_the_images_own_classes() -> None:
    judge, images = Discriminator(32, 1, 2, classes=3), torch.rand(4, 1, 32, 32, generator=_rng())
    labels, fake = torch.tensor([2, 0, 1, 2]), torch.rand(4, 1, 32, 32, generator=_rng(1))
    expected = sum(gradient_penalty(lambda x: judge(x, labels[:2]), part[:2]) for part in (images, fake))
    torch.testing.assert_close(gradient_penalties(judge, images, fake, labels), expected)
    assert not torch.allclose(gradient_penalties(judge, images, fake, labels.flip(0)), expected)


def test_a_checkpoint_keeps_the_shares_and_one_from_before_has_none(tmp_path: Path) -> None:
    path = tmp_path / "dcgan.ckpt"
    for shares in (SHARES, ()):
        module = DCGANModule(image_size=32, channels=1, latent_dim=5, base_channels=2, class_shares=shares)
        content = {"state_dict": module.state_dict()}
        module.on_save_checkpoint(content)
        if not shares:
            del content[FORMAT_KEY]["settings"]["generator"]["class_shares"]
            del content[FORMAT_KEY]["settings"]["discriminator"]["classes"]
        torch.save(content, path)
        gan = load_generator(path)
        latents = gan.generator.sample_latents(2, _rng())
        assert latents.shape == (2, 5 + len(shares))
        assert torch.equal(gan.generator(latents), module.averaged_generator(latents))


@pytest.mark.parametrize(
    ("conditional", "recipe", "shares", "expected"),
    [
        (None, "stable", SHARES, True),
        (None, "radford", SHARES, False),
        (None, "stable", (), False),
        (False, "stable", SHARES, False),
        (True, "radford", SHARES, True),
    ],
)
def test_who_is_told_the_classes(
    conditional: bool | None, recipe: Literal["stable", "radford"], shares: tuple[float, ...], expected: bool
) -> None:
    module = DCGANModule(recipe, 32, 1, 4, 2, conditional=conditional, class_shares=shares)
    assert (module.generator.class_latents is not None) is expected
    assert module.discriminator.classes == (len(shares) if expected else 0)
    assert module.generator.latent_distribution == RECIPES[recipe].latents


def test_conditional_training_needs_classes() -> None:
    with pytest.raises(OverpaintError, match=r"conditional=true needs data of two or more classes"):
        DCGANModule(conditional=True)


@pytest.mark.parametrize("recipe", ["stable", "radford"])
def test_each_class_is_painted_as_its_own(recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that are bright on the right, and three times as many that are bright on the left."""
    monkeypatch.setattr(generator_gallery, "COMPARED", 24)
    for name, columns, count in (("left", slice(0, 8), 48), ("right", slice(8, 16), 16)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(count):
            pixels = np.full((16, 16), 60 + i % 8, dtype=np.uint8)
            pixels[:, columns] = 200
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{i}.png")
    words = ["model=dcgan", "data=folder", f"data.root={tmp_path / 'data'}", "data.channels=1", "data.image_size=16"]
    words += ["model.dcgan.conditional=true", f"model.dcgan.recipe={recipe}", "model.dcgan.base_channels=8"]
    words += ["model.dcgan.batch_size=16", "model.dcgan.max_epochs=40", "model.dcgan.ema_decay=0.9"]
    words += ["logger.mode=none", "trainer.enable_progress_bar=false", f"output={tmp_path / 'out'}"]
    train(Path(__file__).parents[1] / "configs", words)
    generator = load_generator(tmp_path / "out" / "dcgan.ckpt").generator
    assert isinstance(generator, Generator)

    def brighter_left(latents: Latents) -> int:
        left, right = generator(latents).mean((1, 2)).chunk(2, dim=1)
        return int((left.mean(1) > right.mean(1)).sum())

    assert brighter_left(generator.sample_latents_of(torch.zeros(100).long(), _rng())) > 90
    assert brighter_left(generator.sample_latents_of(torch.ones(100).long(), _rng())) < 10
    assert stats.binomtest(brighter_left(generator.sample_latents(400, _rng())), 400, 0.75).pvalue > 0.01
