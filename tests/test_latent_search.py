"""The latent search on a linear generator, where its loss, its gradient and its optimum are known."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Tensor, nn

from overpaint.core.choices import LatentDistribution
from overpaint.core.errors import OverpaintError
from overpaint.core.rng import image_rng
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.objective import Objective
from overpaint.inpainting.search_recipes import RECIPES
from overpaint.networks.dcgan import Discriminator, Generator

SIDE, LATENTS = 5, 4

SIZES: dict[int, tuple[int, ...]] = {1: (SIDE**2,), 2: (SIDE, SIDE)}
"""Of series and images: as many values."""

INSIDE = {1: (slice(8, 14),), 2: (slice(1, 3), slice(2, 4))}
"""The region, where the ring is 0."""


class LinearGenerator(Generator):
    """G(z) = 1/2 + A z, in float64; remembers the latents that it is shown."""

    def __init__(
        self,
        channels: int = 2,
        scale: float = 0.1,
        distribution: LatentDistribution = "uniform",
        dimensions: int = 2,
    ) -> None:
        nn.Module.__init__(self)
        self.output_size, self.channels, self.latent_dim = SIZES[dimensions], channels, LATENTS
        self.latent_distribution = distribution
        rng = torch.Generator().manual_seed(11)
        matrix = scale * torch.randn(channels * SIDE**2, LATENTS, generator=rng, dtype=torch.float64)
        self.matrix = nn.Parameter(matrix)
        self.seen: list[Tensor] = []
        self.eval()

    def forward(self, latents: Tensor) -> Tensor:
        self.seen.append(latents.detach().clone())
        return (0.5 + latents.double() @ self.matrix.T).reshape(-1, self.channels, *self.output_size)

    def sample_latents(self, count: int, rng: torch.Generator) -> Tensor:
        return super().sample_latents(count, rng).double()


class LinearDiscriminator(Discriminator):
    """D(x) = w·x + 0.2, in float64."""

    def __init__(self, channels: int = 2, dimensions: int = 2) -> None:
        nn.Module.__init__(self)
        self.channels, self.input_size = channels, SIZES[dimensions]
        rng = torch.Generator().manual_seed(12)
        self.weight = nn.Parameter(torch.randn(channels * SIDE**2, generator=rng, dtype=torch.float64))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight + 0.2


def _image(channels: int = 2, seed: int = 0, dimensions: int = 2) -> Tensor:
    return torch.rand(1, channels, *SIZES[dimensions], generator=torch.Generator().manual_seed(seed)).double()


def _ring(seed: int = 1, dimensions: int = 2) -> Tensor:
    ring = torch.rand(1, *SIZES[dimensions], generator=torch.Generator().manual_seed(seed)).double()
    ring[(0, *INSIDE[dimensions])] = 0
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
        channels = painted.reshape(image[0].shape)
        differences = np.abs(channels - image[0].numpy())
        contextual.append(sum((ring[0].numpy() * difference).sum() for difference in differences))
        prior.append(np.log1p(np.exp(-(weight @ painted + 0.2))))
    return np.array(contextual) / generator.channels, np.array(prior)


@pytest.mark.parametrize("recipe", ["lbfgs", "adam"])
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_an_image_in_the_generators_range_is_found(
    recipe: Any, distribution: LatentDistribution, dimensions: int
) -> None:
    generator = LinearGenerator(distribution=distribution, dimensions=dimensions)
    discriminator, ring = LinearDiscriminator(dimensions=dimensions), _ring(dimensions=dimensions)
    wanted = torch.tensor([[0.5, -0.7, 0.2, 0.4]]).double()
    image = _in_range(generator, wanted)
    search = LatentSearch(recipe, num_variants=8, prior_weight=0.0, steps=600, num_candidates=0)
    found = search(generator, discriminator, image, ring)
    at_start, _ = _literal_losses(generator, discriminator, image, ring, generator.seen[0][:8].numpy())
    assert (found.contextual_losses[0].numpy() < 0.01 * at_start).all()
    torch.testing.assert_close(found.latents[0], wanted.expand(8, -1), rtol=0, atol=0.02)


def test_a_consistent_system_gives_its_least_squares_solution(dimensions: int) -> None:
    """Where some latent paints the image's surroundings, that one is the solution of the weighted least squares."""
    generator, ring = LinearGenerator(dimensions=dimensions), _ring(dimensions=dimensions)
    image = _in_range(generator, torch.tensor([[0.3, 0.6, -0.5, -0.1]]).double())
    inside = (slice(None), slice(None), *INSIDE[dimensions])
    image[inside] = _image(dimensions=dimensions)[inside]  # inside the region the image is of no account
    weights = np.tile(ring.flatten().numpy(), 2)
    matrix, target = generator.matrix.detach().numpy(), image.flatten().numpy() - 0.5
    solution, _, rank, _ = np.linalg.lstsq(weights[:, None] * matrix, weights * target)
    assert rank == LATENTS
    found = LatentSearch(num_variants=5, prior_weight=0.0, steps=200, patience=0)(
        generator, LinearDiscriminator(dimensions=dimensions), image, ring
    )
    np.testing.assert_allclose(found.latents[0].numpy(), np.tile(solution, (5, 1)), rtol=0, atol=1e-6)
    assert float(found.contextual_losses.max()) < 1e-7


