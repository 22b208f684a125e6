"""Charts of the flipped variants of an image, and of all images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from numpy.typing import NDArray

from overpaint.probes.flip_taxonomy import KINDS
from overpaint.report.plots.images import draw_colour_bar, to_picture
from overpaint.report.plots.intervals import Numbers, RowsOfNumbers, columns_of, interval_of, reach_of
from overpaint.report.plots.series_panels import draw_change
from overpaint.report.plots.style import COLOURS, CONTROL_COLOUR, chart, despine_axes, encode, short, wrapped

ROWS = (*KINDS, "pgd")
"""The rows of `flip_picture`, from top to bottom."""

COLUMNS = ("original", "accepted", "flipped", "difference")

SOURCES = {
    "searched": ("searched latents", "success_rate"),
    "boundary": ("boundary points of the accepted", "boundary_rate"),
    "pgd": ("PGD on the accepted one's pixels", "pgd_rate"),
}
"""Where flips come from, from top to bottom: what stands at their bars, and the number that says how often."""

NAMES = {"natural": "natural adversarial", "unknown": "realistic, oracle unknown"}
"""Kinds that are called otherwise than in the numbers' names."""

KIND_COLOURS = dict(zip(KINDS, (COLOURS[0], COLOURS[2], CONTROL_COLOUR, COLOURS[5]), strict=True))

Arrays = Mapping[str, NDArray[Any]]


def flip_chart(rows: RowsOfNumbers, title: str) -> bytes:
    """Draws what `BoundarySearch` found over images: how often something flips, its kind, and its distance.

    Each bar is the mean share that flips, with its 95 % interval over the images; it is divided as all images' flips
    of that source are.

    Args:
        rows: The probe's numbers of each row.
        title: What stands above.

    Returns:
        A PNG file's content.
    """
    figure = chart(3.4)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[5, 3])
    places = np.arange(len(SOURCES))
    rates = interval_of(rows, [rate for _, rate in SOURCES.values()])
    parts = np.stack([_shares_of_kinds(rows, source) for source in SOURCES])
    starts = np.zeros(len(SOURCES))
    for kind, share in zip(KINDS, parts.T, strict=True):
        widths = np.nan_to_num(rates.mean * share)
        left.barh(places, widths, 0.62, starts, color=KIND_COLOURS[kind], label=NAMES.get(kind, kind))
        starts += widths
    left.errorbar(rates.mean, places, xerr=reach_of(rates), fmt="none", color="black", linewidth=1.2, capsize=3)
    for place in places[np.isnan(rates.mean)]:
        left.text(0.01, place, "not measured", fontsize=7.5, va="center")
    left.set_yticks(places, [name for name, _ in SOURCES.values()], fontsize=8)
    left.set_xlim(0, 1.02)
    left.set_xlabel("share that flips", fontsize=8)
    away = interval_of(rows, ["picture_distance", "pgd_distance"])
    right.errorbar(away.mean, places[1:], xerr=reach_of(away), fmt="D", color=COLOURS[1], markersize=5, capsize=3)
    right.set_xlim(left=0)
    right.set_xlabel("root mean square inside the region\nfrom the accepted variant", fontsize=8)
    for axes in (left, right):
        despine_axes(axes, "x")
        axes.set_ylim(len(SOURCES) - 0.4, -0.6)
    left.set_title(wrapped(title, 70), fontsize=9.5)
    figure.legend(loc="outside lower center", ncols=len(KINDS), fontsize=8, frameon=False)
    return encode(figure, 64)


def _shares_of_kinds(rows: RowsOfNumbers, source: str) -> Float[np.ndarray, " kind"]:
    """Returns the share of each kind among all images' flips of a source; NaN without any."""
    counts: Float[np.ndarray, " kind"] = np.nan_to_num(columns_of(rows, [f"{kind}_{source}" for kind in KINDS])).sum(0)
    return counts / counts.sum() if counts.sum() else np.full(len(KINDS), np.nan)


