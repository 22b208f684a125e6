"""The latent search on a linear generator, where its loss, its gradient and its optimum are known."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor, nn

from overpaint.errors import OverpaintError
from overpaint.inversion import LatentSearch, _Objective
from overpaint.networks.dcgan import Discriminator, Generator, LatentDistribution
from overpaint.perturbation.randomness import image_rng

SIDE, LATENTS = 5, 4


class LinearGenerator(Generator):
    """G(z) = 1/2 + A z, in float64; remembers the latents that it is shown."""

    def __init__(self, channels: int = 2, scale: float = 0.1, distribution: LatentDistribution = "uniform") -> None:
        nn.Module.__init__(self)
        self.image_size, self.channels, self.latent_dim = SIDE, channels, LATENTS
        self.latent_distribution = distribution
        rng = torch.Generator().manual_seed(11)
        matrix = scale * torch.randn(channels * SIDE**2, LATENTS, generator=rng, dtype=torch.float64)
        self.matrix = nn.Parameter(matrix)
        self.seen: list[Tensor] = []
        self.eval()

    def forward(self, latents: Tensor) -> Tensor:
        self.seen.append(latents.detach().clone())
        return (0.5 + latents.double() @ self.matrix.T).reshape(-1, self.channels, SIDE, SIDE)

    def sample_latents(self, count: int, rng: torch.Generator) -> Tensor:
        return super().sample_latents(count, rng).double()


class LinearDiscriminator(Discriminator):
    """D(x) = w·x + 0.2, in float64."""

    def __init__(self, channels: int = 2) -> None:
        nn.Module.__init__(self)
        rng = torch.Generator().manual_seed(12)
        self.weight = nn.Parameter(torch.randn(channels * SIDE**2, generator=rng, dtype=torch.float64))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight + 0.2


def _image(channels: int = 2, seed: int = 0) -> Tensor:
    return torch.rand(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)).double()


def _ring(seed: int = 1) -> Tensor:
    ring = torch.rand(1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)).double()
    ring[0, 1:3, 2:4] = 0
    return ring / ring.sum()


def _in_range(generator: LinearGenerator, latents: Tensor) -> Tensor:
    with torch.no_grad():
        image: Tensor = generator(latents)
    generator.seen.clear()
    return image


def _literal_losses(
    generator: LinearGenerator, discriminator: LinearDiscriminator, image: Tensor, ring: Tensor, latents: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The mean over channels of Σ R |G(z) - X|, and log(1 + exp(-D(G(z)))), for each latent, in numpy."""
    matrix, weight = generator.matrix.detach().numpy(), discriminator.weight.detach().numpy()
    contextual, prior = [], []
    for z in latents:
        painted = 0.5 + matrix @ z
        channels = painted.reshape(-1, SIDE, SIDE)
        differences = np.abs(channels - image[0].numpy())
        contextual.append(sum((ring[0].numpy() * difference).sum() for difference in differences))
        prior.append(np.log1p(np.exp(-(weight @ painted + 0.2))))
    return np.array(contextual) / generator.channels, np.array(prior)


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_an_image_in_the_generators_range_is_found(distribution: LatentDistribution) -> None:
    generator = LinearGenerator(distribution=distribution)
    wanted = torch.tensor([[0.5, -0.7, 0.2, 0.4]]).double()
    image = _in_range(generator, wanted)
    search = LatentSearch(count=8, prior_weight=0.0, steps=600, starts=0)
    found = search(generator, LinearDiscriminator(), image, _ring())
    at_start, _ = _literal_losses(generator, LinearDiscriminator(), image, _ring(), generator.seen[0].numpy())
    assert (found.contextual_losses[0].numpy() < 0.01 * at_start).all()
    torch.testing.assert_close(found.latents[0], wanted.expand(8, -1), rtol=0, atol=0.02)


@pytest.mark.parametrize("contrast", [0.5, 6.0])
def test_any_image_gives_the_least_absolute_deviations(contrast: float) -> None:
    """The optimum as a linear programme: min Σ R t with |A z - y| <= t and z in [-1, 1]."""
    generator, image, ring = LinearGenerator(), 0.5 + contrast * (_image() - 0.5), _ring()
    matrix, target = generator.matrix.detach().numpy(), image.flatten().numpy() - 0.5
    weights = np.tile(ring.flatten().numpy(), 2) / 2
    size = len(target)
    programme = linprog(
        np.concatenate([np.zeros(LATENTS), weights]),
        np.block([[matrix, -np.eye(size)], [-matrix, -np.eye(size)]]),
        np.concatenate([target, -target]),
        bounds=[(-1, 1)] * LATENTS + [(0, None)] * size,
    )
    at_bounds = np.abs(programme.x[:LATENTS]) > 1 - 1e-9
    assert at_bounds.any() == (contrast > 1)
    found = LatentSearch(count=4, prior_weight=0.0)(generator, LinearDiscriminator(), image, ring)
    losses = found.contextual_losses[0].numpy()
    assert (losses >= programme.fun * (1 - 1e-9)).all()
    assert (losses <= programme.fun * 1.01).all()