@pytest.mark.parametrize(("contrast", "scale"), [(0.5, 0.1), (1.0, 0.016)])
def test_any_image_gives_the_least_absolute_deviations(contrast: float, scale: float, dimensions: int) -> None:
    """The optimum as a linear programme: min Σ R t with |A z - y| <= t and z in [-1, 1]."""
    generator, discriminator = (
        LinearGenerator(scale=scale, dimensions=dimensions),
        LinearDiscriminator(dimensions=dimensions),
    )
    image, ring = 0.5 + contrast * (_image(dimensions=dimensions) - 0.5), _ring(dimensions=dimensions)
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
    assert at_bounds.any() == (contrast == 1)
    found = LatentSearch("adam", num_variants=4, prior_weight=0.0)(generator, discriminator, image, ring)
    losses = found.contextual_losses[0].numpy()
    assert (losses >= programme.fun * (1 - 1e-9)).all()
    assert (losses <= programme.fun * 1.01).all()


@pytest.mark.parametrize("channels", [1, 2])
def test_losses_and_their_gradient(channels: int, dimensions: int) -> None:
    """Against the formulas in numpy, and those formulas' central differences."""
    generator = LinearGenerator(channels, dimensions=dimensions)
    discriminator = LinearDiscriminator(channels, dimensions)
    image, ring = _image(channels, dimensions=dimensions), _ring(dimensions=dimensions)
    latents = torch.randn(3, LATENTS, generator=torch.Generator().manual_seed(5)).double().requires_grad_()
    objective = Objective(generator, discriminator, image, ring, RECIPES["adam"], 0.0, batch_size=3)
    painted = generator(latents)
    contextual, prior = objective.contextual(painted, torch.zeros(3).long()), objective.prior(painted)

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


