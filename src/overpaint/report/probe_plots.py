"""What is shown of the probes of the variants: charts of an image, charts of all, and sentences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from overpaint.core.files import read_arrays
from overpaint.core.names import safe_file_name
from overpaint.probes.base import Probe
from overpaint.probes.boundary_search import BoundarySearch
from overpaint.probes.controls import Controls, verdict
from overpaint.probes.diversity import Diversity
from overpaint.probes.region_size_sweep import RegionSizeSweep
from overpaint.probes.stability import Stability
from overpaint.report.plots.acceptance import controls_chart, mean_sizes_chart, sizes_chart
from overpaint.report.plots.boundary import flip_chart, flip_picture
from overpaint.report.plots.diversity import diversity_chart, mean_diversity_chart
from overpaint.report.plots.intervals import Numbers
from overpaint.report.plots.numbers import numbers_chart
from overpaint.report.plots.patches import patch_map
from overpaint.report.plots.stability import stability_chart
from overpaint.report.run_plots import RunPlot, Topic

Arrays = Mapping[str, NDArray[Any]]

PATCHES = "What may stand in the salient regions of each class"
"""Where the maps of patches are folded away."""


@dataclass(frozen=True)
class ProbePlots:
    """How the results of a kind of probe are shown; what is None is left out.

    Attributes:
        image: Draws those of an image from the probe, its numbers, its arrays, a title and the names of the classes.
        run: Draws those of all images from the probe, their numbers and a title.
        caption: What ``run`` shows.
        sentence: Says what an image's numbers mean.
    """

    image: Callable[[Any, Numbers, Arrays, str, Sequence[str]], bytes] | None = None
    run: Callable[[Any, Sequence[Numbers], str], bytes] | None = None
    caption: str = ""
    sentence: Callable[[Numbers], str] | None = None


PLOTS: dict[type[Probe], ProbePlots] = {
    RegionSizeSweep: ProbePlots(
        lambda probe, numbers, arrays, title, _: sizes_chart(probe.settings, numbers, arrays, title),
        lambda probe, rows, title: mean_sizes_chart(probe.settings, rows, title),
        "Acceptance over the size of the region",
    ),
    Diversity: ProbePlots(
        lambda probe, numbers, arrays, title, _: diversity_chart(probe.settings, numbers, arrays, title),
        lambda probe, rows, title: mean_diversity_chart(probe.settings, rows, title),
        "What variants that differ more cost in fit",
    ),
    BoundarySearch: ProbePlots(
        lambda _, numbers, arrays, title, names: flip_picture(arrays, numbers, title, names),
        lambda _, rows, title: flip_chart(rows, title),
        "What lies beyond the acceptable variations",
    ),
    Stability: ProbePlots(
        run=lambda _, rows, title: stability_chart(rows, title),
        caption="Do the latents stay when the input is slightly transformed?",
    ),
    Controls: ProbePlots(
        lambda _, numbers, __, title, ___: controls_chart([numbers], title),
        lambda _, rows, title: controls_chart(rows, title),
        "Acceptance of the variants beside controls",
        verdict,
    ),
}
"""The kinds of probe that have plots of their own; of any other, each number is a bar."""

GENERIC = ProbePlots(run=lambda _, rows, title: numbers_chart(rows, title), caption="The numbers of the probe")


def plots_of(probe: Probe) -> ProbePlots:
    """Returns how a probe's results are shown, by its class: a copy of its yaml under another name is shown alike."""
    return PLOTS.get(type(probe), GENERIC)


def probe_image_plots(
    probes: Mapping[str, Probe],
    results: Mapping[str, tuple[Numbers, Arrays]],
    title: str,
    class_names: Sequence[str],
) -> dict[str, bytes]:
    """Draws the results of an image's probes.

    Args:
        probes: The probes by name.
        results: Their numbers and arrays, by the same names.
        title: What stands above.
        class_names: The classifier's.

    Returns:
        PNG files' contents, by their names.
    """
    return {
        f"probe_{name}.png": draw(probes[name], numbers, arrays, f"{name}: {title}", class_names)
        for name, (numbers, arrays) in results.items()
        if (draw := plots_of(probes[name]).image) is not None
    }


def probe_plots(probes: Mapping[str, Probe], rows: Mapping[str, Sequence[Numbers]]) -> list[RunPlot]:
    """Draws the results of all images' probes.

    Args:
        probes: The probes by name.
        rows: The numbers of each row, by the same names.
    """
    plots = []
    for name, numbers in rows.items():
        own = plots_of(probes[name])
        if own.run is not None and numbers:
            picture = own.run(probes[name], numbers, f"{name}, {len(numbers)} rows")
            plots.append(
                RunPlot(
                    f"probe_{name}",
                    own.caption if own is not GENERIC else f"{name}: {own.caption}",
                    picture,
                    Topic.VARIANTS,
                )
            )
    return plots


def sentences(probes: Mapping[str, Probe], numbers: Mapping[str, Numbers]) -> list[str]:
    """Says what an image's probes mean, those that can say it.

    Args:
        probes: The probes by name.
        numbers: What each found out about the image.
    """
    return [say(numbers[name]) for name, probe in probes.items() if (say := plots_of(probe).sentence) is not None]


def patch_charts(folders: Sequence[Path], classes: Sequence[str]) -> list[RunPlot]:
    """Draws for each class what was painted into the regions of its images, accepted and flipped.

    Args:
        folders: The images' folders.
        classes: The explained class of each.

    Returns:
        A chart for each class of which at least two images were repainted.
    """
    charts = []
    for name in dict.fromkeys(classes):
        own = [f for f, of in zip(folders, classes, strict=True) if of == name and (f / "variants.npz").is_file()]
        if len(own) < 2:
            continue
        variants = [read_arrays(folder / "variants.npz") for folder in own]
        regions = [read_arrays(folder / "saliency.npz")["region"] for folder in own]
        columns = ([v[key] for v in variants] for key in ("images", "accepted", "duplicate"))
        images, accepted, duplicate = columns
        picture = patch_map(images, regions, accepted, duplicate, f"{name}: {len(own)} images")
        caption = f"{name}: what may stand in the salient region (PCA of the patches)"
        charts.append(RunPlot(f"patches_{safe_file_name(name)}", caption, picture, Topic.VARIANTS, PATCHES))
    return charts
