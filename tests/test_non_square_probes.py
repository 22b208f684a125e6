"""Images of 96x160 pixels in which it is known what a classifier looks at: maps, metrics, variants and probes."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from overpaint.cli.entry import explain
from overpaint.core.files import read_arrays
from overpaint.networks.checkpoint import FORMAT_KEY
from overpaint.training.dcgan import DCGANModule

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SIZE = (96, 160)
QUICK = ["logger.mode=none", "trainer.enable_progress_bar=false", "search.steps=2", "search.num_variants=4"]
QUICK += ["search.num_candidates=4", "saliency.surrogate.queries=128", "saliency.occlusion.stride=0.125"]
QUICK += ["metrics.insertion.step=0.25", "metrics.deletion.step=0.25", "probes.region_size_sweep.fractions=[0.5,0.9]"]
QUICK += ["probes.stability.unrelated=1"]
DISCS = {"red": (120, 0), "green": (40, 1)}
"""The column of each disc's middle, and its channel."""

FACTORY = """
import torch
from torch import nn

class Discs(nn.Module):
    # Compares how much red and how much green there is, by a map of a place for each 8x8 pixels.
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 8, 8)
        self.head = nn.Linear(2, 2)
        self.conv.weight.data = torch.tensor([[1.0, -1, -1], [-1, 1, -1]])[:, :, None, None].repeat(1, 1, 8, 8) / 64
        self.conv.bias.data.fill_(1)
        self.head.weight.data = 6 * torch.tensor([[1.0, -1], [-1, 1]])
        self.head.bias.data.zero_()

    def forward(self, images):
        assert images.shape[2:] == (96, 160)
        return self.head(self.conv(images).relu().mean((2, 3)))
"""


def _disc(name: str) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A disc on dark noise, and where it is."""
    column, channel = DISCS[name]
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    disc = (rows - 48) ** 2 + (columns - column) ** 2 < 22**2
    pixels = np.random.default_rng(column).integers(0, 64, (*SIZE, 3), dtype=np.uint8)
    pixels[disc] = 0
    pixels[disc, channel] = 255
    return pixels, disc


def _write_dcgan(path: Path, size: int | list[int]) -> None:
    module = DCGANModule(image_size=size, base_channels=2, latent_dim=4)
    content = {"state_dict": module.state_dict()}
    module.on_save_checkpoint(content)
    assert FORMAT_KEY in content
    torch.save(content, path)


@pytest.mark.parametrize("painted", [32, [96, 160]], ids=str)
def test_discs_are_found_repainted_and_probed(
    painted: int | list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("factory_of_discs.py").write_text(FACTORY)
    for folder in ("images", "masks"):
        Path(folder).mkdir()
    for name in DISCS:
        pixels, disc = _disc(name)
        Image.fromarray(pixels).save(f"images/{name}.png")
        Image.fromarray(disc).save(f"masks/{name}.png")
    _write_dcgan(Path("dcgan.ckpt"), painted)
    words = ["classifier=factory_of_discs:Discs", "classifier.image_size=[96,160]"]
    words += ["classifier.class_names=[red,green]", "generator=dcgan.ckpt", "images=images", "annotations=masks"]
    words += ["methods=[surrogate,grad_cam,occlusion]", "metrics=[insertion,deletion,pointing_game]"]
    explain(
        CONFIGS,
        [*QUICK, *words, "probes=[region_size_sweep,controls,stability]", "region.method=fraction", "output=out"],
    )
    with Path("out/explain/results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["target"]) for row in rows] == [(name, name) for name in sorted(DISCS) for _ in range(3)]
    for row in rows:
        assert float(row["pointing_game"]) == 1
        assert float(row["insertion"]) > float(row["deletion"]) + 0.2
    for name in DISCS:
        _check(Path("out/explain") / name, *_disc(name))
    assert Path("out/explain/report.html").is_file()


def _check(folder: Path, pixels: NDArray[np.uint8], disc: NDArray[np.bool_]) -> None:
    """Checks what was written of one image against what is known of it."""
    saliency, variants = read_arrays(folder / "saliency.npz"), read_arrays(folder / "variants.npz")["images"]
    region, image = saliency["region"], saliency["image"]
    np.testing.assert_array_equal(np.rint(255 * image.transpose(1, 2, 0)), pixels)
    np.testing.assert_array_equal(saliency["objects"], disc)
    assert region.sum() == round(0.1 * disc.size)
    assert (region & disc).sum() > 0.7 * (region | disc).sum()
    assert variants.shape == (4, 3, *SIZE)
    np.testing.assert_array_equal(variants[:, :, ~region], np.broadcast_to(image[:, ~region], (4, 3, (~region).sum())))
    assert np.abs(variants - image)[:, :, region].mean() > 0.1
    probes = json.loads((folder / "result.json").read_text())["probes"]
    box = np.ptp(np.nonzero(region), axis=1) + 1
    for share in (50, 90):
        found = probes["region_size_sweep"][f"region_fraction_{share}"]
        assert found == pytest.approx(share / 100 * box.prod() / disc.size, abs=1e-3)
    assert probes["controls"]["acceptance_rate_elsewhere"] == 1
    assert np.isfinite(probes["stability"]["latent_distance_rotation"])
