"""A series is explained, repainted, judged, drawn and saved by the same call as an image, in its own units."""

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import pixels_of
from PIL import Image
from torch import Tensor, nn

import overpaint as op
from overpaint.core.errors import OverpaintWarning
from overpaint.core.files import read_arrays
from overpaint.inpainting.latent_search import LatentSearch
from overpaint.report.plots.images import CURVE_SIZE, curve_picture, figure_png, map_picture, outlined, picture_grid
from overpaint.report.plots.patches import PATCH, region_patches
from overpaint.report.plots.series import CurveHeights, stretches
from overpaint.report.plots.series_charts import map_chart
from overpaint.report.tables.scoreboard import Scoreboard
from overpaint.report.wandb.tables import images_table

LENGTH, FIRST, STOP = 64, 24, 36
SCALE = op.SeriesScale([10.0, -2.0], [30.0, 2.0])
NAMES = ["flat", "bump"]


class BumpNetwork(nn.Module):
    """Class 1 by how much of the first channel is raised over some steps."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv1d(2, 2, 5, padding=2, bias=False), nn.ReLU(inplace=True))
        self.head = nn.Linear(2, 2)
        self.features[0].weight.data.zero_()[0, 0] = 0.2
        self.head.weight.data = torch.tensor([[0.0, 0.0], [40.0, 0.0]])
        self.head.bias.data = torch.tensor([4.0, 0.0])

    def forward(self, series: Tensor) -> Tensor:
        return self.head((self.features(series) - 0.2).relu().mean(2))


class BumpPainter(nn.Module):
    """A bump whose height the first entry of a latent says, and waves in the second channel."""

    def forward(self, latents: Tensor) -> Tensor:
        place = torch.linspace(-3, 3, LENGTH)
        bump = torch.sigmoid(latents[:, :1]) * torch.exp(-(place**2))
        wave = 0.5 + 0.3 * torch.sin(4 * place + latents[:, 1:2])
        return torch.stack([bump, wave], dim=1)


def _series() -> Tensor:
    rng = torch.Generator().manual_seed(2)
    series = 0.05 * torch.randn(2, 2, LENGTH, generator=rng) + torch.tensor([0.0, 0.5])[:, None]
    series[:, 0, FIRST:STOP] += 1.2  # above 1, which nothing cuts
    return series


def _explainer_parts() -> tuple[Any, op.Gan]:
    classifier = op.as_classifier(BumpNetwork(), NAMES, image_size=LENGTH, output="logits", scale=SCALE)
    return classifier, op.as_generator(BumpPainter().eval(), latent_dim=2, range="unit")


@pytest.fixture(scope="module")
def explained() -> Iterator[op.Explanation]:
    classifier, generator = _explainer_parts()
    truth = torch.zeros(2, LENGTH, dtype=torch.bool)
    truth[:, FIRST:STOP] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OverpaintWarning)
        yield op.explain(
            classifier,
            _series(),
            methods=["occlusion", "rise"],
            generator=generator,
            metrics=["deletion", "iou"],
            probes=["boundary_search", "controls"],
            search=LatentSearch(num_variants=6, steps=4),
            blend="poisson",
            ground_truth=truth,
        )


def test_variants_keep_every_value_outside_to_the_bit(explained: op.Explanation) -> None:
    variants, series = explained.variants, _series()
    assert variants is not None
    assert torch.equal(explained.images, series)
    for row in range(2):
        outside = ~explained.region[row]
        assert outside.any()
        assert explained.region[row].any()
        for image in variants.images[row]:
            assert torch.equal(image[:, outside], series[row][:, outside])
            assert not torch.equal(image[:, ~outside], series[row][:, ~outside])


def test_the_bump_is_found_and_decides(explained: op.Explanation) -> None:
    for name in ("occlusion", "rise"):
        assert bool(((explained.maps[name].argmax(1) >= FIRST) & (explained.maps[name].argmax(1) < STOP)).all())
    assert explained.region_search.decisive.all()
    assert explained.metrics["occlusion"]["iou"].min() > 0.3


def test_drawing_and_files_are_in_units(explained: op.Explanation, tmp_path: Path) -> None:
    figure = explained.plot()
    assert pixels_of(figure_png(figure)).std() > 1
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert sum("value of 2 channels" in label for label in labels) == 4  # two methods, accepted, flipped
    assert explained.save(tmp_path).is_file()
    folder = tmp_path / "image-00000"
    arrays = read_arrays(folder / "saliency.npz")
    np.testing.assert_allclose(arrays["scale"], [[10, -2], [30, 2]])
    np.testing.assert_array_equal(arrays["image"], _series()[0].numpy())
    made = {path.name for path in folder.glob("*.png")}
    assert {"overview.png", "objects.png", "probe_boundary_search.png", "probe_controls.png", "deletion.png"} <= made
    for name in made - {"morph.png"}:
        pixels_of((folder / name).read_bytes())


def test_wandb_shows_the_charts_of_a_series(explained: op.Explanation, tmp_path: Path) -> None:
    explained.save(tmp_path)
    runner = explained.runner
    board = Scoreboard([tmp_path / "image-00000"], runner.methods, runner.metrics, runner.probes)
    table = images_table(board, [0], NAMES)
    (row,) = [dict(zip(table.columns, values, strict=True)) for values in table.data]
    charts = ("image", "region", "map_occlusion", "map_rise", "accepted_variants", "flipped_variants")
    assert all(row[name].image.width > 350 for name in charts)
    arrays = read_arrays(tmp_path / "image-00000" / "saliency.npz")
    with Image.open(io.BytesIO(map_chart(arrays, "occlusion"))) as chart:
        np.testing.assert_array_equal(np.asarray(row["map_occlusion"].image.convert("RGB")), chart.convert("RGB"))


def test_all_methods_leave_out_what_is_for_pictures() -> None:
    classifier, _ = _explainer_parts()
    parts: dict[str, Any] = {"methods": ["all"], "metrics": ["agreement_ssim", "agreement_spearman"]}
    explainer = op.Explainer(classifier, **parts)
    with pytest.warns(OverpaintWarning, match=r"agreement_ssim is left out: this classifier has no pictures"):
        found = explainer.explain(_series()[:1])
    assert len(found.maps) == 18  # lime among them, which cuts series evenly
    for name, maps in found.maps.items():
        assert maps.shape == (1, LENGTH), name
        assert bool(maps.isfinite().all()), name
    assert set(found.metrics["rise"]) == {"agreement_spearman"}


def test_heights_are_units_of_one_channel_and_shifts_of_several() -> None:
    one = CurveHeights(1, np.array([[10.0], [30.0]]))
    np.testing.assert_allclose(one.of(np.array([[0.0, 0.5, 1.2]])), [[10, 20, 34]])
    assert CurveHeights(1, None).of(np.array([[0.3]])) == 0.3
    two = CurveHeights(2, np.array([[10.0, -2.0], [30.0, 2.0]]))
    np.testing.assert_allclose(two.of(np.array([[0.0], [0.5]])), [[1.25], [0.5]])
    np.testing.assert_allclose(two.in_units(np.array([[0.5], [0.5]])), [[20], [0]])


def test_stretches_of_a_region() -> None:
    region = np.array([1, 1, 0, 0, 1, 0, 1], dtype=bool)
    assert list(stretches(region)) == [(0, 2), (4, 5), (6, 7)]
    assert list(stretches(np.zeros(4, dtype=bool))) == []


def test_small_pictures_of_series() -> None:
    rising, falling = np.linspace(0, 1, 50)[None], np.linspace(1, 0, 50)[None]
    picture = curve_picture(rising)
    assert picture.shape == (*CURVE_SIZE, 3)
    heights, falls = ((drawn.sum(2) < 600).argmax(0) for drawn in (picture, curve_picture(falling)))
    assert heights[10] > heights[60] > heights[110]  # rows of a picture are counted from the top
    assert falls[10] < falls[60] < falls[110]
    grid = picture_grid(np.stack([rising, falling]), columns=2)
    assert grid.shape[0] == CURVE_SIZE[0]
    assert map_picture(np.array([-1.0, 0.0, 1.0])).shape[1] == 3
    region = np.arange(50) < 25
    cut = outlined(picture, region)
    np.testing.assert_array_equal(cut[:, : CURVE_SIZE[1] // 2], picture[:, : CURVE_SIZE[1] // 2])
    assert cut[:, CURVE_SIZE[1] // 2 :].max() < 64


def test_patches_of_series_are_their_stretches() -> None:
    images, region = np.random.default_rng(0).random((3, 2, 256)), np.zeros(256, dtype=bool)
    region[100:228] = True
    patches = region_patches(images, region)
    assert patches.shape == (3, 2, *PATCH[1])
    np.testing.assert_allclose(patches, images[:, :, 100:228].reshape(3, 2, 64, 2).mean(3))
