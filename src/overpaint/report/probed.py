"""What is shown of the probes of the variants: charts of an image, charts of all, and sentences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from overpaint.probes.controls import verdict
from overpaint.report.judged import RunChart
from overpaint.report.probe_charts import Numbers, controls_chart, mean_sizes_chart, sizes_chart

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Shown:
    """How a probe's findings are shown; what is None is left out.

    Attributes:
        image: Draws those of an image from its numbers, its arrays and a title.
        run: Draws those of all images from their numbers and a title.
        caption: What ``run`` shows.
        sentence: Says what an image's numbers mean.
    """

    image: Callable[[Numbers, Arrays, str], bytes] | None = None
    run: Callable[[Sequence[Numbers], str], bytes] | None = None
    caption: str = ""
    sentence: Callable[[Mapping[str, float | None]], str] | None = None


SHOWN: dict[str, Shown] = {
    "sizes": Shown(sizes_chart, mean_sizes_chart, "Acceptance over the size of the region"),
    "controls": Shown(
        lambda numbers, _, title: controls_chart([numbers], title),
        controls_chart,
        "Acceptance of the variants beside controls",
        verdict,
    ),
}
"""The probes that have more to show than their numbers, by their names."""


def probe_pictures(probed: Mapping[str, tuple[Numbers, Arrays]], title: str) -> dict[str, bytes]:
    """Draws the findings of an image's probes.

    Args:
        probed: Their numbers and arrays, by the probe's name.
        title: What stands above.

    Returns:
        PNG files' contents, by their names.
    """
    return {
        f"probe_{name}.png": shown.image(numbers, arrays, f"{name}: {title}")
        for name, (numbers, arrays) in probed.items()
        if (shown := SHOWN.get(name)) is not None and shown.image is not None
    }


def probe_run_charts(rows: Mapping[str, Sequence[Numbers]]) -> list[RunChart]:
    """Draws the findings of all images' probes.

    Args:
        rows: The numbers of each row, by the probe's name.
    """
    charts = []
    for name, numbers in rows.items():
        shown = SHOWN.get(name)
        if shown is not None and shown.run is not None and numbers:
            picture = shown.run(numbers, f"{name}, {len(numbers)} rows")
            charts.append(RunChart(f"probe_{name}", shown.caption, picture))
    return charts


def sentences(probed: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Says what an image's probes mean, those that can say it."""
    found = []
    for name, numbers in probed.items():
        shown = SHOWN.get(name)
        if shown is not None and shown.sentence is not None:
            found.append(shown.sentence(numbers))
    return found
