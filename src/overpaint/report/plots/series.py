"""Time series drawn as curves: in their units, coloured by a map, with regions shaded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from overpaint.report.plots.images import REGION_COLOUR, largest_of

APART = 1.25
"""From the 0 of a channel to that of the next one above it, where 1 is a channel's scale."""

CURVE_COLOUR = "#4d4d4d"

Values = Float[np.ndarray, "*set channel length"]


@dataclass(frozen=True)
class CurveHeights:
    """Turns the values of series into heights of a chart.

    A single channel is drawn in its units. Several are drawn one above the other, the first on top, each from the value
    that is 0 on its scale to the one that is 1.

    Attributes:
        channels: How many there are.
        scale: The values of each channel that are 0, and those that are 1; None: the units are unknown.
    """

    channels: int
    scale: Float[np.ndarray, "2 channel"] | None

    def of(self, values: Values) -> Values:
        """Returns the heights of scaled values."""
        if self.channels > 1:
            heights: Values = values + APART * np.arange(self.channels)[::-1, None]
            return heights
        return values if self.scale is None else self.in_units(values)

    def in_units(self, values: Values) -> Values:
        """Returns scaled values in their units; as they are where these are unknown."""
        if self.scale is None:
            return values
        low, high = self.scale[:, :, None]
        shown: Values = values * (high - low) + low
        return shown

    def label(self, axes: Axes) -> None:
        """Says at an axis what the heights are."""
        unit = "scaled value" if self.scale is None else "value"
        axes.set_ylabel(unit, fontsize=8)
        if self.channels == 1:
            return
        ends = np.stack([np.zeros(self.channels), np.ones(self.channels)]) if self.scale is None else self.scale
        places = APART * np.arange(self.channels)[::-1]
        axes.set_yticks(
            [*places, *(places + 1)],
            [f"{value:.3g}" for value in ends.ravel()],
        )
        axes.set_ylabel(f"{unit} of {self.channels} channels, first on top", fontsize=7)


def stretches(region: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yields the first step of each connected stretch of a region, and the first one behind it."""
    changes = np.flatnonzero(np.diff(np.pad(region, 1).astype(np.int8)))
    yield from zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True)


def draw_curve(axes: Axes, heights: Float[np.ndarray, "channel length"], start: int = 0, **look: Any) -> None:
    """Draws the channels of a series, or of a stretch of it that begins at ``start``.

    Args:
        axes: Where to.
        heights: By `CurveHeights`.
        start: Its first step.
        look: Arguments of ``Axes.plot``.
    """
    drawn: dict[str, Any] = {"color": CURVE_COLOUR, "linewidth": 0.9, **look}
    for channel in heights:
        axes.plot(np.arange(start, start + len(channel)), channel, **drawn)


def draw_coloured_curve(
    axes: Axes,
    heights: Float[np.ndarray, "channel length"],
    maps: Float[np.ndarray, "some length"],
    largest: float | None = None,
) -> None:
    """Draws the channels of a series coloured by a map, red for the class and blue against it, under a thin grey line.

    The line between two steps has the colour of the mean of the map there.

    Args:
        axes: Where to.
        heights: By `CurveHeights`.
        maps: The map of all channels, or one for each of them; the colours are by the greatest value of all.
        largest: The value of full red, for maps on one scale; None: the greatest value.
    """
    largest, places = largest or largest_of(maps), np.arange(maps.shape[1])
    for channel, own in zip(heights, np.broadcast_to(maps, heights.shape), strict=True):
        points = np.stack([places, channel], axis=1)
        lines = LineCollection(
            list(np.stack([points[:-1], points[1:]], axis=1)), cmap="RdBu_r", linewidths=3.0, capstyle="round"
        )
        lines.set_array((own[:-1] + own[1:]) / 2)
        lines.set_clim(-largest, largest)
        axes.add_collection(lines)
    draw_curve(axes, heights, linewidth=0.6)


def draw_strip(axes: Axes, maps: Float[np.ndarray, "some length"], largest: float | None = None) -> AxesImage:
    """Draws a map as a strip of colours, one cell a step; those of several channels below each other.

    Args:
        axes: Where to.
        maps: As of `draw_coloured_curve`.
        largest: As there.
    """
    largest, length = largest or largest_of(maps), maps.shape[1]
    shown = axes.imshow(
        maps,
        cmap="RdBu_r",
        vmin=-largest,
        vmax=largest,
        aspect="auto",
        extent=(-0.5, length - 0.5, 0, 1),
        interpolation="nearest",
    )
    axes.set_yticks([])
    return shown


def draw_error_band(
    axes: Axes, saliency_map: Float[np.ndarray, " length"], errors: Float[np.ndarray, " length"] | None
) -> None:
    """Draws a map as a line, with a band of one standard error to either side where there is one."""
    places = np.arange(len(saliency_map))
    axes.axhline(0, color="#999999", linewidth=0.6)
    if errors is not None:
        axes.fill_between(
            places, saliency_map - errors, saliency_map + errors, color="#9ecae1", linewidth=0, label="± standard error"
        )
    axes.plot(places, saliency_map, color="black", linewidth=0.9)


def shade_region(axes: Axes, region: NDArray[np.bool_], colour: str = REGION_COLOUR, label: str = "") -> None:
    """Shades the stretches of a region, from half a step before each to half a step behind it."""
    for start, stop in stretches(region):
        axes.axvspan(start - 0.5, stop - 0.5, color=colour, alpha=0.22, linewidth=0, zorder=0, label=label or None)
        label = ""


def draw_variants(
    axes: Axes, heights: Float[np.ndarray, "variant channel length"], region: NDArray[np.bool_], colours: Sequence[str]
) -> None:
    """Draws variants over each other inside a region, with one step to either side where they meet the series.

    Args:
        axes: Where to.
        heights: Those of the variants.
        region: Where they differ.
        colours: The colour of each.
    """
    opacity = float(np.clip(6 / max(1, len(heights)), 0.18, 0.9))
    for start, stop in stretches(region):
        first, behind = max(0, start - 1), min(len(region), stop + 1)
        for variant, colour in zip(heights[..., first:behind], colours, strict=True):
            draw_curve(axes, variant, first, color=colour, linewidth=0.9, alpha=opacity)


def draw_envelope(
    axes: Axes, heights: Float[np.ndarray, "variant channel length"], region: NDArray[np.bool_], colour: str
) -> None:
    """Shades between the least and the greatest of the variants inside a region."""
    for start, stop in stretches(region):
        first, behind = max(0, start - 1), min(len(region), stop + 1)
        inside, places = heights[..., first:behind], np.arange(first, behind)
        for low, high in zip(inside.min(0), inside.max(0), strict=True):
            axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