def flip_picture(arrays: Arrays, numbers: Numbers, title: str, class_names: Sequence[str] = ()) -> bytes:
    """Draws what `BoundarySearch` found for an image: accepted variants beside the flipped ones, and differences.

    A row for the nearest boundary point of each kind, and one for PGD; kinds of which there is none are left out. Each
    difference, the mean over the channels, has its own scale: red is brighter than the accepted variant, blue darker.

    Args:
        arrays: The probe's arrays.
        numbers: Its numbers.
        title: What stands above.
        class_names: The classifier's; without them classes are numbered.

    Returns:
        A PNG file's content.
    """
    rows = [kind for kind in ROWS if f"flipped_{kind}" in arrays]
    height, width = to_picture(arrays["image"]).shape[:2] if rows else (1, 1)
    figure = chart(0.9 + (0.35 + 1.4 * min(height / width, 2.0)) * max(1, len(rows)), 7.6)
    figure.suptitle(wrapped(f"{title}; {_said(numbers)}", 90), fontsize=9.5)
    panels = figure.subplots(max(1, len(rows)), len(COLUMNS), squeeze=False)
    for line, kind in zip(panels, rows, strict=False):
        pictures = [arrays["image"], arrays[f"accepted_{kind}"][0], arrays[f"flipped_{kind}"][0]]
        for axes, picture in zip(line, pictures, strict=False):
            axes.imshow(to_picture(picture))
        change = (pictures[2] - pictures[1]).mean(0)
        _draw_change(line[3], change)
        answer = int(arrays[f"predictions_{kind}"][0])
        said = short(class_names[answer], 40) if class_names else f"class {answer}"
        line[0].set_ylabel(_row_label(kind, numbers), fontsize=8)
        line[2].set_xlabel(f"now: {said}", fontsize=8)
        line[3].set_xlabel(f"root mean square {_rms(arrays, kind):.3f}", fontsize=8)
    for axes in panels.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    for axes, name in zip(panels[0], COLUMNS, strict=True):
        axes.set_title(name, fontsize=8.5)
    if not rows:
        panels[0, 0].set_ylabel("nothing flips", fontsize=8)
    return encode(figure, None)


def _draw_change(axes: Axes, change: NDArray[np.floating[Any]]) -> None:
    """Draws the change of an image as a map, and that of a series as a curve around 0."""
    if change.ndim == 1:
        draw_change(axes, change)
        return
    largest = float(np.abs(change).max()) or 1.0
    shown = axes.imshow(change, cmap="RdBu_r", vmin=-largest, vmax=largest)
    draw_colour_bar(axes, shown)


def _rms(arrays: Arrays, kind: str) -> float:
    """Returns the root-mean-square change over the pixels that change."""
    change = arrays[f"flipped_{kind}"][0] - arrays[f"accepted_{kind}"][0]
    moved = change[:, (change != 0).any(0)]
    return float(np.sqrt(np.square(moved).mean())) if moved.size else 0.0


def _row_label(kind: str, numbers: Numbers) -> str:
    count = numbers.get("flips_pgd" if kind == "pgd" else f"{kind}_boundary")
    total = numbers.get("flips_boundary")
    if kind == "pgd":
        return "PGD on pixels" if count is None else f"PGD on pixels\n{count:.0f}"
    name = NAMES.get(kind, kind).replace(", ", ",\n").replace("natural ", "natural\n")
    return name if count is None or total is None else f"{name}\n{count:.0f} of {total:.0f}"


def _said(numbers: Numbers) -> str:
    words = {"success_rate": "of the searched latents", "boundary_rate": "of the accepted", "pgd_rate": "by PGD"}
    known = [f"{numbers[name]:.0%} {word}" for name, word in words.items() if _known(numbers.get(name))]
    return f"flipped: {', '.join(known)}" if known else "nothing to flip"


def _known(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))
