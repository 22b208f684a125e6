"""Chart of the acceptance of variants beside controls."""

import numpy as np
from matplotlib.patches import Patch

from overpaint.probes.controls import IN_THE_REGION
from overpaint.report.plots.intervals import RowsOfNumbers, columns_of, interval_of, reach_of
from overpaint.report.plots.style import COLOURS, CONTROL_COLOUR, WIDTH, chart, despine_axes, encode, wrapped

CONTROLS = {
    "searched": "searched variants",
    "elsewhere": "searched, hole elsewhere",
    "unsearched": "random latents, unsearched",
    "mean": "mean colour",
    "blur": "smoothed surroundings",
    "noise": "noise",
    "patch": "patches of other classes",
    "sample": "samples of other classes",
}
"""What stands at the bars of the controls' chart, from top to bottom."""


def controls_chart(rows: RowsOfNumbers, title: str, width: float = WIDTH) -> bytes:
    """Draws what `Controls` found: how often each control is accepted, beside the searched variants.

    Args:
        rows: The probe's numbers of each row: one, or many, of which the means are drawn with 95 % intervals.
        title: What stands above.
        width: In inches.

    Returns:
        A PNG file's content.
    """
    rates, scores = (interval_of(rows, [f"{key}_{name}" for name in CONTROLS]) for key in ("acceptance_rate", "score"))
    figure = chart(4.2, width)
    axes, places = figure.add_subplot(), np.arange(len(CONTROLS))
    despine_axes(axes, "x")
    colours = [CONTROL_COLOUR if name in IN_THE_REGION else COLOURS[2] for name in CONTROLS]
    colours[0] = COLOURS[0]
    axes.barh(places, rates.mean, 0.62, color=colours)
    axes.errorbar(rates.mean, places, xerr=reach_of(rates), fmt="none", color="black", linewidth=1.2, capsize=3)
    axes.scatter(scores.mean, places, 30, "white", edgecolors="black", linewidths=1.2, zorder=3)
    for place in places[np.isnan(rates.mean)]:
        axes.text(0.01, place, "not measured", fontsize=7.5, va="center")
    if np.isfinite(rates.mean[0]):
        axes.axvline(rates.mean[0], color=COLOURS[0], linewidth=0.9, linestyle="--", zorder=0)
    axes.set_yticks(places, list(CONTROLS.values()), fontsize=8)
    axes.set_ylim(len(CONTROLS) - 0.4, -0.6)
    axes.set_xlim(0, 1.02)
    axes.set_xlabel("accepted share (bars), mean score of the class (circles)", fontsize=8)
    verdicts = columns_of(rows, ["decisive"])[:, 0]
    measured = int(np.isfinite(verdicts).sum())
    said = f"region decisive in {int(np.nansum(verdicts))} of {measured}" if measured else "no salient region"
    axes.set_title(wrapped(f"{title}; {said}", round(110 * width / WIDTH)), fontsize=9.5)
    signs = [
        Patch(color=COLOURS[0], label="variants"),
        Patch(color=COLOURS[2], label="control in another place"),
        Patch(color=CONTROL_COLOUR, label="controls in the region: decisive only if all are accepted less often"),
    ]
    columns = 3 if width >= WIDTH else 1  # the words of a narrow chart stand below each other
    figure.legend(handles=signs, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
    return encode(figure, 64)
