"""What is shown of the probes of the variants: charts of an image, charts of all, and sentences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from overpaint.core.files import read_arrays
from overpaint.core.names import safe_file_name
from overpaint.probes.controls import verdict
from overpaint.report.plots.acceptance import controls_chart, mean_sizes_chart, sizes_chart
from overpaint.report.plots.boundary import flip_chart, flip_picture
from overpaint.report.plots.diversity import diversity_chart, mean_diversity_chart
from overpaint.report.plots.intervals import Numbers
from overpaint.report.plots.patches import patch_map
from overpaint.report.plots.stability import stability_chart
from overpaint.report.run_plots import RunPlot, Topic

Arrays = Mapping[str, NDArray[Any]]

PATCHES = "What may stand in the salient regions of each class"
"""Where the maps of patches are folded away."""


@dataclass(frozen=True)
class Shown:
    """How a probe's findings are shown; what is None is left out.

    Attributes:
        image: Draws those of an image from its numbers, its arrays, a title and the names of the classes.
        run: Draws those of all images from their numbers and a title.
        caption: What ``run`` shows.
        sentence: Says what an image's numbers mean.
    """

    image: Callable[[Numbers, Arrays, str, Sequence[str]], bytes] | None = None
    run: Callable[[Sequence[Numbers], str], bytes] | None = None
    caption: str = ""
    sentence: Callable[[Mapping[str, float | None]], str] | None = None


SHOWN: dict[str, Shown] = {
    "region_size_sweep": Shown(
        lambda numbers, arrays, title, _: sizes_chart(numbers, arrays, title),
        mean_sizes_chart,
        "Acceptance over the size of the region",
    ),
    "diversity": Shown(
        lambda numbers, arrays, title, _: diversity_chart(numbers, arrays, title),
        mean_diversity_chart,
        "What variants that differ more cost in fit",
    ),
    "boundary_search": Shown(
        lambda numbers, arrays, title, names: flip_picture(arrays, numbers, title, names),
        flip_chart,
        "What lies beyond the acceptable variations",
    ),
    "stability": Shown(run=stability_chart, caption="Do the latents stay when the input is slightly transformed?"),
    "controls": Shown(
        lambda numbers, _, title, __: controls_chart([numbers], title),
        controls_chart,
        "Acceptance of the variants beside controls",
        verdict,
    ),
}
"""The probes that have more to show than their numbers, by their names."""


def probe_image_plots(
    probed: Mapping[str, tuple[Numbers, Arrays]], title: str, class_names: Sequence[str]
) -> dict[str, bytes]:
    """Draws the findings of an image's probes.

    Args:
        probed: Their numbers and arrays, by the probe's name.
        title: What stands above.
        class_names: The classifier's.

    Returns:
        PNG files' contents, by their names.
    """
    return {
        f"probe_{name}.png": shown.image(numbers, arrays, f"{name}: {title}", class_names)
        for name, (numbers, arrays) in probed.items()
        if (shown := SHOWN.get(name)) is not None and shown.image is not None
    }


def probe_plots(rows: Mapping[str, Sequence[Numbers]]) -> list[RunPlot]:
    """Draws the findings of all images' probes.

    Args:
        rows: The numbers of each row, by the probe's name.
    """
    charts = []
    for name, numbers in rows.items():
        shown = SHOWN.get(name)
        if shown is not None and shown.run is not None and numbers:
            picture = shown.run(numbers, f"{name}, {len(numbers)} rows")
            charts.append(RunPlot(f"probe_{name}", shown.caption, picture, Topic.VARIANTS))
    return charts


def sentences(probed: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Says what an image's probes mean, those that can say it."""
    found = []
    for name, numbers in probed.items():
        shown = SHOWN.get(name)
        if shown is not None and shown.sentence is not None:
            found.append(shown.sentence(numbers))
    return found


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
