"""Plots and sentences of probes, of an image and of all images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from overpaint.probes.base import Probe
from overpaint.probes.boundary_search import BoundarySearch
from overpaint.probes.controls import Controls, verdict
from overpaint.probes.diversity import Diversity
from overpaint.probes.region_size_sweep import RegionSizeSweep
from overpaint.probes.stability import Stability
from overpaint.report.descriptions import description
from overpaint.report.plots.boundary import flip_chart, flip_picture
from overpaint.report.plots.controls import controls_chart
from overpaint.report.plots.diversity import diversity_chart, mean_diversity_chart
from overpaint.report.plots.intervals import Numbers, RowsOfNumbers
from overpaint.report.plots.numbers import numbers_chart
from overpaint.report.plots.region_sizes import mean_sizes_chart, sizes_chart
from overpaint.report.plots.stability import stability_chart
from overpaint.report.run_plots import RunPlot, Topic

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class ProbePlots:
    """What is shown of a probe beside its numbers; what is None is left out.

    Attributes:
        image: Draws what was found about an image: from the probe, its numbers, its arrays, a title and the names of
            the classes.
        run: Draws what was found about all images: from the probe, its numbers of each row and a title.
        caption: What ``run`` shows; by default what the probe asks.
        sentence: Says what an image's numbers mean.
    """

    image: Callable[[Any, Numbers, Arrays, str, Sequence[str]], bytes] | None = None
    run: Callable[[Any, RowsOfNumbers, str], bytes] = lambda _probe, rows, title: numbers_chart(rows, title)
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
        lambda _, numbers, arrays, title, class_names: flip_picture(arrays, numbers, title, class_names),
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
"""The plots of probes by their class; one that is not here has a chart of its numbers over all images."""


def plots_of(probe: Probe) -> ProbePlots:
    """Returns how a probe is drawn."""
    return PLOTS.get(type(probe), ProbePlots())


def probe_picture(name: str) -> str:
    """Returns the name of the file that shows what a probe found about an image."""
    return f"probe_{name}.png"


def probe_image_plots(
    probes: Mapping[str, Probe], found: Mapping[str, tuple[Numbers, Arrays]], title: str, class_names: Sequence[str]
) -> dict[str, bytes]:
    """Draws what probes found about an image.

    Args:
        probes: The probes by name.
        found: The numbers and arrays of each.
        title: What stands above.
        class_names: The classifier's.

    Returns:
        PNG files' contents, by their names.
    """
    return {
        probe_picture(name): draw(probe, *found[name], f"{name}: {title}", class_names)
        for name, probe in probes.items()
        if name in found and found[name][0] and (draw := plots_of(probe).image) is not None
    }


def probe_plots(probes: Mapping[str, Probe], found: Mapping[str, RowsOfNumbers]) -> list[RunPlot]:
    """Draws what probes found about all images.

    Args:
        probes: The probes by name.
        found: The numbers of each row, by the probe's name.
    """
    plots = []
    for name, probe in probes.items():
        if rows := found[name]:
            own = plots_of(probe)
            picture = own.run(probe, rows, f"{name}, {len(rows)} rows")
            text = description(probe)
            plots.append(RunPlot(f"probe_{name}", own.caption or text, picture, Topic.VARIANTS, description=text))
    return plots


def sentences(probes: Mapping[str, Probe], found: Mapping[str, Numbers]) -> list[str]:
    """Says what an image's numbers mean, for the probes that can say it."""
    said = [(name, plots_of(probe).sentence) for name, probe in probes.items()]
    return [sentence(found[name]) for name, sentence in said if sentence is not None and found[name]]