@pytest.mark.parametrize("recipe", ["lbfgs", "adam", "authors"])
def test_the_gradient_is_the_differences(recipe: Any, dimensions: int) -> None:
    """What the optimiser descends, smooth bottom included, in float64; its latents belong to two images."""
    images = torch.cat([_image(seed=seed, dimensions=dimensions) for seed in (0, 1)])
    rings = torch.cat([_ring(seed, dimensions) for seed in (1, 2)])
    generator, discriminator = LinearGenerator(dimensions=dimensions), LinearDiscriminator(dimensions=dimensions)
    objective = Objective(generator, discriminator, images, rings, RECIPES[recipe], 0.3, batch_size=3)
    latents = torch.randn(4, LATENTS, generator=torch.Generator().manual_seed(6)).double().requires_grad_()
    owners = torch.tensor([1, 0, 0, 1])
    assert torch.autograd.gradcheck(lambda z: objective.descended(z, owners)[0], latents)
    judged = objective.evaluate(latents.detach(), owners)
    descended, painted, further = objective.descended(latents, owners)
    (gradients,) = torch.autograd.grad(descended.sum(), latents)
    torch.testing.assert_close(judged.gradients, gradients)
    torch.testing.assert_close(judged.descended, descended.detach())
    pairs = zip(owners.tolist(), painted.detach(), strict=True)
    contextual = torch.stack([(rings[i] * (own - images[i]).abs()).sum() / 2 for i, own in pairs])
    torch.testing.assert_close(judged.contextual, contextual)
    scale = 4 if recipe == "authors" else 1  # their sum over channels of images in [-1, 1]
    torch.testing.assert_close(judged.losses, scale * contextual + further.detach())
    torch.testing.assert_close(further, 0.3 * objective.prior(painted))
    if recipe == "lbfgs":
        assert (judged.descended < judged.losses).all()
    else:
        assert torch.equal(judged.descended, judged.losses)


@pytest.mark.parametrize("recipe", ["lbfgs", "adam", "authors"])
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_the_best_step_of_each_latent_is_kept(recipe: Any, distribution: LatentDistribution, dimensions: int) -> None:
    generator = LinearGenerator(scale=0.5, distribution=distribution, dimensions=dimensions)
    discriminator = LinearDiscriminator(dimensions=dimensions)
    image, steps, weight = _image(dimensions=dimensions), 30, 0.3
    search = LatentSearch(
        recipe, num_variants=6, steps=steps, prior_weight=weight, num_candidates=0, patience=0, batch_size=6, spare=0.0,
        learning_rate={"lbfgs": 1.0, "adam": 0.2, "authors": 0.01}[recipe],
    )  # fmt: skip
    ring = (7 if recipe == "authors" else 1) * _ring(dimensions=dimensions)
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
    far = _image().round()
    generator = LinearGenerator(scale=0.02, distribution="uniform")
    found = LatentSearch(num_variants=6, steps=80)(generator, LinearDiscriminator(), far, _ring())
    visited = torch.cat(generator.seen)
    assert float(visited.abs().max()) == 1
    assert float(found.latents.abs().max()) <= 1
    generator = LinearGenerator(scale=0.02, distribution="normal")
    found = LatentSearch(num_variants=6, steps=80)(generator, LinearDiscriminator(), far, _ring())
    lengths = torch.cat(generator.seen).norm(dim=1)
    assert float(lengths.max()) == pytest.approx(LATENTS**0.5, rel=1e-12)
    assert float(found.latents.abs().max()) > 1  # the ball, not the cube
    assert float(found.latents[0].norm(dim=1).max()) <= LATENTS**0.5 * (1 + 1e-12)


def test_starts_of_normal_latents_are_scaled_back_too() -> None:
    generator = LinearGenerator(distribution="normal")
    image = _image()
    found = LatentSearch(num_variants=50, steps=0, num_candidates=0)(generator, LinearDiscriminator(), image, _ring())
    drawn = torch.randn(50, LATENTS, generator=image_rng(image[0], 0, "search")).double()
    assert 5 < int((drawn.norm(dim=1) > 2).sum()) < 45
    expected = torch.stack([z * min(1.0, LATENTS**0.5 / float(z.norm())) for z in drawn])
    torch.testing.assert_close(found.latents[0], expected)