@pytest.mark.parametrize("channels", [1, 2])
def test_losses_and_their_gradient(channels: int) -> None:
    """Against the formulas in numpy, and those formulas' central differences."""
    generator, discriminator = LinearGenerator(channels), LinearDiscriminator(channels)
    image, ring = _image(channels), _ring()
    latents = torch.randn(3, LATENTS, generator=torch.Generator().manual_seed(5)).double().requires_grad_()
    contextual, prior = _Objective(generator, discriminator, image[0], ring[0]).losses(latents)

    def literal(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _literal_losses(generator, discriminator, image, ring, values)

    for losses, which in ((contextual, 0), (prior, 1)):
        np.testing.assert_allclose(losses.detach().numpy(), literal(latents.detach().numpy())[which], rtol=1e-12)
        (gradient,) = torch.autograd.grad(losses.sum(), latents, retain_graph=True)
        for axis in range(LATENTS):
            step = np.zeros(LATENTS)
            step[axis] = 1e-6
            up, down = literal(latents.detach().numpy() + step)[which], literal(latents.detach().numpy() - step)[which]
            np.testing.assert_allclose(gradient[:, axis].numpy(), (up - down) / 2e-6, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("recipe", ["adam", "authors"])
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_the_best_step_of_each_latent_is_kept(recipe: Any, distribution: LatentDistribution) -> None:
    generator, discriminator = LinearGenerator(scale=0.5, distribution=distribution), LinearDiscriminator()
    image, steps, weight = _image(), 30, 0.3
    search = LatentSearch(
        recipe, count=6, steps=steps, prior_weight=weight, starts=0, learning_rate=0.2 if recipe == "adam" else 0.01
    )
    ring = _ring() if recipe == "adam" else 7 * _ring()
    found = search(generator, discriminator, image, ring)
    assert found.steps.tolist() == [steps]
    visited = torch.stack(generator.seen[: steps + 1])
    losses = []
    for latents in visited.double().numpy():
        contextual, prior = _literal_losses(generator, discriminator, image, ring, latents)
        # The authors sum over channels of images in [-1, 1], twice as wide.
        losses.append((2 * 2 if recipe == "authors" else 1) * contextual + weight * prior)
    best = np.array(losses).argmin(0)
    assert best.max() > 0
    assert best.min() < steps  # for some latent the last step is not the best
    for k in range(6):
        assert torch.equal(found.latents[0, k], visited[best[k], k])
    contextual, prior = _literal_losses(generator, discriminator, image, ring, found.latents[0].double().numpy())
    np.testing.assert_allclose(found.contextual_losses[0].numpy(), contextual / float(ring.sum()), rtol=1e-9)
    np.testing.assert_allclose(found.prior_losses[0].numpy(), prior, rtol=1e-9)
    assert (np.array(losses).min(0) <= losses[0]).all()
    with torch.no_grad():
        assert torch.equal(found.images[0], generator(found.latents[0]))


def test_latents_stay_where_the_generator_was_trained() -> None:
    bright = 6 * _image()
    generator = LinearGenerator(distribution="uniform")
    found = LatentSearch(count=6, steps=80)(generator, LinearDiscriminator(), bright, _ring())
    visited = torch.cat(generator.seen)
    assert float(visited.abs().max()) == 1
    assert float(found.latents.abs().max()) <= 1
    generator = LinearGenerator(distribution="normal")
    found = LatentSearch(count=6, steps=80)(generator, LinearDiscriminator(), bright, _ring())
    lengths = torch.cat(generator.seen).norm(dim=1)
    assert float(lengths.max()) == pytest.approx(LATENTS**0.5, rel=1e-12)
    assert float(found.latents.abs().max()) > 1  # the ball, not the cube
    assert float(found.latents[0].norm(dim=1).max()) <= LATENTS**0.5 * (1 + 1e-12)


def test_starts_of_normal_latents_are_scaled_back_too() -> None:
    generator = LinearGenerator(distribution="normal")
    image = _image()
    found = LatentSearch(count=50, steps=0, starts=0)(generator, LinearDiscriminator(), image, _ring())
    drawn = torch.randn(50, LATENTS, generator=image_rng(image[0], 0, "search")).double()
    assert 5 < int((drawn.norm(dim=1) > 2).sum()) < 45
    expected = torch.stack([z * min(1.0, LATENTS**0.5 / float(z.norm())) for z in drawn])
    torch.testing.assert_close(found.latents[0], expected)


@pytest.mark.parametrize("count", [3, 100])
def test_starts_are_the_best_of_the_candidates(count: int) -> None:
    generator, discriminator, image, ring = LinearGenerator(), LinearDiscriminator(), _image(), _ring()
    found = LatentSearch(count=count, steps=0, starts=200, seed=4)(generator, discriminator, image, ring)
    candidates = 2 * torch.rand(200, LATENTS, generator=image_rng(image[0], 4, "search")).double() - 1
    contextual, _ = _literal_losses(generator, discriminator, image, ring, candidates.numpy())
    torch.testing.assert_close(found.latents[0], candidates[np.argsort(contextual)[:count]], rtol=0, atol=1e-7)
    assert found.steps.tolist() == [0]


@pytest.mark.parametrize(("scale", "settings"), [(0.1, {}), (1.0, {"learning_rate": 0.05}), (4.0, {})])
def test_the_authors_recipe_is_their_update(scale: float, settings: dict[str, float]) -> None:
    """v' = 0.9 v - 0.01 g; z ← clip(z - 0.9 v + 1.9 v'), on Σ R |G(z) - X| over [-1, 1] plus 0.005 softplus(-D)."""
    steps, rate = 12, settings.get("learning_rate", 0.01)
    generator, discriminator = LinearGenerator(scale=scale), LinearDiscriminator()
    image, ring = _image(), 9 * _ring()
    search = LatentSearch("authors", count=5, steps=steps, **settings)  # type: ignore[arg-type]
    search(generator, discriminator, image, ring)
    matrix, weight = generator.matrix.detach().numpy(), discriminator.weight.detach().numpy()
    target, rings = image.flatten().numpy(), np.tile(ring.flatten().numpy(), 2)
    clipped = 0
    start = 2 * torch.rand(5, LATENTS, generator=image_rng(image[0], 0, "search")).double().numpy() - 1
    for k in range(5):
        z, v = start[k], np.zeros(LATENTS)
        for step in range(steps + 1):
            np.testing.assert_allclose(generator.seen[step][k].numpy(), z, rtol=0, atol=3e-6)
            painted = 0.5 + matrix @ z
            # In [-1, 1] both images are twice as wide: 2 Σ R |G - X|.
            contextual = 2 * matrix.T @ (rings * np.sign(painted - target))
            prior = -matrix.T @ weight / (1 + np.exp(weight @ painted + 0.2))
            g = contextual + 0.005 * prior
            v_next = 0.9 * v - rate * g
            z = np.clip(z - 0.9 * v + 1.9 * v_next, -1, 1)
            v = v_next
            clipped += int((np.abs(z) == 1).sum())
    assert (clipped > 0) == (scale >= 1)


def test_the_authors_recipe_starts_uniform_whatever_the_generator() -> None:
    generator = LinearGenerator(distribution="normal")
    image = _image()
    search = LatentSearch("authors", count=40, steps=20, learning_rate=1.0)
    assert not search.normalised_ring
    assert LatentSearch().normalised_ring
    search(generator, LinearDiscriminator(), image, _ring())
    expected = 2 * torch.rand(40, LATENTS, generator=image_rng(image[0], 0, "search")) - 1
    assert torch.equal(generator.seen[0], expected)
    assert float(torch.cat(generator.seen).abs().max()) == 1


def test_the_search_ends_when_nothing_improves() -> None:
    nothing = torch.zeros(1, SIDE, SIDE).double()
    found = LatentSearch(count=3, prior_weight=0.0)(LinearGenerator(), LinearDiscriminator(), _image(), nothing)
    assert found.steps.tolist() == [40]  # the patience
    assert found.contextual_losses.tolist() == [[0, 0, 0]]
    found = LatentSearch("authors", count=3, prior_weight=0.0, steps=60)(
        LinearGenerator(), LinearDiscriminator(), _image(), nothing
    )
    assert found.steps.tolist() == [60]


def test_the_search_ends_before_its_last_step_once_it_has_arrived() -> None:
    found = LatentSearch(count=3, steps=5000, starts=0)(LinearGenerator(), LinearDiscriminator(), _image(), _ring())
    assert 40 < int(found.steps[0]) < 1000


def test_without_a_ring_the_prior_alone_counts() -> None:
    generator, nothing = LinearGenerator(), torch.zeros(1, SIDE, SIDE).double()
    discriminator = LinearDiscriminator()
    found = LatentSearch(count=3, prior_weight=1.0, starts=0)(generator, discriminator, _image(), nothing)
    # D is linear in z, so its maximum lies in the corner of the cube that A^T w points to.
    corner = (generator.matrix.T @ discriminator.weight).sign().detach()
    torch.testing.assert_close(found.latents[0], corner.expand(3, -1))


def _small_networks() -> tuple[Generator, Discriminator]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator, discriminator = Generator(32, 1, 6, 2), Discriminator(32, 1, 2)
    return generator.eval(), discriminator.eval()


def _small_images() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(8)
    images, rings = torch.rand(3, 1, 32, 32, generator=rng), torch.rand(3, 32, 32, generator=rng)
    return images, rings / rings.sum((1, 2), keepdim=True)


FIELDS = ["latents", "images", "contextual_losses", "prior_losses", "steps"]


@pytest.mark.parametrize("recipe", ["adam", "authors"])
def test_an_image_does_not_see_its_batch(recipe: Any) -> None:
    networks, (images, rings) = _small_networks(), _small_images()
    search = LatentSearch(recipe, count=4, steps=8, starts=70)
    together = search(*networks, images, rings)
    again = search(*networks, images, rings)
    order = torch.tensor([2, 0, 1])
    reordered = search(*networks, images[order], rings[order])
    for field in FIELDS:
        assert torch.equal(getattr(again, field), getattr(together, field))
        assert torch.equal(getattr(reordered, field), getattr(together, field)[order])
    for i in range(3):
        alone = search(*networks, images[i : i + 1], rings[i : i + 1])
        for field in FIELDS:
            assert torch.equal(getattr(alone, field)[0], getattr(together, field)[i])
    assert together.latents.shape == (3, 4, 6)
    assert together.images.shape == (3, 4, 1, 32, 32)
    assert together.contextual_losses.shape == together.prior_losses.shape == (3, 4)
    assert together.steps.tolist() == [8, 8, 8]


def test_another_seed_or_image_has_other_starts() -> None:
    generator, discriminator = LinearGenerator(), LinearDiscriminator()
    images = torch.cat([_image(), _image(seed=1)])
    rings = _ring().expand(2, -1, -1)
    found = LatentSearch(count=3, steps=0, starts=0)(generator, discriminator, images, rings)
    other = LatentSearch(count=3, steps=0, starts=0, seed=1)(generator, discriminator, images, rings)
    starts = torch.cat([found.latents, other.latents]).reshape(12, LATENTS)
    assert len(starts.unique(dim=0)) == 12


def test_nothing_is_left_behind() -> None:
    generator, discriminator = _small_networks()
    images, rings = _small_images()
    before = [p.detach().clone() for p in (*generator.state_dict().values(), *discriminator.state_dict().values())]
    assert all(p.requires_grad for p in generator.parameters())
    state = torch.get_rng_state()
    with torch.no_grad():  # as in a prediction loop
        found = LatentSearch(count=3, steps=5, starts=9)(generator, discriminator, images, rings)
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)
    for parameter in (*generator.parameters(), *discriminator.parameters()):
        assert parameter.grad is None
        assert parameter.requires_grad
    after = (*generator.state_dict().values(), *discriminator.state_dict().values())
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert not any(getattr(found, field).requires_grad for field in FIELDS)


def test_inference_mode_is_refused() -> None:
    with torch.inference_mode(), pytest.raises(OverpaintError, match=r"needs gradients: .*inference_mode=False"):
        LatentSearch()(LinearGenerator(), LinearDiscriminator(), _image(), _ring())


@pytest.mark.parametrize("which", [0, 1])
def test_training_mode_is_refused(which: int) -> None:
    networks = LinearGenerator(), LinearDiscriminator()
    networks[which].train()
    with pytest.raises(OverpaintError, match="the generator and the discriminator in eval mode"):
        LatentSearch()(*networks, _image(), _ring())


@pytest.mark.parametrize(
    "settings",
    [{"count": 0}, {"steps": -1}, {"learning_rate": 0.0}, {"prior_weight": -0.1}, {"starts": -1}],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    ((name, value),) = settings.items()
    with pytest.raises(OverpaintError, match=f"search: .*{name}={value}"):
        LatentSearch(**settings)
