"""The engine: packing, chunk sizes, precision, memory, baselines, stopping; never what else is asked beside a query."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from conftest import FunctionClassifier, noise_images, planted
from torch import Tensor, nn

from overpaint.classifiers.network import NetworkClassifier
from overpaint.core.errors import OverpaintError
from overpaint.core.results import SaliencyMaps
from overpaint.perturbation.baselines import baseline_image
from overpaint.perturbation.batching import FIRST_BATCH_SIZE, ROWS, BatchSizeTuner, bfloat16_agreement
from overpaint.perturbation.engine import Engine
from overpaint.perturbation.method import PerturbationMethod, SegmentMasks, WindowMasks, relative_errors
from overpaint.saliency.mask_estimation import MaskEstimation
from overpaint.saliency.rise import Rise

METHODS: dict[str, PerturbationMethod] = {
    "rise": Rise(queries=150),
    "mean": Rise(queries=150, estimator="mean", cells=5, baseline="blur"),
    "mask_estimation": MaskEstimation(queries=128, chains=16),
}


def _same(one: SaliencyMaps, other: SaliencyMaps, rows: slice = slice(None)) -> None:
    assert torch.equal(one.maps, other.maps[rows])
    assert one.standard_errors is not None
    assert other.standard_errors is not None
    assert torch.equal(one.standard_errors, other.standard_errors[rows])
    assert torch.equal(one.queries, other.queries[rows])


def test_maps_are_the_same_to_the_bit_whatever_is_asked_beside_them(network: NetworkClassifier) -> None:
    images, targets = noise_images(3, 32, 3), torch.tensor([[0, 2], [1, 3], [2, 0]])
    together = Engine(network, batch_size=64).run_methods(METHODS, images, targets)
    for batch_size in (8, 40, 256):
        for name, maps in Engine(network, batch_size=batch_size).run_methods(METHODS, images, targets).items():
            _same(maps, together[name])
    order = [2, 0, 1]
    for name, maps in Engine(network).run_methods(METHODS, images[order], targets[order]).items():
        for place, i in enumerate(order):
            alone = METHODS[name](network, images[i : i + 1], targets[i : i + 1])  # type: ignore[operator]
            _same(alone, maps, slice(2 * place, 2 * place + 2))
            _same(alone, together[name], slice(2 * i, 2 * i + 2))


def test_a_map_does_not_depend_on_the_other_targets(network: NetworkClassifier) -> None:
    images = noise_images(1, 32, 3)
    several = Engine(network).run_methods(METHODS, images, torch.tensor([[3, 1]]))
    for name, maps in Engine(network).run_methods(METHODS, images, torch.tensor([[1]])).items():
        _same(maps, several[name], slice(1, 2))


def test_several_targets_cost_the_queries_of_one(white_images: Tensor) -> None:
    classifier = planted(lambda share: share)
    Engine(classifier, batch_size=25).run_methods({"rise": Rise(queries=100)}, white_images, torch.tensor([[0, 1]]))
    assert sum(classifier.rows) == 100


def test_a_given_chunk_makes_every_pass_of_that_size(white_images: Tensor) -> None:
    classifier = planted(lambda share: share)
    Engine(classifier, batch_size=24).run_methods(METHODS, white_images, torch.tensor([[1]]))
    assert set(classifier.rows) == {24}


def test_a_found_chunk_makes_passes_of_whole_eights_and_wastes_none(white_images: Tensor) -> None:
    classifier = planted(lambda share: share)
    engine = Engine(classifier)
    engine.run_methods({"rise": Rise(queries=4096)}, white_images, torch.tensor([[1]]))
    assert all(rows % ROWS == 0 for rows in classifier.rows)
    assert engine.batch_size_difference == 0
    assert sum(classifier.rows) == 4096 + ROWS  # those that are compared are asked again
    before = len(classifier.rows)
    engine.run_methods({"rise": Rise(queries=64)}, white_images, torch.tensor([[1]]))
    assert sum(classifier.rows[before:]) == 64


def test_passes_grow_for_as_long_as_that_gains_speed() -> None:
    device, growth = torch.device("cpu"), BatchSizeTuner()

    def grown(seconds: Callable[[int], float]) -> int:
        growth, size = BatchSizeTuner(), FIRST_BATCH_SIZE
        for _ in range(100):
            found = growth.next_size(size, seconds(size), device)
            if found is None:
                return growth.best
            size = found
        raise AssertionError

    assert grown(lambda rows: rows * 0.1) == FIRST_BATCH_SIZE
    assert grown(lambda rows: 1.0 + rows * 0.01 + 1e-4 * rows**2) == 128
    assert grown(lambda rows: 9.0 + rows if rows != 64 else 99.0) == 256  # a disturbed size does not end it
    assert growth.next_size(FIRST_BATCH_SIZE, 9.0, device) == FIRST_BATCH_SIZE  # the first pass warms up
    assert [growth.next_size(FIRST_BATCH_SIZE, t, device) for t in (1.0, 2.0)] == [
        FIRST_BATCH_SIZE,
        2 * FIRST_BATCH_SIZE,
    ]
    assert growth.next_size(ROWS, 0.1, device) == 2 * FIRST_BATCH_SIZE  # too few queries waited: nothing is learnt
    assert growth.best == FIRST_BATCH_SIZE


def test_a_difference_between_sizes_is_told(white_images: Tensor) -> None:
    classifier = planted(lambda share: share + 1e-6 * (len(share) > ROWS))
    engine = Engine(classifier)
    engine.run_methods({"rise": Rise(queries=4096)}, white_images, torch.tensor([[1]]))
    assert engine.batch_size_difference == pytest.approx(1e-6, rel=0.2)
    assert "differ by up to 1e-06 with the batch size" in engine.notes[0]


class _Small(FunctionClassifier):
    """Has memory for so many rows."""

    def __init__(self, most: int) -> None:
        super().__init__(lambda images: images[:, 0, 8:16, 16:24].mean((1, 2)))
        self.most = most

    def scores(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            raise torch.OutOfMemoryError
        return super().scores(images)


def test_out_of_memory_halves_the_pass_and_loses_nothing(white_images: Tensor) -> None:
    targets = torch.tensor([[1]])
    engine = Engine(_Small(20), batch_size=64)
    found = engine.run_methods(METHODS, white_images, targets)
    assert engine.batch_size == 16
    wanted = Engine(_Small(64), batch_size=64).run_methods(METHODS, white_images, targets)
    for name in METHODS:
        _same(found[name], wanted[name])
    with pytest.raises(OverpaintError, match="not enough memory for a single image"):
        Engine(_Small(0), batch_size=2).run_methods(METHODS, white_images, targets)


def test_progress_counts_every_query_once(white_images: Tensor) -> None:
    output_geometry: list[tuple[int, int]] = []
    engine = Engine(
        planted(lambda share: share), on_batch=lambda count, planned: output_geometry.append((count, planned))
    )
    engine.run_methods(METHODS, white_images, torch.tensor([[1]]))
    assert sum(count for count, _ in output_geometry) == 150 + 150 + 128
    assert {planned for _, planned in output_geometry} == {428}


@pytest.mark.parametrize("method", [Rise(queries=4000, stop_at=0.05), MaskEstimation(queries=4000, stop_at=0.05)])
def test_sampling_ends_at_the_wanted_error(method: Any, white_images: Tensor) -> None:
    classifier = planted(lambda share: share)
    found = Engine(classifier, batch_size=32).run_methods({"": method}, white_images, torch.tensor([[1]]))[""]
    spent = int(found.queries[0])
    assert 0 < spent < 4000
    assert spent == sum(classifier.rows)
    assert found.standard_errors is not None
    assert float(relative_errors(found.maps, found.standard_errors)) < 0.05
    full = type(method)(queries=spent)(classifier, white_images, torch.tensor([[1]]))
    assert torch.equal(full.maps, found.maps)  # the same queries as without stopping


def test_baselines_are_what_they_say() -> None:
    image = noise_images(1, 32, 3)[0]
    classifier = FunctionClassifier(lambda images: images[:, 0, 0, 0], channels=3)
    classifier.mean = torch.tensor([0.1, 0.2, 0.3]).reshape(1, 3, 1, 1)
    assert not baseline_image("black", classifier, image, 0).any()
    assert baseline_image("mean", classifier, image, 0)[:, 5, 7].tolist() == pytest.approx([0.1, 0.2, 0.3])
    flat = torch.full_like(image, 0.7)
    torch.testing.assert_close(baseline_image("blur", classifier, flat, 0), flat)
    blurred = baseline_image("blur", classifier, image, 0)
    assert float(blurred.std()) < 0.5 * float(image.std())
    assert float(blurred.mean()) == pytest.approx(float(image.mean()), abs=0.01)
    noise = baseline_image("noise", classifier, image, 3)
    assert torch.equal(noise, baseline_image("noise", classifier, image, 3))
    assert not torch.equal(noise, baseline_image("noise", classifier, image, 4))
    assert torch.equal(baseline_image(flat, classifier, image, 0), flat)
    with pytest.raises(OverpaintError, match=r"shape \(3, 8, 8\), but the images have \(3, 32, 32\)"):
        baseline_image(torch.zeros(3, 8, 8), classifier, image, 0)
    with pytest.raises(OverpaintError, match="baseline=grey is none of mean, blur, black, noise, rise_blur"):
        baseline_image("grey", classifier, image, 0)


def test_windows_and_segments_hide_what_they_name() -> None:
    windows = WindowMasks((4, 6), torch.tensor([[1, 2], [-1, 5]]), torch.tensor([[3, 4], [1, 9]]))
    expected = torch.ones(2, 4, 6)
    expected[0, 1:3, 2:4] = 0
    expected[1, 0, 5] = 0
    assert torch.equal(windows.masks(slice(0, 2)), expected)
    segments = SegmentMasks(torch.tensor([[0, 0, 1], [2, 2, 1]]), torch.tensor([[1.0, 0.0, 0.5]]))
    assert segments.masks(slice(0, 1)).tolist() == [[[1, 1, 0], [0.5, 0.5, 0]]]


def test_bfloat16_is_taken_where_its_map_agrees(network: NetworkClassifier) -> None:
    image, fill = noise_images(1, 32, 3)[0], torch.full((3, 32, 32), 0.4)
    exact = bfloat16_agreement(lambda rows, _: network.scores(rows), image, fill, 0)
    assert exact == pytest.approx(1)
    noise = torch.Generator().manual_seed(0)

    def coarse(rows: Tensor, precision: str) -> Tensor:
        scores = network.scores(rows)
        return scores + 0.3 * torch.rand(scores.shape, generator=noise) * (precision == "bfloat16")

    assert bfloat16_agreement(coarse, image, fill, 0) < 0.9
    blind = FunctionClassifier(lambda images: torch.full((len(images),), 0.5), channels=3)
    assert bfloat16_agreement(lambda rows, _: blind.scores(rows), image, fill, 0) == 0


def test_given_bfloat16_is_used(network: NetworkClassifier) -> None:
    seen: list[torch.dtype] = []
    handle = network.network.get_submodule("stem.0").register_forward_hook(lambda _m, _i, out: seen.append(out.dtype))
    try:
        Engine(network, batch_size=32, precision="bfloat16").run_methods(
            METHODS, noise_images(1, 32, 3), torch.tensor([[0]])
        )
    finally:
        handle.remove()
    assert set(seen) == {torch.bfloat16}


def test_compile_translates_the_network_once_and_leaves_the_classifier(
    network: NetworkClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    translated: list[nn.Module] = []

    def translate(module: nn.Module) -> nn.Module:
        translated.append(module)
        return nn.Sequential(module)

    monkeypatch.setattr(torch, "compile", translate)
    inner, engine = network.network, Engine(network, compile=True)
    images, targets = noise_images(1, 32, 3), torch.tensor([[0]])
    found = [engine.run_methods({"": Rise(queries=100)}, images, targets)[""] for _ in range(2)]
    assert translated == [inner]
    assert network.network is inner
    wanted = Engine(network, batch_size=32).run_methods({"": Rise(queries=100)}, images, targets)[""]
    for maps in found:
        _same(maps, wanted)


def test_settings_out_of_range_are_refused(network: NetworkClassifier) -> None:
    with pytest.raises(OverpaintError, match="batch_size=0 must be at least 1"):
        Engine(network, batch_size=0)
    with pytest.raises(OverpaintError, match="compile=true needs a classifier that is a network"):
        Engine(planted(lambda share: share), compile=True)
