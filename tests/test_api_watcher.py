"""An explanation that is watched, stopped, extended, and asked about a region that is given."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from conftest import noise_images

import overpaint as op
from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.results import Variants
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.inpainting.region import RegionRule
from overpaint.networks.dcgan import Generator
from overpaint.networks.gan import Gan
from overpaint.perturbation.method import ImageMaps, relative_errors
from overpaint.saliency.rise import Rise
from overpaint.saliency.surrogate import Surrogate

FRACTION = RegionRule(method="fraction")


@pytest.fixture
def gan() -> Gan:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Gan(Generator(32, 3, 8, 4).eval().requires_grad_(False))


def test_rounds_are_seen_and_their_errors_shrink(network: NetworkClassifier) -> None:
    seen: list[ImageMaps] = []

    def look(name: str, image: int, maps: ImageMaps) -> bool:
        assert (name, image) == ("rise", 0)
        seen.append(maps)
        return False

    explainer = op.Explainer(network, Rise(queries=512, stop_at=1e-6), region=FRACTION)
    found = explainer.explain(noise_images(1, 32, 3), 0, watcher=op.Watcher(on_maps=look))
    assert [maps.queries for maps in seen] == [128, 256, 384, 512]
    means = [float(maps.standard_errors.mean()) for maps in seen if maps.standard_errors is not None]
    assert means == sorted(means, reverse=True)
    assert torch.equal(seen[-1].maps, found.maps["rise"])


def test_sampling_that_is_stopped_is_repeated_by_its_error_as_stop_at(network: NetworkClassifier) -> None:
    images, errors = noise_images(1, 32, 3), []

    def enough(name: str, image: int, maps: ImageMaps) -> bool:
        assert maps.standard_errors is not None
        errors.append(float(relative_errors(maps.maps, maps.standard_errors)))
        return len(errors) == 2

    watcher = op.Watcher(on_maps=enough)
    stopped = op.explain(network, images, 0, Surrogate(queries=512, stop_at=1e-6), region=FRACTION, watcher=watcher)
    assert stopped.queries["surrogate"].tolist() == [256]
    assert errors[1] < errors[0]
    above = float(np.nextafter(np.float32(errors[1]), np.float32(1)))
    again = op.explain(network, images, 0, Surrogate(queries=512, stop_at=above), region=FRACTION)
    assert torch.equal(again.maps["surrogate"], stopped.maps["surrogate"])


def test_what_a_watcher_raises_ends_the_explanation(network: NetworkClassifier) -> None:
    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        op.explain(network, noise_images(1, 32, 3), 0, Rise(queries=64), watcher=op.Watcher(on_queries=stop))


def test_maps_of_an_earlier_explanation_are_taken_if_nothing_of_the_question_changed(
    network: NetworkClassifier,
) -> None:
    images, asked = noise_images(1, 32, 3), []
    watcher = op.Watcher(on_queries=lambda now, planned: asked.append(now))
    first = op.explain(network, images, 0, Rise(queries=64), region=FRACTION)
    again = op.explain(
        network, images, 0, [Rise(queries=64), "grad_cam"], region=FRACTION, earlier=first, watcher=watcher
    )
    assert sum(asked) < 64  # the fills of the region alone
    asked.clear()
    assert torch.equal(again.maps["rise"], first.maps["rise"])
    assert list(again.maps) == ["rise", "grad_cam"]
    for changed in ({"targets": 1}, {"methods": Rise(queries=80)}, {"images": 1 - images}):
        given = {"images": images, "targets": 0, "methods": Rise(queries=64)} | changed
        op.explain(network, region=FRACTION, earlier=first, watcher=watcher, **given)
        assert sum(asked) >= 64
        asked.clear()


def test_a_region_that_is_given_is_repainted(network: NetworkClassifier, gan: Gan) -> None:
    images = noise_images(1, 32, 3)
    box = torch.zeros(1, 32, 32, dtype=torch.bool)
    box[:, 4:12, 6:20] = True
    sets: list[Variants] = []

    def look(make: Callable[[], Variants]) -> None:
        if len(sets) < 2:
            sets.append(make())

    found = op.explain(
        network,
        images,
        0,
        "center",
        gan,
        search=LatentSearch(num_variants=4, steps=3),
        regions=box,
        watcher=op.Watcher(on_variants=look),
    )
    assert torch.equal(found.region, box)
    assert found.variants is not None
    changed = (found.variants.images[0] != images).any(1)
    assert bool(changed[:, box[0]].any())
    assert not bool(changed[:, ~box[0]].any())
    assert [own.images.shape for own in sets] == [found.variants.images.shape] * 2
    assert float(found.variants.contextual_losses.mean()) <= float(sets[0].contextual_losses.mean())


def test_the_watched_search_finds_what_the_other_does(network: NetworkClassifier, gan: Gan) -> None:
    images, search = noise_images(1, 32, 3), LatentSearch(num_variants=4, steps=3)
    watcher = op.Watcher(on_variants=lambda make: None, on_step=lambda step, limit, loss: None)
    plain, watched = (
        op.explain(network, images, 0, "center", gan, region=FRACTION, search=search, watcher=own)
        for own in (None, watcher)
    )
    assert plain.variants is not None
    assert watched.variants is not None
    assert torch.equal(plain.variants.images, watched.variants.images)


def test_regions_of_another_size_are_refused_in_a_sentence(network: NetworkClassifier) -> None:
    with pytest.raises(op.OverpaintError, match=r"regions has shape \(1, 8, 8\); it takes .* \(1, 32, 32\)"):
        op.explain(network, noise_images(1, 32, 3), 0, "center", regions=torch.ones(1, 8, 8, dtype=torch.bool))
