"""Chart of the stability of latents under small transforms of the input."""

import numpy as np

from overpaint.probes.stability import TRANSFORMS
from overpaint.report.plots.intervals import RowsOfNumbers, interval_of, reach_of
from overpaint.report.plots.style import COLOURS, chart, despine_axes, encode, wrapped


def stability_chart(rows: RowsOfNumbers, title: str) -> bytes:
    """Draws what `Stability` found: ratios of each transform, means with 95 % intervals over the images.

    Args:
        rows: The probe's numbers of each row.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    figure = chart(3.6, 7.6)
    axes = figure.add_subplot()
    despine_axes(axes, "y")
    signs = {"latent": "latents", "picture": "what they paint", "best": "best latent"}
    highest = 1.0
    for i, (key, label) in enumerate(signs.items()):
        interval = interval_of(rows, [f"{key}_ratio_{transform}" for transform in TRANSFORMS])
        places = np.arange(len(TRANSFORMS)) + 0.27 * (i - 1)
        reach = reach_of(interval)
        axes.bar(places, interval.mean, 0.25, color=COLOURS[i], label=label)
        axes.errorbar(places, interval.mean, reach, fmt="none", color="black", linewidth=1.2, capsize=3)
        highest = max(highest, float(np.nan_to_num(interval.mean + reach[1]).max()))
        for place in places[np.isnan(interval.mean)]:
            axes.text(place, 0.02, "not measured", fontsize=7, rotation=90, ha="center")
    axes.axhline(1, color="black", linewidth=1, linestyle="--", label="as far as unrelated images")
    axes.set_ylim(0, 1.08 * highest)
    axes.set_xticks(range(len(TRANSFORMS)), ["inversion (mirrored)" if t == "inversion" else t for t in TRANSFORMS])
    axes.set_ylabel("distance / that of unrelated images", fontsize=8)
    axes.set_title(wrapped(title, 95), fontsize=9.5)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return encode(figure, 64)