@pytest.mark.parametrize("count", [3, 100])
def test_starts_are_the_best_of_the_candidates(count: int) -> None:
    generator, discriminator, image, ring = LinearGenerator(), LinearDiscriminator(), _image(), _ring()
    found = LatentSearch(num_variants=count, steps=0, num_candidates=200, seed=4)(generator, discriminator, image, ring)
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
    search = LatentSearch("authors", num_variants=5, steps=steps, **settings)  # type: ignore[arg-type]
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
    search = LatentSearch("authors", num_variants=40, steps=20, learning_rate=1.0, batch_size=40)
    assert not search.normalised_ring
    assert LatentSearch().normalised_ring
    search(generator, LinearDiscriminator(), image, _ring())
    expected = 2 * torch.rand(40, LATENTS, generator=image_rng(image[0], 0, "search")) - 1
    assert torch.equal(generator.seen[0], expected)
    assert float(torch.cat(generator.seen).abs().max()) == 1


def test_the_search_ends_when_nothing_improves() -> None:
    nothing = torch.zeros(1, SIDE, SIDE).double()
    for recipe, settings, steps in (("lbfgs", {}, 10), ("adam", {}, 40), ("lbfgs", {"patience": 7}, 7)):
        search = LatentSearch(recipe, num_variants=3, prior_weight=0.0, **settings)  # type: ignore[arg-type]
        found = search(LinearGenerator(), LinearDiscriminator(), _image(), nothing)
        assert found.steps.tolist() == [steps]  # the patience
    assert found.contextual_losses.tolist() == [[0, 0, 0]]
    found = LatentSearch("authors", num_variants=3, prior_weight=0.0, steps=60)(
        LinearGenerator(), LinearDiscriminator(), _image(), nothing
    )
    assert found.steps.tolist() == [60]


def test_the_search_ends_before_its_last_step_once_it_has_arrived() -> None:
    found = LatentSearch("adam", num_variants=3, steps=5000, num_candidates=0)(
        LinearGenerator(), LinearDiscriminator(), _image(), _ring()
    )
    assert 40 < int(found.steps[0]) < 1000


def test_without_a_ring_the_prior_alone_counts() -> None:
    generator, nothing = LinearGenerator(), torch.zeros(1, SIDE, SIDE).double()
    discriminator = LinearDiscriminator()
    found = LatentSearch(num_variants=3, prior_weight=1.0, num_candidates=0)(
        generator, discriminator, _image(), nothing
    )
    # D is linear in z, so its maximum lies in the corner of the cube that A^T w points to.
    corner = (generator.matrix.T @ discriminator.weight).sign().detach()
    torch.testing.assert_close(found.latents[0], corner.expand(3, -1))


def test_a_latent_that_has_arrived_leaves_the_passes() -> None:
    """In passes of one row every row is counted: one image stops at once, the other goes on without it."""
    generator, images, rings = LinearGenerator(), torch.cat([_image(), _image(seed=1)]), torch.cat([_ring(), _ring()])
    rings[0] = 0
    search = LatentSearch(
        num_variants=2, prior_weight=0.0, num_candidates=0, batch_size=1, patience=5, steps=30, spare=0.0
    )
    found = search(generator, LinearDiscriminator(), images, rings)
    assert int(found.steps[0]) == 5
    assert 5 < int(found.steps[1]) <= 30
    generator.seen.clear()
    alone = search(generator, LinearDiscriminator(), images[1:], rings[1:])
    assert torch.equal(alone.latents[0], found.latents[1])
    rows = len(generator.seen)
    generator.seen.clear()
    search(generator, LinearDiscriminator(), images, rings)
    assert len(generator.seen) == rows + 2 * (1 + 5 + 1)  # start, steps, and the last look


def test_each_step_is_told() -> None:
    output_geometry: list[tuple[int, int, float]] = []
    search = LatentSearch(num_variants=3, steps=4, num_candidates=0, on_step=lambda *step: output_geometry.append(step))
    found = search(LinearGenerator(), LinearDiscriminator(), _image(), 5 * _ring())
    assert [(step, steps) for step, steps, _ in output_geometry] == [(i, 4) for i in range(5)]
    assert output_geometry[-1][2] == pytest.approx(float(found.contextual_losses.mean()))
    assert output_geometry[0][2] > output_geometry[-1][2]
    assert search == LatentSearch(num_variants=3, steps=4, num_candidates=0)


