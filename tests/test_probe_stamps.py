"""What the stamps of probes and of retention depend on, and how probes get the other images."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from probe_inputs import bright_region, grey_inpainter
from torch import Tensor

from overpaint.configuration.fingerprints import artifact_keys
from overpaint.configuration.settings import load_settings
from overpaint.core.instantiate import instantiate
from overpaint.core.results import ProbeResult
from overpaint.inpainting.region import RegionRule
from overpaint.metrics.retention import Retention
from overpaint.perturbation.engine import Engine
from overpaint.pipeline.runner import Runner
from overpaint.probes.base import Probe, ProbeInputs
from overpaint.probes.boundary_search import BoundarySearch
from overpaint.probes.controls import Controls
from overpaint.probes.diversity import Diversity
from overpaint.probes.guided import GuidedSearch
from overpaint.probes.oracle import Oracle
from overpaint.probes.region_size_sweep import RegionSizeSweep
from overpaint.probes.stability import Stability
from overpaint.saliency.center import Center

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
WORDS = ["methods=[rise]", "metrics=[retention,insertion]", "probes=all"]


def _images(*levels: int) -> Tensor:
    return torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 6, 6).contiguous()


def _keys(
    folder: Path, *words: str, generator: bytes = b"generator", other_images: Tensor | None = None
) -> dict[str, str]:
    (folder / "classifier.ckpt").write_bytes(b"classifier")
    (folder / "dcgan.ckpt").write_bytes(generator)
    settings = load_settings(CONFIGS, "explain", [f"output={folder}", *WORDS, *words])
    methods, metrics, probes = (
        {name: instantiate(section, name) for name, section in settings[group].items()}
        for group in ("saliency", "metrics", "probes")
    )
    classifier = bright_region()
    runner = Runner(
        classifier,
        methods,
        Engine(classifier),
        RegionRule(**settings["region"]),
        inpainter=grey_inpainter([0.5]),
        metrics=metrics,
        probes=probes,
        other_images=_images(1, 2) if other_images is None else other_images,
    )
    return artifact_keys(settings, runner)


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
    word = "region.fills=[sample,mean]"
    before, after = _keys(tmp_path, word), _keys(tmp_path, word, other_images=_images(1, 3))
    assert {name for name in before if before[name] != after[name]} == {"probe_controls"}


def test_patches_of_other_images_are_fills_of_the_region_unless_it_has_others(tmp_path: Path) -> None:
    before, after = _keys(tmp_path), _keys(tmp_path, other_images=_images(1, 3))
    changed = {name for name in before if before[name] != after[name]}
    assert {"region", "variants", "probe_controls", "probe_guided"} <= changed
    assert not {name for name in changed if name.startswith(("map_", "metric_")) and "retention" not in name}


def test_retention_depends_on_the_generator_and_the_search_and_insertion_does_not(tmp_path: Path) -> None:
    before, painted = _keys(tmp_path), {"metric_retention_rise", "variants"}
    names = ("controls", "diversity", "boundary_search", "guided", "oracle", "region_size_sweep", "stability")
    probes = {f"probe_{name}" for name in names}
    for after, more in (
        (_keys(tmp_path, generator=b"other"), {"region"}),
        (_keys(tmp_path, "search.steps=3"), {"settings"}),
    ):
        assert {name for name in before if before[name] != after[name]} == painted | probes | more


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
    before, after = _keys(tmp_path), _keys(tmp_path, word)
    assert {name for name in before if before[name] != after[name]} == {piece}


def test_only_probes_that_ask_the_oracle_depend_on_it(tmp_path: Path) -> None:
    settings = load_settings(CONFIGS, "explain", [f"output={tmp_path}", *WORDS])
    probes = {name: instantiate(section, name) for name, section in settings["probes"].items()}
    uses = {name for name, probe in probes.items() if probe.uses_oracle}
    assert uses == {"oracle", "boundary_search"}


def test_probes_that_look_at_other_images_get_them() -> None:
    seen: list[Tensor | None] = []

    @dataclass(frozen=True)
    class Looks(Probe):
        uses_other_images: ClassVar[bool] = True

        def __call__(self, inputs: ProbeInputs) -> list[ProbeResult]:
            seen.append(inputs.other_images)
            return [ProbeResult()] * len(inputs.images)

    classifier, images = bright_region(), _images(1, 2)
    runner = Runner(
        classifier,
        {"center": Center()},
        Engine(classifier),
        inpainter=grey_inpainter([0.5]),
        probes={"looks": Looks()},
        other_images=images,
    )
    runner.run(torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(0)), torch.tensor([[1]]))
    assert seen[0] is images
