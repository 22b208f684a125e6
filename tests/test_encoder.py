"""The encoder: what it sees, what it draws, what it learns from, and the search that starts from its guesses."""

from pathlib import Path

import pytest
import torch
from conftest import planted
from torch import Tensor, nn

from overpaint.cli.entry import train
from overpaint.core.errors import OverpaintError
from overpaint.inpainting.inpainter import Inpainter
from overpaint.inpainting.latent_search import GUESSES, LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.networks.checkpoint import load_generator
from overpaint.networks.dcgan import Discriminator, Generator
from overpaint.networks.encoder import Encoder
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.lightning import ExplainerModule
from overpaint.pipeline.runner import Runner
from overpaint.training.encoder_loss import SHARES, encoder_loss, random_regions

ROOT = Path(__file__).resolve().parents[1]


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _encoder(size: int = 32, channels: int = 1, latent_dim: int = 6) -> Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Encoder(size, channels, latent_dim, 4).eval()


def _networks(latent_dim: int = 6) -> tuple[Generator, Discriminator]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Generator(32, 1, latent_dim, 4).eval(), Discriminator(32, 1, 4).eval()


class Fixed(Encoder):
    """Guesses the same everywhere: ``mean`` and ``log_variance``."""

    def __init__(self, mean: Tensor, log_variance: float) -> None:
        nn.Module.__init__(self)
        self.mean, self.log_variance = mean, log_variance
        self.eval()

    def forward(self, images: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.mean.expand(len(images), -1)
        return mean, torch.full_like(mean, self.log_variance)


@pytest.mark.parametrize(("size", "channels"), [(32, 1), (64, 3), (128, 1), (224, 3)])
def test_it_does_not_see_the_region(size: int, channels: int) -> None:
    encoder = _encoder(size, channels)
    images = torch.rand(2, channels, size, size, generator=_seeded(0))
    regions = random_regions(2, (size, size), _seeded(1))
    other = torch.where(regions[:, None], 1 - images, images)
    for mine, theirs in zip(encoder(images, regions), encoder(other, regions), strict=True):
        assert mine.shape == (2, 6)
        assert torch.equal(mine, theirs)
    assert not torch.equal(encoder(images, regions)[0], encoder(images, ~regions)[0])
    assert not torch.equal(encoder(images, regions)[0], encoder(1 - images, regions)[0])


def test_the_log_variances_are_cut() -> None:
    encoder = _encoder()
    nn.init.constant_(encoder.layers[-1].bias, 50.0)  # type: ignore[arg-type]
    regions = random_regions(1, (32, 32), _seeded(1))
    assert encoder(torch.rand(1, 1, 32, 32), regions)[1].unique().tolist() == [1.0]


def test_another_size_is_refused() -> None:
    with pytest.raises(OverpaintError, match="image_size=50"):
        Encoder(50)


def test_guesses_have_the_mean_and_the_deviation_that_were_told() -> None:
    mean = torch.tensor([[1.0, -2.0]])
    drawn = Fixed(mean, -2.0).guesses(torch.rand(3, 1, 32, 32), torch.ones(3, 32, 32).bool(), 4000, _seeded(0))
    assert drawn.shape == (3, 4000, 2)
    deviation = torch.tensor(-1.0).exp()
    # Five standard errors of 12 000 draws.
    torch.testing.assert_close(drawn.mean((0, 1)), mean[0], rtol=0, atol=float(5 * deviation / 12000**0.5))
    torch.testing.assert_close(drawn.std((0, 1)), deviation.expand(2), rtol=5 / 24000**0.5, atol=0)


def test_an_image_that_is_not_square() -> None:
    encoder = Encoder([48, 80], 3, 6, 2).eval()
    regions = random_regions(2, (48, 80), _seeded(1))
    mean, log_variance = encoder(torch.rand(2, 3, 48, 80), regions)
    assert mean.shape == log_variance.shape == (2, 6)
    assert encoder.input_size == (48, 80)
    assert Encoder(**encoder.settings).settings == encoder.settings  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(32, 32), (64, 64), (48, 80)])
def test_random_regions_are_shares_of_the_image(size: tuple[int, int]) -> None:
    height, width = size
    regions = random_regions(200, size, _seeded(0))
    shares = regions.flatten(1).float().mean(1)
    assert float(shares.min()) >= SHARES[0] - 1 / (height * width)
    assert float(shares.max()) <= SHARES[1]
    assert float(shares.mean()) == pytest.approx(sum(SHARES) / 2, abs=5 * (SHARES[1] - SHARES[0]) / (12 * 200) ** 0.5)
    assert len({tuple(r.flatten().tolist()) for r in regions}) == 200
    inside = regions[:, 1:-1, 1:-1]  # blobs: nearly every pixel of one has a neighbour in it
    neighbours = sum(
        regions[:, 1 + y : height - 1 + y, 1 + x : width - 1 + x].int() for y, x in ((0, 1), (1, 0), (0, -1), (-1, 0))
    )
    assert float((neighbours[inside] > 0).float().mean()) > 0.99
    assert torch.equal(regions, random_regions(200, size, _seeded(0)))


def test_the_loss_is_the_negative_logarithm_of_the_density() -> None:
    generator, _ = _networks()
    mean = torch.linspace(-1, 1, 6)[None]
    loss = encoder_loss(Fixed(mean, 0.5), generator, 5, _seeded(3))
    latents = generator.sample_latents(5, _seeded(3))
    density = torch.distributions.Normal(mean, torch.tensor(0.25).exp()).log_prob(latents).mean()
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi))
    torch.testing.assert_close(loss, -density - constant)