def _best_so_far(seen: Tensor, image: Tensor, ring: Tensor, last: int) -> np.ndarray:
    """Returns the least loss of each latent in the first steps up to ``last``, from the latents that were looked at."""
    losses = [
        _literal_losses(LinearGenerator(), LinearDiscriminator(), image, ring, latents)[0]
        for latents in seen[: last + 1].double().numpy()
    ]
    return np.array(losses).min(0)


@pytest.mark.parametrize("recipe", ["lbfgs", "adam", "authors"])
@pytest.mark.parametrize("diversity", [0.0, 1e-9])
def test_the_half_that_fits_worse_is_left_behind(recipe: Any, diversity: float) -> None:
    """Of 16 latents 8 go on after 5 steps and 4 after 10, 2 after 20: those that would lead a search of all."""
    image, ring, generator = _image(), _ring(), LinearGenerator()
    settings: dict[str, Any] = {"prior_weight": 0.0, "num_candidates": 0, "patience": 0, "steps": 25}
    everything = LatentSearch(recipe, num_variants=16, spare=0.0, batch_size=16, **settings)(
        generator, LinearDiscriminator(), image, ring
    )
    seen, left = torch.stack(generator.seen[:26]), np.arange(16)
    for step, count in ((5, 8), (10, 4)) if diversity else ((5, 8), (10, 4), (20, 2)):
        order = _best_so_far(seen, image, ring, step)[left].argsort(kind="stable")[:count]
        left = left[np.sort(order)]
    generator.seen.clear()
    search = LatentSearch(recipe, num_variants=2, spare=7.0, batch_size=1, diversity=diversity, **settings)
    found = search.finalists(generator, LinearDiscriminator(), image, ring, torch.ones_like(ring, dtype=torch.bool))
    torch.testing.assert_close(found.latents[0], everything.latents[0, left])
    rows = 16 * 6 + 8 * 5 + (4 * 15 if diversity else 4 * 10 + 2 * 5)
    assert len(generator.seen) == rows + len(left)  # and the last look
    assert len(search(generator, LinearDiscriminator(), image, ring).latents[0]) == 2


def test_the_spare_latents_fit_better_than_none() -> None:
    generator, discriminator = _small_networks()
    images, rings = _small_images()
    losses = [
        LatentSearch(num_variants=4, spare=spare)(generator, discriminator, images, rings).contextual_losses.mean()
        for spare in (0.0, 7.0)
    ]
    assert losses[1] < losses[0]


def test_diversity_searches_more_and_keeps_those_that_differ() -> None:
    """With a weight that outdoes every loss the latents are the farthest ones, of twice as many."""
    generator, images, rings = LinearGenerator(), torch.cat([_image(), _image(seed=1)]), torch.cat([_ring(), _ring()])
    regions = rings == 0
    networks = generator, LinearDiscriminator()
    settings: dict[str, Any] = {"steps": 2, "num_candidates": 0, "spare": 0.0}
    pool = LatentSearch(num_variants=10, **settings)(*networks, images, rings)
    for diversity in (0.02, 1e6):
        found = LatentSearch(num_variants=5, diversity=diversity, **settings)(*networks, images, rings, regions)
        for i in range(2):
            inside = pool.images[i][:, :, regions[i]].flatten(1)
            losses = pool.contextual_losses[i]
            chosen = [int(losses.argmin())]
            while len(chosen) < 5:
                worth = {}
                for k in set(range(10)) - set(chosen):
                    nearest = min(float((inside[k] - inside[j]).square().mean()) ** 0.5 for j in chosen)
                    worth[k] = float(losses[k]) - diversity * nearest
                chosen.append(min(worth, key=worth.__getitem__))
            for field in ("latents", "images", "contextual_losses", "prior_losses"):
                assert torch.equal(getattr(found, field)[i], getattr(pool, field)[i][chosen])
    assert torch.equal(found.steps, pool.steps)


