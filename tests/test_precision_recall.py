"""Precision, recall, coverage and memorization_ratio: closed forms, their definitions in slow loops, and theory."""

import math

import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from overpaint.training.precision_recall import (
    covered,
    memorization_ratio,
    nearest,
    neighbour_radii,
    precision_and_recall,
)


def _cloud(count: int, seed: int, features: int = 4, shift: float = 0.0) -> Tensor:
    return torch.randn(count, features, generator=torch.Generator().manual_seed(seed)) + shift


def _radius(point: int, among: list[list[float]], neighbours: int) -> float:
    others = sorted(math.dist(among[point], other) for i, other in enumerate(among) if i != point)
    return others[neighbours - 1]


def _share_inside(points: list[list[float]], references: list[list[float]], neighbours: int) -> float:
    inside = [
        any(math.dist(p, r) <= _radius(i, references, neighbours) for i, r in enumerate(references)) for p in points
    ]
    return sum(inside) / len(inside)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_precision_and_recall_are_their_definition(neighbours: int) -> None:
    real, samples = _cloud(30, 0), 0.6 * _cloud(45, 1) + 0.3
    x, y = real.tolist(), samples[:30].tolist()  # two sets of one size
    expected = _share_inside(y, x, neighbours), _share_inside(x, y, neighbours)
    assert precision_and_recall(real, samples, neighbours) == pytest.approx(expected)
    assert expected[0] != expected[1]
    assert precision_and_recall(samples[:30], real, neighbours) == pytest.approx(expected[::-1])


def test_coverage_is_its_definition() -> None:
    real, samples = _cloud(30, 0), _cloud(20, 1, shift=0.7)
    x, y = real.tolist(), samples.tolist()
    expected = [any(math.dist(p, s) <= _radius(i, x, 5) for s in y) for i, p in enumerate(x)]
    assert covered(real, samples).tolist() == expected
    assert 0 < sum(expected) < 30


def test_radii_are_those_of_another_library() -> None:
    vectors = _cloud(200, 0, features=64).double()
    distances, _ = NearestNeighbors(n_neighbors=4).fit(vectors.numpy()).kneighbors(vectors.numpy())
    torch.testing.assert_close(neighbour_radii(vectors, 3), torch.tensor(distances[:, 3]))


def test_identical_sets_agree_wholly_and_distant_ones_not_at_all() -> None:
    real = _cloud(40, 0)
    assert precision_and_recall(real, real.clone()) == (1, 1)
    assert bool(covered(real, real.clone()).all())
    assert precision_and_recall(real, real + 100) == (0, 0)
    assert not covered(real, real + 100).any()


def test_a_collapsed_generator_is_precise_and_recalls_nothing() -> None:
    real = _cloud(200, 0)
    one_picture = real[:1].expand(200, -1)
    assert precision_and_recall(real, one_picture) == (1, 1 / 200)
    few = real[:4].repeat(50, 1) + 0.01 * _cloud(200, 1)  # four pictures with a little noise
    precision, recall = precision_and_recall(real, few)
    assert precision == 1
    assert recall < 0.05
    assert covered(real, few).double().mean() < 0.2


def test_a_generator_of_noise_covers_little_and_is_not_precise() -> None:
    """Outliers make the samples' balls huge, so recall is high; coverage asks the real images' balls and is not."""
    real, samples = 0.05 * _cloud(200, 0), 3 * _cloud(200, 1)
    precision, recall = precision_and_recall(real, samples)
    assert precision == 0
    assert recall > 0.9
    assert not covered(real, samples).any()


@pytest.mark.parametrize(("count", "drawn"), [(60, 60), (60, 120), (100, 30)])
def test_coverage_of_one_distribution_is_as_the_theory_says(count: int, drawn: int) -> None:
    """Naeem et al., Lemma 2: of the k + M nearest places of a real image the first k are real with this chance."""
    missed = math.prod((count - j) / (drawn + count - j) for j in range(1, 6))
    found = torch.stack([covered(_cloud(count, 2 * s), _cloud(drawn, 2 * s + 1)).double().mean() for s in range(200)])
    assert float(found.mean()) == pytest.approx(1 - missed, abs=4 * float(found.std()) / math.sqrt(200))


def test_a_set_smaller_than_the_neighbours_has_the_radii_of_all_it_has() -> None:
    vectors = torch.tensor([[0.0], [1.0], [5.0]])
    assert neighbour_radii(vectors, 5).tolist() == [5, 4, 5]
    assert neighbour_radii(vectors[:1], 5).tolist() == [0]


def test_the_nearest_are_found_in_parts() -> None:
    queries, references = _cloud(20, 0, features=50), _cloud(90, 1, features=50)
    queries[3], queries[4] = references[77], references[0]
    distances, indices = nearest(queries, references.split(40))
    expected = [min(range(90), key=lambda i: math.dist(q, references[i].tolist())) for q in queries.tolist()]
    assert indices.tolist() == expected
    assert indices[3:5].tolist() == [77, 0]
    assert distances[3:5].tolist() == [0, 0]
    by_hand = [math.dist(q, references[i].tolist()) for q, i in zip(queries.tolist(), expected, strict=True)]
    assert distances.tolist() == pytest.approx(by_hand, rel=1e-5)


def test_the_memorization_ratio_is_0_for_copies_and_1_for_the_domain() -> None:
    train, held_out = _cloud(500, 0), nearest(_cloud(300, 1), [_cloud(500, 0)])[0]
    assert memorization_ratio(nearest(train[:100], [train])[0], held_out) == 0
    almost = train[:100] + 0.01 * _cloud(100, 2)
    assert memorization_ratio(nearest(almost, [train])[0], held_out) < 0.05
    assert memorization_ratio(nearest(_cloud(300, 3), [train])[0], held_out) == pytest.approx(1, abs=0.1)
    assert memorization_ratio(nearest(3 * _cloud(300, 3), [train])[0], held_out) > 2
    assert math.isnan(memorization_ratio(held_out, torch.zeros(5)))