def test_it_learns_to_tell_latents() -> None:
    """Of a generator with much contrast; an encoder that knows nothing but the prior has the loss 1/2."""
    generator, _ = _networks()
    for parameter in generator.parameters():
        if parameter.ndim == 4:
            nn.init.normal_(parameter, 0, 0.2, generator=_seeded(5))
    encoder = _encoder().train()
    optimiser, rng = torch.optim.Adam(encoder.parameters(), 3e-3), _seeded(0)
    for _ in range(150):
        optimiser.zero_grad()
        encoder_loss(encoder, generator, 32, rng).backward()
        optimiser.step()
    assert all(p.grad is None for p in generator.parameters())
    with torch.no_grad():
        assert float(encoder_loss(encoder.eval(), generator, 256, rng)) < 0.35


def _scene() -> tuple[Tensor, Tensor, Tensor]:
    images = torch.rand(2, 1, 32, 32, generator=_seeded(2))
    regions = random_regions(2, (32, 32), _seeded(1))
    return images, regions, RegionRule().ring_weights(regions)


def test_the_search_starts_from_guesses() -> None:
    images, regions, rings = _scene()
    mean = torch.linspace(-0.5, 0.5, 6)[None]
    asked = (*_networks(), images, rings, regions)
    found = LatentSearch(num_variants=3, steps=0)(*asked, encoder=Fixed(mean, -6.0))
    away = (found.latents - mean).abs()
    assert 0 < float(away.max()) < 5 * float(torch.tensor(-3.0).exp())
    seen: list[int] = []
    encoder = _encoder()
    guesses = encoder.guesses

    def counted(images: Tensor, regions: Tensor, count: int, rng: torch.Generator) -> Tensor:
        seen.append(count)
        return guesses(images, regions, count, rng)

    encoder.guesses = counted  # type: ignore[method-assign]
    settings = (
        {},
        {"num_candidates": 7},
        {"num_candidates": 0},
        {"diversity": 0.1, "num_candidates": 0},
        {"encoder": False},
        {"recipe": "authors"},
    )
    results = [LatentSearch(num_variants=3, steps=0, **own)(*asked, encoder=encoder) for own in settings]  # type: ignore[arg-type]
    assert seen == [GUESSES] * 2 + [7] * 2 + [3] * 2 + [6] * 2
    for own, result in zip(settings[-2:], results[-2:], strict=True):
        assert torch.equal(result.latents, LatentSearch(num_variants=3, steps=0, **own)(*asked).latents)  # type: ignore[arg-type]


def test_it_must_be_in_eval_mode_where_a_batch_does_not_tie_its_images() -> None:
    images, regions, rings = _scene()
    with pytest.raises(OverpaintError, match="generator, discriminator and encoder in eval mode"):
        LatentSearch()(*_networks(), images, rings, regions, encoder=_encoder().train())


def test_the_trainer_moves_it_with_the_other_networks() -> None:
    generator, discriminator = _networks()
    parts = (generator, discriminator, LatentSearch(), RegionRule())
    classifier = planted(lambda share: share)
    runner = Runner(classifier, {}, Engine(classifier), inpainter=Inpainter(*parts, encoder=_encoder()))
    module = ExplainerModule(runner, "predicted").to(torch.float64)
    assert runner.inpainter is not None
    assert {p.dtype for n in (generator, discriminator, runner.inpainter.encoder) if n for p in n.parameters()} == {
        torch.float64
    }
    assert runner.inpainter.encoder in list(module.networks)


def test_an_image_does_not_see_its_batch() -> None:
    images, regions, rings = _scene()
    search, encoder = LatentSearch(num_variants=3, steps=2), _encoder()
    together = search(*_networks(), images, rings, regions, encoder=encoder)
    for i in range(2):
        own = slice(i, i + 1)
        alone = search(*_networks(), images[own], rings[own], regions[own], encoder=encoder)
        assert torch.equal(alone.latents[0], together.latents[i])


def test_training_with_it_leaves_the_generator_as_it_is_and_explaining_uses_it(tmp_path: Path) -> None:
    tiny = [
        "data.train_count=96",
        "data.val_count=40",
        "data.test_count=8",
        "model.dcgan.base_channels=2",
        "model=dcgan",
    ]
    tiny += ["logger.mode=none", "trainer.enable_progress_bar=false", "trainer.max_epochs=2"]
    for name in ("false", "true"):
        train(ROOT / "configs", [*tiny, f"model.dcgan.encoder={name}", f"output={tmp_path}/{name}"])
    without, dcgan = (load_generator(tmp_path / name / "dcgan.ckpt") for name in ("false", "true"))
    assert without.encoder is None
    for mine, theirs in zip(without.networks(), dcgan.networks()[:2], strict=True):
        for name, tensor in mine.state_dict().items():
            assert torch.equal(tensor, theirs.state_dict()[name]), name
    assert isinstance(dcgan.encoder, Encoder)
    assert dcgan.class_names == [str(digit) for digit in range(10)]
    assert not dcgan.encoder.training
    assert not any(p.requires_grad for p in dcgan.encoder.parameters())
    assert "dcgan/encoder_loss" in (tmp_path / "true" / "metrics.csv").read_text()
    images, regions, _ = _scene()
    images = images.expand(-1, 3, -1, -1)
    search, rule = LatentSearch(num_variants=2, steps=0), RegionRule()
    makers = [
        Inpainter(own.generator, own.discriminator, search, rule, encoder=own.encoder) for own in (without, dcgan)
    ]
    latents = [inpainter.search_latents(images, regions).latents for inpainter in makers]
    assert not torch.equal(*latents)
