"""What the stamps of probes and of retention depend on, and how probes get the other images."""

from pathlib import Path

import pytest
import torch

from overpaint.cli.config import load_settings
from overpaint.cli.fingerprints import manners
from overpaint.cli.parts import with_others
from overpaint.core.instantiate import instantiate
from overpaint.data.base import ImageSplit
from overpaint.metrics.retention import Retention
from overpaint.pipeline.runner import Plan
from overpaint.probes.base import Probe
from overpaint.probes.boundary_search import BoundarySearch
from overpaint.probes.controls import Controls
from overpaint.probes.diversity import Diversity
from overpaint.probes.guided import GuidedSearch
from overpaint.probes.oracle import Oracle
from overpaint.probes.region_size_sweep import RegionSizeSweep
from overpaint.probes.stability import Stability

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
WORDS = ["methods=[rise]", "metrics=[retention,insertion]", "probes=all"]


def _bank(*levels: int) -> ImageSplit:
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 4, 4).contiguous()
    return ImageSplit(images, torch.zeros(len(levels), dtype=torch.long), [str(level) for level in levels])


def _manners(
    folder: Path, *words: str, generator: bytes = b"generator", bank: ImageSplit | None = None
) -> dict[str, str]:
    (folder / "classifier.ckpt").write_bytes(b"classifier")
    (folder / "dcgan.ckpt").write_bytes(generator)
    settings = load_settings(CONFIGS, "explain", [f"output={folder}", *WORDS, *words])
    metrics = {name: instantiate(section, name) for name, section in settings["metrics"].items()}
    return manners(settings, [("rise", 0)], metrics, [], {"controls": bank or _bank(1, 2)})


def test_the_files_in_configs_describe_the_probes() -> None:
    settings = load_settings(CONFIGS, "explain", WORDS)
    built = {name: instantiate(section, f"probes.{name}") for name, section in settings["probes"].items()}
    assert built == {
        "controls": Controls(),
        "diversity": Diversity([0.0, 0.1, 0.5, 1.0, 2.0]),
        "boundary_search": BoundarySearch(),
        "guided": GuidedSearch(),
        "oracle": Oracle(),
        "region_size_sweep": RegionSizeSweep([0.5, 0.6, 0.7, 0.8, 0.9]),
        "stability": Stability(),
    }
    assert all(isinstance(probe, Probe) for probe in built.values())
    retention = instantiate(settings["metrics"]["retention"], "metrics.retention")
    assert isinstance(retention, Retention)
    assert retention.num_variants == 16


def test_only_the_controls_depend_on_the_other_images(tmp_path: Path) -> None:
    before, after = _manners(tmp_path), _manners(tmp_path, bank=_bank(1, 3))
    assert {name for name in before if before[name] != after[name]} == {"probe_controls"}


def test_retention_depends_on_the_generator_and_the_search_and_insertion_does_not(tmp_path: Path) -> None:
    before, painted = _manners(tmp_path), {"metric_retention_rise", "variants"}
    names = ("controls", "diversity", "boundary_search", "guided", "oracle", "region_size_sweep", "stability")
    probes = {f"probe_{name}" for name in names}
    for after in (_manners(tmp_path, generator=b"other"), _manners(tmp_path, "search.steps=3")):
        assert {name for name in before if before[name] != after[name]} == painted | probes


@pytest.mark.parametrize(
    ("word", "piece"),
    [
        ("probes.region_size_sweep.num_variants=3", "probe_region_size_sweep"),
        ("probes.guided.weight=1", "probe_guided"),
        ("probes.diversity.values=[1.5]", "probe_diversity"),
        ("probes.boundary_search.into=3", "probe_boundary_search"),
        ("probes.stability.shear=3", "probe_stability"),
        ("metrics.retention.num_variants=3", "metric_retention_rise"),
    ],
)
def test_a_setting_touches_its_own_piece_alone(tmp_path: Path, word: str, piece: str) -> None:
    before, after = _manners(tmp_path), _manners(tmp_path, word)
    assert {name for name in before if before[name] != after[name]} == {piece}


def test_probes_that_look_at_other_images_get_them() -> None:
    plan, images = (
        Plan({}, probes={"controls": Controls(draws=3), "region_size_sweep": RegionSizeSweep()}),
        _bank(1, 2).images,
    )
    given = with_others(plan, images).probes
    controls = given["controls"]
    assert isinstance(controls, Controls)
    assert controls.others is images
    assert controls.draws == 3
    assert given["region_size_sweep"] == RegionSizeSweep()