def test_without_a_region_nothing_differs() -> None:
    generator, nowhere = LinearGenerator(), torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    settings: dict[str, Any] = {"steps": 2, "num_candidates": 0, "spare": 0.0}
    found = LatentSearch(num_variants=3, diversity=1.0, **settings)(
        generator, LinearDiscriminator(), _image(), _ring(), nowhere
    )
    pool = LatentSearch(num_variants=6, **settings)(generator, LinearDiscriminator(), _image(), _ring())
    best = pool.contextual_losses[0].argsort()[:3]
    assert torch.equal(found.latents[0], pool.latents[0][best])


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


@pytest.mark.parametrize(
    "settings", [{"recipe": "lbfgs"}, {"recipe": "adam"}, {"recipe": "authors"}, {"diversity": 0.1}, {"patience": 1}]
)
@pytest.mark.parametrize("order", ["contiguous_format", "channels_last"])
def test_an_image_does_not_see_its_batch(settings: dict[str, Any], order: str) -> None:
    generator, discriminator = _small_networks()
    networks = (part.to(memory_format=getattr(torch, order)) for part in (generator, discriminator))
    networks, (images, rings) = tuple(networks), _small_images()
    search = LatentSearch(num_variants=4, steps=8, num_candidates=70, **settings)
    together = search(*networks, images, rings)
    again = search(*networks, images, rings)
    places = torch.tensor([2, 0, 1])
    reordered = search(*networks, images[places], rings[places])
    for field in FIELDS:
        assert torch.equal(getattr(again, field), getattr(together, field))
        assert torch.equal(getattr(reordered, field), getattr(together, field)[places])
    for i in range(3):
        alone = search(*networks, images[i : i + 1], rings[i : i + 1])
        for field in FIELDS:
            assert torch.equal(getattr(alone, field)[0], getattr(together, field)[i])
    assert together.latents.shape == (3, 4, 6)
    assert together.images.shape == (3, 4, 1, 32, 32)
    assert together.contextual_losses.shape == together.prior_losses.shape == (3, 4)
    assert together.steps.tolist() == [8, 8, 8] or "patience" in settings


def test_another_seed_or_image_has_other_starts() -> None:
    generator, discriminator = LinearGenerator(), LinearDiscriminator()
    images = torch.cat([_image(), _image(seed=1)])
    rings = _ring().expand(2, -1, -1)
    found = LatentSearch(num_variants=3, steps=0, num_candidates=0)(generator, discriminator, images, rings)
    other = LatentSearch(num_variants=3, steps=0, num_candidates=0, seed=1)(generator, discriminator, images, rings)
    starts = torch.cat([found.latents, other.latents]).reshape(12, LATENTS)
    assert len(starts.unique(dim=0)) == 12


def test_nothing_is_left_behind() -> None:
    generator, discriminator = _small_networks()
    images, rings = _small_images()
    before = [p.detach().clone() for p in (*generator.state_dict().values(), *discriminator.state_dict().values())]
    assert all(p.requires_grad for p in generator.parameters())
    state = torch.get_rng_state()
    with torch.no_grad():  # as in a prediction loop
        found = LatentSearch(num_variants=3, steps=5, num_candidates=9)(generator, discriminator, images, rings)
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
    with pytest.raises(OverpaintError, match="generator, discriminator and encoder in eval mode"):
        LatentSearch()(*networks, _image(), _ring())


@pytest.mark.parametrize(
    "settings",
    [
        *({"num_variants": 0}, {"steps": -1}, {"learning_rate": 0.0}, {"prior_weight": -0.1}, {"num_candidates": -1}),
        *({"patience": -1}, {"diversity": -0.5}, {"batch_size": 0}),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    ((name, value),) = settings.items()
    with pytest.raises(OverpaintError, match=rf"^LatentSearch\.{name}={value} must "):
        LatentSearch(**settings)
